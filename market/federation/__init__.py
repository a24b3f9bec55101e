"""Cells of cells: a parent market clears the curves of its cells and returns a price and a flow to each."""
