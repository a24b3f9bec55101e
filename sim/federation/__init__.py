"""Cells above cells in virtual time: gateways, the lines between them, and those who lie."""
