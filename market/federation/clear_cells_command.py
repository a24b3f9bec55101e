"""Shell: `wattswarm market clear-cells`: clears cells below cells from files, and beside them as one flat market."""

import sys
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from market.clearing import Clearing
from market.errors import FileError, InputError
from market.federation.cells_file import CellsFile, read_cells
from market.federation.federation import FederatedClearing, clear_federation, flat
from market.federation.show import federation_json, show_federation
from market.terminal import table_console


def clear_cells_command(
    cells: Path,
    /,
    *,
    steps: int | None = None,
    as_json: Annotated[bool, Parameter(name="--json", negative="")] = False,
) -> int:
    """Clear cells below cells: each hands a curve up and gets a price and a flow back.

    The file names the cells, with orders and feeders as for `wattswarm market clear`:

        [cells.district]             # the top has no parent; only its feeder may have a [grid]
        orders = "district.csv"      # optional
        feeder = "district.toml"     # optional; without it the cell is one place

        [cells.mill-lane]
        parent = "district"
        branch = "north"             # of the parent's feeder; its root where left out
        orders = "mill-lane.csv"
        feeder = "mill-lane.toml"    # limit and fee of its root are those of the connection

    The same cells are also cleared as one flat market. With exact curves the result is the same to the last
    unit. With --steps each curve has at most so many steps, and the welfare that this costs is shown beside the
    bound that the curves state (docs/federation.md).

    Example: wattswarm market clear-cells cells.toml --steps 32

    Exit status: 0 cleared; 1 the files have mistakes, each named with its place, and nothing is cleared.

    Parameters
    ----------
    cells
        The TOML file of the cells.
    steps
        The most steps of a curve that a cell hands up, at least 2; without it curves are exact.
    as_json
        Print one JSON object instead of tables.
    """
    try:
        source, cleared, together = _cleared(cells, steps)
    except FileError as error:
        sys.stderr.write("\n".join(error.mistakes) + "\nNothing was cleared.\n")
        return 1
    if as_json:
        sys.stdout.write(federation_json(source, cleared, together) + "\n")
    else:
        show_federation(table_console(), source, cleared, together)
    return 0


def _cleared(cells: Path, steps: int | None) -> tuple[CellsFile, FederatedClearing, Clearing]:
    """What is to be cleared, level by level, and flat. Raises FileError."""
    source = read_cells(cells)
    try:
        return source, clear_federation(source.federation, steps), flat(source.federation).clear()
    except InputError as error:
        raise FileError((f"{cells}: {error}",)) from error
