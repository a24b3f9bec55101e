"""Shell: `wattswarm sim grid`: run a scenario of the grid around a cell."""

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter
from rich.table import Table

from devices.response.response_curve import ResponseCurve
from devices.response.service_files import built_in_curves, find_curve
from market.terminal import table_console
from node.errors import ConfigError
from node.exit_codes import ExitCode
from sim.grid.data_centre import data_centre
from sim.grid.evening_peak import HOMES, INTERVALS, evening_peak
from sim.grid.event_replay import answers_frequency, event_replay
from sim.grid.frequency_year import SERVICES, drawn_year, frequency_year, recorded
from sim.grid.loss_of_infeed import loss_of_infeed
from sim.grid.measured import (
    measured_events,
    measured_home,
    measured_pieces,
    measured_racks,
    measured_weather,
    read_frequency,
)
from sim.grid.outage import outage
from sim.grid.page import result_page, shown
from sim.grid.preparation import preparing
from sim.grid.result import Result
from sim.grid.system import Floats
from sim.grid.trouble import trouble
from sim.homes.households import load_households

MOST_HOMES = 1_000_000
SCENARIOS = {
    "loss-of-1gw": "1 GW of infeed is lost at three inertias, with fleets of homes from none to 100,000",
    "evening-peak": "a street of measured homes with cars, with and without a swarm of batteries",
    "outage": "a campus loses the grid for hours: black start, tiers, resynchronisation",
    "data-centre": "servers swing their power together: a flywheel hides it, with and without a forecast",
    "frequency-year": "a year of frequency service on measured frequency: energy, recovery, availability",
    "event-replay": "measured disturbances played to a fleet: what each service delivers, against its curve",
    "preparation": "overloads of a home met prepared: a battery that charges in time, against one that does not",
    "trouble": "frequency events and overloads foreseen on measured data, against a threshold",
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
    "data-center": "data-centre",
    "datacentre": "data-centre",
    "datacenter": "data-centre",
    "flywheel": "data-centre",
    "flywheels": "data-centre",
    "year": "frequency-year",
    "frequency-service": "frequency-year",
    "year-of-frequency": "frequency-year",
    "replay": "event-replay",
    "events": "event-replay",
    "frequency-replay": "event-replay",
    "predict": "trouble",
    "prediction": "trouble",
    "prediction-of-trouble": "trouble",
    "prepare": "preparation",
    "readiness": "preparation",
}
LONGEST_REPLAY_S = 3_600
"""Every home is played ten times a second: an hour takes minutes."""
MOST_DAYS = 3_660


@dataclass(frozen=True, slots=True)
class Choice:
    """What the options ask for."""

    homes: int
    service: str | None
    days: int
    frequency: Path | None
    seed: int

    def check(self) -> None:
        """Raises ConfigError naming the option that is out of range."""
        if not 1 <= self.homes <= MOST_HOMES:
            raise ConfigError([f"--homes: must be from 1 to {MOST_HOMES}, not {self.homes}"])
        if not 1 <= self.days <= MOST_DAYS:
            raise ConfigError([f"--days: must be from 1 to {MOST_DAYS}, not {self.days}"])
        if self.seed < 0:
            raise ConfigError([f"--seed: must be at least 0, not {self.seed}"])

    def curves(self, usual: tuple[ResponseCurve, ...]) -> tuple[ResponseCurve, ...]:
        """The one that was asked for, or the usual ones. Raises ValueError for one that frequency does not move."""
        if self.service is None:
            return usual
        curve = find_curve(self.service)
        if not answers_frequency(curve):
            raise ValueError(
                f"{curve.name}: this scenario needs a service that answers 50 Hz with active power"
            )
        return (curve,)


def grid(
    scenario: str | None = None,
    /,
    *,
    homes: int = 100_000,
    service: str | None = None,
    days: int = 365,
    frequency: Path | None = None,
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
        What units are armed for, a name of `wattswarm devices response --list` or a TOML file: in loss-of-1gw
        gb-dynamic-containment unless given; in frequency-year and event-replay several unless given.
    days
        frequency-year: how many days to draw out of the measured pieces.
    frequency
        frequency-year and event-replay: your own record instead, CSV or Parquet with a column hz, one row a second.
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
    result = _run(_known(scenario), Choice(homes, service, days, frequency, seed))
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


def _run(scenario: str, choice: Choice) -> Result:
    choice.check()
    if scenario == "evening-peak":
        return evening_peak(
            load_households("london", "winter", homes=HOMES, seed=choice.seed, intervals=INTERVALS)
        )
    if scenario == "outage":
        return outage()
    if scenario == "data-centre":
        return data_centre(measured_racks(), choice.seed)
    if scenario == "preparation":
        return preparing(measured_home())
    if scenario == "trouble":
        return trouble(measured_pieces(), measured_home(), measured_weather(), measured_events())
    try:
        if scenario == "frequency-year":
            return _year(choice)
        if scenario == "event-replay":
            events = measured_events() if choice.frequency is None else _own(choice.frequency)
            return event_replay(events, choice.curves(built_in_curves()), choice.seed)
        return loss_of_infeed(
            choice.homes, find_curve(choice.service or "gb-dynamic-containment"), choice.seed
        )
    except ValueError as error:
        raise ConfigError([f"--service: {error}"]) from error


def _year(choice: Choice) -> Result:
    curves = choice.curves(tuple(find_curve(name) for name in SERVICES))
    if choice.frequency is not None:
        return frequency_year(
            recorded(read_frequency(choice.frequency)), curves, choice.frequency.name, choice.seed
        )
    drawn = drawn_year(measured_pieces(), measured_events(), choice.days, choice.seed)
    return frequency_year(drawn, curves, "drawn from 22 measured hours and two disturbances", choice.seed)


def _own(path: Path) -> dict[str, Floats]:
    hz = read_frequency(path)
    if hz.size > LONGEST_REPLAY_S:
        raise ConfigError(
            [f"--frequency: {path}: {hz.size} s; event-replay takes at most {LONGEST_REPLAY_S}"]
        )
    return {path.name: hz}


def _list(as_json: bool) -> None:
    if as_json:
        sys.stdout.write(
            json.dumps([{"scenario": name, "what": SCENARIOS[name]} for name in SCENARIOS]) + "\n"
        )
        return
    for name, what in SCENARIOS.items():
        sys.stdout.write(f"{name:<16}{what}\n")


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
