"""Readers of foreign bytes, and messages to spoil for them."""
