"""Shell: `wattswarm sim grid`: run a scenario of the grid around a cell."""

import json
import sys
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter
from rich.table import Table

from devices.service_files import find_curve
from market.terminal import table_console
from node.errors import ConfigError
from node.exit_codes import ExitCode
from sim.grid.evening_peak import HOMES, INTERVALS, evening_peak
from sim.grid.loss_of_infeed import loss_of_infeed
from sim.grid.outage import outage
from sim.grid.page import result_page, shown
from sim.grid.result import Result
from sim.homes.households import load_households

MOST_HOMES = 1_000_000
SCENARIOS = {
    "loss-of-1gw": "1 GW of infeed is lost at three inertias, with fleets of homes from none to 100,000",
    "evening-peak": "a street of measured homes with cars, with and without a swarm of batteries",
    "outage": "a campus loses the grid for hours: black start, tiers, resynchronisation",
}
ALIASES = {
    "loss": "loss-of-1gw",
    "loss-of-1-gw": "loss-of-1gw",
    "loss-1gw": "loss-of-1gw",
    "loss-1-gw": "loss-of-1gw",
    "loss-of-infeed": "loss-of-1gw",
    "loss-of-generation": "loss-of-1gw",
    "1gw-loss": "loss-of-1gw",
    "1-gw-loss": "loss-of-1gw",
    "1gw": "loss-of-1gw",
    "low-inertia": "loss-of-1gw",
    "peak": "evening-peak",
    "feeder-evening-peak": "evening-peak",
    "black-start": "outage",
    "campus-outage": "outage",
}


def grid(
    scenario: str | None = None,
    /,
    *,
    homes: int = 100_000,
    service: str = "gb-dynamic-containment",
    seed: int = 0,
    html: Path | None = None,
    list_scenarios: Annotated[bool, Parameter(name="--list", negative="")] = False,
    as_json: Annotated[bool, Parameter(name="--json", negative="")] = False,
) -> None:
    """Run a scenario of the grid around a cell, and say what it assumed, what came out, and whether its rules held.

    Example: wattswarm sim grid loss-of-1gw --html loss.html

    Exit status: 0 run and every rule held; 1 a rule did not hold; 2 a wrong option or no such scenario; 4 the page
    cannot be written.

    Parameters
    ----------
    scenario
        Its name; see --list.
    homes
        loss-of-1gw: how many homes the largest fleet has, each with 5 kW.
    service
        loss-of-1gw: what the homes are armed for, a name of `wattswarm devices response --list` or a TOML file.
    seed
        Chooses noise, delays and homes; the same seed gives the same result.
    html
        Write one page with plots that opens offline.
    list_scenarios
        List the scenarios instead.
    as_json
        Print one JSON object instead of tables.
    """
    if list_scenarios:
        _list(as_json)
        return
    result = _run(_known(scenario), homes, service, seed)
    if html is not None:
        html.parent.mkdir(parents=True, exist_ok=True)
        html.write_text(result_page(result), encoding="utf-8")
    if as_json:
        sys.stdout.write(json.dumps(result.plain(), ensure_ascii=False) + "\n")
    else:
        _print(result, html)
    if not result.ok:
        sys.exit(ExitCode.FAILED)


def _known(scenario: str | None) -> str:
    if scenario is None:
        raise ConfigError(
            [f"name a scenario: {', '.join(SCENARIOS)}; as in `wattswarm sim grid loss-of-1gw`"]
        )
    plain = scenario.strip().lower().translate(str.maketrans("_ ", "--"))
    plain = ALIASES.get(plain, plain)
    if plain not in SCENARIOS:
        raise ConfigError([f"{scenario}: no such scenario; there are {', '.join(SCENARIOS)}"])
    return plain


def _run(scenario: str, homes: int, service: str, seed: int) -> Result:
    if not 1 <= homes <= MOST_HOMES:
        raise ConfigError([f"--homes: must be from 1 to {MOST_HOMES}, not {homes}"])
    if seed < 0:
        raise ConfigError([f"--seed: must be at least 0, not {seed}"])
    if scenario == "evening-peak":
        return evening_peak(load_households("london", "winter", homes=HOMES, seed=seed, intervals=INTERVALS))
    if scenario == "outage":
        return outage()
    try:
        return loss_of_infeed(homes, find_curve(service), seed)
    except ValueError as error:
        raise ConfigError([f"--service: {error}"]) from error


def _list(as_json: bool) -> None:
    if as_json:
        sys.stdout.write(
            json.dumps([{"scenario": name, "what": SCENARIOS[name]} for name in SCENARIOS]) + "\n"
        )
        return
    for name, what in SCENARIOS.items():
        sys.stdout.write(f"{name:<14}{what}\n")


def _print(result: Result, html: Path | None) -> None:
    console = table_console()
    console.print(result.title)
    table = Table()
    for name in result.rows[0]:
        table.add_column(name, justify="right")
    for row in result.rows:
        table.add_row(*(shown(value) for value in row.values()))
    console.print(table)
    for rule, held in result.checks.items():
        console.print(f"{'yes' if held else 'NO ':>3}  {rule}")
    for key, value in result.assumptions.items():
        console.print(f"     {key}: {shown(value)}")
    if html is not None:
        console.print(f"The page: {html}")
