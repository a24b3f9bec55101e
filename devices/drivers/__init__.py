"""Drivers of real devices: what all of them share, whatever they speak."""
