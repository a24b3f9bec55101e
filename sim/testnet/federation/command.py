"""Shell: `wattswarm testnet cells`: run several cells that trade with each other, of real processes."""

import json
import sys
from pathlib import Path
from typing import Annotated, Literal

import trio
from cyclopts import Parameter

from market.losses import SCALE
from node.errors import ConfigError
from node.exit_codes import ExitCode
from sim.homes.households import load_households
from sim.homes.neighbourhood import HouseholdError, Neighbourhood
from sim.interrupts import heed_interrupts
from sim.testnet.federation.run import run_cells
from sim.testnet.federation.show import CellsProgress, show_cells
from sim.testnet.preparation import Parameters

INTERVAL_REAL_S = 8
"""Real seconds of an interval where no speed is asked for: in it two levels agree one after the other."""
LEAST_REAL_S = 4
MOST_CELLS = 16


def cells_command(
    *,
    data_dir: Path,
    cells: int = 2,
    nodes: int = 2,
    intervals: int = 6,
    speed: int | None = None,
    data: str = "fontana",
    season: Literal["summer", "winter"] = "summer",
    seed: int = 0,
    loss: float = 0.0,
    as_json: Annotated[bool, Parameter(name="--json", negative="")] = False,
) -> None:
    """Found streets below a district, each with a gateway, run them on loopback, and compare all ledgers at the end.

    Each street is a cell of measured homes with a ledger of its own. What is left over in one crosses to another
    through the district, a cell of the gateways alone: the district's ledger decides it, and a street believes it by
    a proof. Afterwards every ledger is verified, every proof is checked once more, and what crossed is compared
    on both sides. Exit status 0 only if all of it holds.

    Example: wattswarm testnet cells --cells 2 --nodes 2 --intervals 6 --data-dir ./demo-cells

    Parameters
    ----------
    data_dir
        Where to keep everything; must be empty or not exist. The cells are its district, street-1, street-2 and so on.
    cells
        How many streets.
    nodes
        How many homes in each street; its gateway is one node more, and has one more in the district.
    intervals
        How many intervals trade.
    speed
        How many times faster than real time the cells' clock runs; without it an interval takes 8 s.
    data
        fontana (hourly, with PV), london (half-hourly, dynamic tariff), swiss (quarter-hourly, both) or a CSV file.
    season
        Which of the two weeks of a committed sample.
    seed
        Chooses the homes and who has a battery.
    loss
        The share of the energy that the lines of the streets lose, such as 0.02.
    as_json
        Print the summary as one JSON object, the last line of standard output.
    """
    homes, chosen = _asked(cells, nodes, intervals, speed, loss, data, season, seed)
    parameters = Parameters(cells * nodes, intervals, chosen, data, season, seed)
    heed_interrupts()
    progress = CellsProgress(intervals, homes.interval_s)
    arguments = (data_dir, parameters, homes, cells, round(loss * SCALE), progress.update)
    try:
        summary = trio.run(run_cells, *arguments)
    except KeyboardInterrupt:
        sys.stderr.write(f"Interrupted; all nodes are stopped, and what they wrote is in {data_dir}.\n")
        raise
    if as_json:
        sys.stdout.write(json.dumps(summary) + "\n")
    else:
        show_cells(summary, homes.interval_s)
    if not summary["ok"]:
        sys.exit(ExitCode.FAILED)


def _asked(
    cells: int,
    nodes: int,
    intervals: int,
    speed: int | None,
    loss: float,
    data: str,
    season: str,
    seed: int,
) -> tuple[Neighbourhood, int]:
    """The homes and the speed. Raises `ConfigError` naming the option."""
    if not 2 <= cells <= MOST_CELLS or nodes < 1:
        raise ConfigError([f"--cells: 2 to {MOST_CELLS} streets, and --nodes: at least 1 home in each"])
    if not 0 <= loss < 0.5:
        raise ConfigError([f"--loss: must be from 0 to below 0.5, not {loss:g}"])
    try:
        homes = load_households(data, season, homes=cells * nodes, seed=seed, intervals=intervals)
    except HouseholdError as error:
        raise ConfigError([str(error)]) from error
    fastest = homes.interval_s // LEAST_REAL_S
    chosen = homes.interval_s // INTERVAL_REAL_S if speed is None else speed
    if not 1 <= chosen <= fastest:
        raise ConfigError(
            [
                f"--speed: must be from 1 to {fastest}, not {chosen}: an interval needs {LEAST_REAL_S} s for two levels"
            ]
        )
    return homes, chosen
