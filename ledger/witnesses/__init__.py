"""Cells that watch each other's logs, by the rules of C2SP."""
