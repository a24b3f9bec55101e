"""Shell: the console that tables are printed to: as wide as the terminal, and wide enough for all in a file or pipe."""

import sys

from rich.console import Console

PIPE_WIDTH = 240
"""Characters per line where there is no terminal, so that no cell is cut."""


def table_console() -> Console:
    """A console on standard output."""
    return Console(width=None if sys.stdout.isatty() else PIPE_WIDTH)
