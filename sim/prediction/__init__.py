"""Evaluation of what a node predicts of its own trouble, on measured data."""
