"""The agreement core alone in a seeded world, and Twins scenarios."""
