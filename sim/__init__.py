"""Worlds to run the cores in: seeded faults and real-process testnets."""
