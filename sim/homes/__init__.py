"""Measured households, and neighbourhoods made of them."""
