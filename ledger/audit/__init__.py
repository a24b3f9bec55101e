"""The offline audit of a data directory, from nothing but its files."""
