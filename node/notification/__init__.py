"""Warnings to people: what is worth one, when and where it goes, and how it gets there."""
