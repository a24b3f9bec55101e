"""Shell: `wattswarm sim market`: a year of a market between measured homes, against its baselines and its bound."""

import json
import os
import platform
import resource
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from market.bidders.strategies import Strategy
from market.mechanisms.names import Mechanism
from market.terminal import table_console
from node.errors import ConfigError
from sim.homes.household_samples import SEASONS, SOURCES, load_sample
from sim.homes.households import read_recording
from sim.homes.neighbourhood import CHALLENGE_BATTERY, HouseholdError, Recording
from sim.market_year.bids import STRATEGIES
from sim.market_year.comparison import Played, compare
from sim.market_year.page import comparison_page
from sim.market_year.tables import bills_json, comparison_table, rows_json, rows_of
from sim.market_year.world import DAYS_PER_YEAR, MOST_MISSING, World, as_recorded, estimated, resampled

ALL = "all"
MOST_SEEDS = 1_000
MOST_JOBS = 64
LONG = 500_000
"""Intervals of homes: a few seconds of play, in which another process has paid for its start."""
CLEAR_LINE = "\r\x1b[K"


def market(
    *,
    data: str = "fontana",
    homes: int | None = None,
    days: int | None = None,
    mechanism: str = Mechanism.UNIFORM.value,
    strategy: str = Strategy.THRESHOLD.value,
    batteries: int = 50,
    known: Annotated[bool, Parameter(negative="")] = False,
    seed: int = 0,
    seeds: int = 1,
    jobs: int | None = None,
    as_json: Annotated[bool, Parameter(name="--json", negative="")] = False,
    html: Path | None = None,
) -> None:
    """Play a year of a market; `sim.market_year.MARKET_HELP` is what the command says of itself.

    Parameters
    ----------
    data
        fontana, london, swiss, or a CSV file of your own (docs/market-year.md has the format).
    homes
        How many homes, drawn by seed; all with a complete record if not given. A sample's homes are copied for more.
    days
        How many days; of a sample 365 if not given, of a file all its whole days.
    mechanism
        uniform, pay-as-bid, mcafee, continuous, several with commas, or all.
    strategy
        threshold, optimising, truthful, zero-intelligence, several with commas, or all.
    batteries
        Per cent of the homes that have one (6.4 kWh, 5 kW, 90 % round trip).
    known
        Let every home know its load and solar of the interval that it bids for, instead of expecting it.
    seed
        Draws homes, weeks, bids at random and arrivals.
    seeds
        Play so many seeds, from --seed on, and show each figure with its 95 % interval.
    jobs
        Processes that play the ways of one seed; as many as there are processors if not given and the year is long.
    as_json
        Print one JSON object: every figure, and every home's bills of the first seed.
    html
        Also write one page with tables and figures that opens offline.
    """
    mechanisms = [
        Mechanism(name) for name in _names("--mechanism", mechanism, [each.value for each in Mechanism])
    ]
    strategies = [
        Strategy(name) for name in _names("--strategy", strategy, [each.value for each in STRATEGIES])
    ]
    _within("--batteries", batteries, 0, 100)
    _within("--seeds", seeds, 1, MOST_SEEDS)
    _within("--seed", seed, 0, 2**32)
    _within("--jobs", 1 if jobs is None else jobs, 1, MOST_JOBS)
    if html is not None and not html.absolute().parent.is_dir():
        raise ConfigError([f"--html: {html.parent} is no folder; make it first"])
    started = time.perf_counter()
    played: list[Played] = []
    try:
        recordings, guesses = recordings_of(data)
        for number in range(seed, seed + seeds):
            world = world_of(recordings, homes, days, number, batteries)
            play = partial(compare, world, strategies, mechanisms, seed=number, known=known)
            played.append(play(jobs=jobs or _processes(world), progress=_progress(number - seed + 1, seeds)))
        if sys.stderr.isatty():
            sys.stderr.write(CLEAR_LINE)
    except HouseholdError as error:
        raise ConfigError([str(error)]) from error
    notes = _notes(played[0].world, recordings, guesses, known)
    _show(played, strategies, notes, seed, started, as_json=as_json, html=html)


def _processes(world: World) -> int:
    """One where others would only cost their start."""
    return (os.cpu_count() or 1) if world.homes * world.intervals >= LONG else 1


def _progress(number: int, seeds: int) -> Callable[[str], None]:
    """Tells a terminal which row of which seed is being played."""

    def tell(row: str) -> None:
        if sys.stderr.isatty():
            sys.stderr.write(f"{CLEAR_LINE}seed {number} of {seeds}: {row} ...")
            sys.stderr.flush()

    return tell


def _show(
    played: list[Played],
    strategies: list[Strategy],
    notes: list[str],
    seed: int,
    started: float,
    *,
    as_json: bool,
    html: Path | None,
) -> None:
    world = played[0].world
    rows = rows_of([each.measures for each in played])
    title = (
        f"{world.source}: {world.homes} homes, {world.days} days of {world.day} intervals, {world.currency}"
    )
    if html is not None:
        html.write_text(comparison_page(title, notes, rows, played[0]), encoding="utf-8")
    seconds = time.perf_counter() - started
    cost = {
        "seconds": seconds,
        "seconds_per_home_year": seconds * DAYS_PER_YEAR / (world.homes * world.days * len(played)),
        "peak_memory_mb": _most_memory_mb(),
        "machine": f"{platform.machine()}, Python {platform.python_version()}",
    }
    if as_json:
        table = {
            "data": world.source,
            "currency": world.currency,
            "homes": world.homes,
            "days": world.days,
            "interval_s": world.interval_s,
            "batteries": int(world.battery.sum()),
            "seeds": list(range(seed, seed + len(played))),
            "notes": notes,
            "rows": rows_json(rows),
            "members": bills_json(played[0]),
            **cost,
        }
        sys.stdout.write(json.dumps(table, ensure_ascii=False) + "\n")
        return
    console = table_console()
    console.print(f"{title}.")
    for strategy in strategies:
        console.print(comparison_table(rows, strategy.value))
    for note in notes:
        console.print(note)
    console.print(
        f"{seconds:.1f} s, {cost['seconds_per_home_year']:.4f} s per home-year with all rows,"
        f" at most {cost['peak_memory_mb']:.0f} MB in a process."
    )


def _most_memory_mb() -> float:
    """Of the process that had most."""
    each = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    return max(resource.getrusage(who).ru_maxrss for who in each) / 1024


def recordings_of(data: str) -> tuple[list[Recording], int]:
    """What is played, and how many readings of it are estimates."""
    if data in SOURCES:
        return [load_sample(data, season) for season in SEASONS], 0
    recording, guesses = estimated(read_recording(data))
    return [recording], guesses


def world_of(
    recordings: list[Recording], homes: int | None, days: int | None, seed: int, batteries: int
) -> World:
    """What `sim market` plays of them for these options. Raises HouseholdError."""
    complete = set.intersection(
        *({record.id for record in recording.records if record.complete} for recording in recordings)
    )
    count = len(complete) if homes is None else homes
    if len(recordings) == 1:
        return as_recorded(recordings[0], homes=count, days=days, seed=seed, batteries=batteries)
    year = DAYS_PER_YEAR if days is None else days
    return resampled(recordings, homes=count, days=year, seed=seed, batteries=batteries)


def _notes(world: World, recordings: list[Recording], guesses: int, known: bool) -> list[str]:
    """What is not measured and what is made of it, to be printed with every result."""
    owners = int(world.battery.sum())
    notes = [
        f"Simulated: {owners} batteries of {CHALLENGE_BATTERY.energy / 1e6} kWh, empty at the start."
        " A home expects "
        + ("exactly what comes." if known else "what its last days and its latest meter reading say.")
    ]
    if len(recordings) > 1:
        weeks = sum(each.intervals for each in recordings) // world.day // 7
        notes.append(
            f"{world.source} is a committed sample of {weeks} weeks: these are drawn again and again, by season, to"
            f" make {world.days} days. The export price is assumed (sim/data/README.md)."
        )
        records = len(world.load)
        if world.homes > records:
            notes.append(
                f"{world.homes} homes are made of {records} measured ones: a copy's load is drawn day by day from its"
                " recorded days of the same season and kind."
            )
        return notes
    recording = recordings[0]
    missing = sum(not record.complete for record in recording.records)
    left = recording.intervals - recording.intervals // world.day * world.day
    if guesses:
        notes.append(f"{guesses} missing readings of all homes are estimated by the latest one before.")
    if missing:
        notes.append(
            f"{missing} of {len(recording.records)} homes miss more than {MOST_MISSING:.0%} of their readings and are"
            " left out."
        )
    if left:
        notes.append(f"The last {left} intervals are no whole day and are left out.")
    return notes


def _names(option: str, text: str, known: list[str]) -> list[str]:
    names = known if text == ALL else [name.strip() for name in text.split(",")]
    for name in names:
        if name not in known:
            raise ConfigError(
                [f"{option}: {name!r} is none of {', '.join(known)}; or all, or several with commas"]
            )
    return list(dict.fromkeys(names))


def _within(option: str, value: int, least: int, most: int) -> None:
    if not least <= value <= most:
        raise ConfigError([f"{option}: must be from {least} to {most}, not {value}"])
