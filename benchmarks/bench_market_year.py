"""All mechanisms by all strategies on a year of homes, with and without batteries.

Run with `python benchmarks/bench_market_year.py [DATA] [--homes N] [--days N] [--seeds N] [--workers N] [--json]`.
DATA is fontana, london, swiss or a CSV file; `python -m scripts.make_street_csv` makes the one whose table is in
docs/market-year.md. Prints, as Markdown, every figure of `wattswarm sim market` for every way of doing it, with half
of its 95 % interval over the seeds where there are several, and what it cost: processor seconds for each home-year and
way that is played, and the most memory of one process.
"""

import argparse
import json
import resource
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from market.bidders.strategies import Strategy
from market.mechanisms.names import Mechanism
from sim.market_year.bids import STRATEGIES
from sim.market_year.command import recordings_of, world_of
from sim.market_year.comparison import compare
from sim.market_year.measures import Measures
from sim.market_year.tables import COLUMNS, Rows, cell, rows_json, rows_of
from sim.market_year.world import DAYS_PER_YEAR, World

SHARES_OF_BATTERIES = (0, 50)
"""Per cent of the homes that have one."""


@dataclass(frozen=True, slots=True)
class Job:
    """One process's work: all mechanisms with one strategy on one world."""

    batteries: int
    seed: int
    strategy: Strategy
    world: World


@dataclass(frozen=True, slots=True)
class Done:
    """Its rows, how many home-years were played in each, processor seconds, and the most memory (MB)."""

    measures: dict[str, Measures]
    home_years: float
    cpu_s: float
    memory_mb: float


def jobs_of(data: str, homes: int | None, days: int | None, seeds: int) -> list[Job]:
    """What is to be played."""
    recordings, _ = recordings_of(data)
    jobs = []
    for seed in range(seeds):
        for batteries in SHARES_OF_BATTERIES:
            world = world_of(recordings, homes, days, seed, batteries)
            jobs += [Job(batteries, seed, strategy, world) for strategy in STRATEGIES]
    return jobs


def play(job: Job) -> Done:
    """Play one job."""
    started = time.process_time()
    world = job.world
    played = compare(world, [job.strategy], list(Mechanism), seed=job.seed)
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    home_years = world.homes * world.days / DAYS_PER_YEAR
    return Done(played.measures, home_years, time.process_time() - started, memory)


def rows_with(batteries: int, jobs: Sequence[Job], done: Sequence[Done]) -> Rows:
    """The rows of all strategies with so many batteries, over the seeds."""
    seeds = sorted({job.seed for job in jobs})
    by_seed: list[dict[str, Measures]] = [{} for _ in seeds]
    for job, each in zip(jobs, done, strict=True):
        if job.batteries == batteries:
            by_seed[seeds.index(job.seed)].update(each.measures)
    return rows_of(by_seed)


def markdown(rows: Rows) -> str:
    """A row for each way, a column for each figure that one of them has."""
    shown = [column for column in COLUMNS if any(row[column.figure] for row in rows.values())]
    lines = [
        "| way | " + " | ".join(column.heading for column in shown) + " |",
        "| --- |" + " ---: |" * len(shown),
    ]
    for name, row in rows.items():
        cells = (cell(row[column.figure], column.form).replace("%", " %") for column in shown)
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def main(arguments: list[str]) -> int:
    """Play everything and print it."""
    parser = argparse.ArgumentParser(description="All mechanisms by all strategies on a year of homes.")
    parser.add_argument("data", nargs="?", default="fontana")
    parser.add_argument("--homes", type=int)
    parser.add_argument("--days", type=int)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(arguments)
    jobs = jobs_of(options.data, options.homes, options.days, options.seeds)
    with ProcessPoolExecutor(options.workers) as pool:
        done = list(pool.map(play, jobs))
    # Alone, which collective shares, and the mechanisms; the tariff and the bound come with them.
    ways = 1 + len(Mechanism)
    cost = {
        strategy.value: sum(each.cpu_s for each in mine) / sum(each.home_years for each in mine) / ways
        for strategy in STRATEGIES
        for mine in [[each for job, each in zip(jobs, done, strict=True) if job.strategy is strategy]]
    }
    memory = max(each.memory_mb for each in done)
    tables = {batteries: rows_with(batteries, jobs, done) for batteries in SHARES_OF_BATTERIES}
    if options.json:
        result = {
            "rows": {f"{batteries} % batteries": rows_json(rows) for batteries, rows in tables.items()},
            "cpu_seconds_per_home_year_and_way": cost,
            "peak_memory_mb": memory,
        }
        sys.stdout.write(json.dumps(result) + "\n")
        return 0
    for batteries, rows in tables.items():
        sys.stdout.write(f"{batteries} % of the homes have a battery:\n\n{markdown(rows)}\n\n")
    per = ", ".join(f"{strategy} {seconds:.3f} s" for strategy, seconds in cost.items())
    sys.stdout.write(
        f"Processor time for each home-year and way: {per}. At most {memory:.0f} MB in a process.\n"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
