"""Seeded worlds in which devices fail in every way that hardware does, and laws of safety that hold all the same."""
