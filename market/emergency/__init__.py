"""The emergency of a cell: what members see of the public grid, what a dso declares, and what follows from both."""
