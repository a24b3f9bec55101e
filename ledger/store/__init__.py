"""The SQLite file of a node: opening, keeping, pruning and reopening it."""
