"""The physics of the grid around a cell: frequency of a system, voltage of a feeder, and scenarios to see both."""
