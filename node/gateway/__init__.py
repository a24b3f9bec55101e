"""A gateway between a cell and the cell above it: two ordinary nodes of one operator, and the line between them."""
