"""Whole daemons in a seeded world: virtual time, simulated disks, networks, clocks and people."""
