"""Shell: `wattswarm sim seeds`: search seeded worlds for what must never happen."""

import json
import re
import sys
from collections.abc import Callable
from typing import Annotated

from cyclopts import Parameter

from node.errors import ConfigError
from node.exit_codes import ExitCode
from sim.cells.checks import Outcome
from sim.seeds.search import INTERVALS, LEAST_INTERVALS, Bounds, Tally, run_seed, search

PROGRESS_EVERY = 20
"""Seeds between two lines of progress where nobody looks at a terminal."""
MOST_NODES = 40


def seeds(
    *,
    first: Annotated[int, Parameter(name="--from")] = 0,
    to: int = 1000,
    nodes: str = "4..10",
    intervals: int = INTERVALS,
    jobs: int = 1,
    replay: int | None = None,
    trace: Annotated[bool, Parameter(negative="")] = False,
    as_json: Annotated[bool, Parameter(name="--json", negative="")] = False,
) -> None:
    """Run whole cells in virtual time under faults drawn from seeds, until one breaks a rule.

    A cell is real cores, signers and ledgers on simulated disks, clocks and networks, with members that cheat. Exit
    status 0 when nothing was violated. Interrupted, it says what was done.

    Example: wattswarm sim seeds --from 0 --to 1000 --jobs 2

    Example: wattswarm sim seeds --replay 4711 --trace

    Parameters
    ----------
    first
        The first seed.
    to
        The seed after the last one.
    nodes
        How many nodes a cell has: a number, or least and most with two dots between; the seed draws one.
    intervals
        Intervals of a minute that each cell plays; in the last ten it must be well again.
    jobs
        Processes that run cells.
    replay
        Run only this seed again, exactly.
    trace
        With --replay: print every line of what happens, not only the last ones before a failure.
    as_json
        Print the result as one JSON object.
    """
    bounds = Bounds(_range_of(nodes), _at_least("--intervals", intervals, LEAST_INTERVALS))
    _at_least("--jobs", jobs, 1)
    _at_least("--from", first, 0)
    if trace and replay is None:
        raise ConfigError(["--trace: only together with --replay"])
    if to <= first and replay is None:
        raise ConfigError([f"--to: must be greater than --from {first}, not {to}"])
    if replay is not None:
        tally = Tally()
        tally.add(run_seed(_at_least("--replay", replay, 0), bounds, _print_line if trace else None), 0.0)
        planned = 1
    else:
        planned = to - first
        tally = search(range(first, to), bounds, jobs, _progress(planned))
    if as_json:
        sys.stdout.write(json.dumps(_table(tally, planned, bounds)) + "\n")
    else:
        _print(tally, planned, bounds)
    if tally.failure is not None:
        sys.exit(ExitCode.FAILED)
    if tally.seeds < planned:
        raise KeyboardInterrupt


def _range_of(text: str) -> tuple[int, int]:
    match = re.fullmatch(r"(\d+)(?:\.\.(\d+))?", text)
    least = int(match[1]) if match else 0
    most = int(match[2] or match[1]) if match else 0
    if not 1 <= least <= most <= MOST_NODES:
        raise ConfigError([f"--nodes: a number from 1 to {MOST_NODES}, or two as in 4..10, not {text!r}"])
    return least, most


def _at_least(option: str, value: int, least: int) -> int:
    if value < least:
        raise ConfigError([f"{option}: must be at least {least}, not {value}"])
    return value


def _progress(planned: int) -> Callable[[Tally], None]:
    terminal = sys.stderr.isatty()

    def tell(tally: Tally) -> None:
        if terminal or tally.seeds % PROGRESS_EVERY == 0:
            ending = "\r" if terminal and tally.seeds < planned else "\n"
            line = (
                f"{tally.seeds} of {planned} seeds, {tally.events} events, {tally.speed:.0f} cell s per CPU s"
            )
            sys.stderr.write(line + ending)
            sys.stderr.flush()

    return tell


def _print_line(line: str) -> None:
    sys.stdout.write(line + "\n")


def _replay_command(failure: Outcome, bounds: Bounds) -> str:
    least, most = bounds.nodes
    return f"wattswarm sim seeds --replay {failure.seed} --nodes {least}..{most} --intervals {bounds.intervals} --trace"


def _table(tally: Tally, planned: int, bounds: Bounds) -> dict[str, object]:
    failure = tally.failure
    return {
        "ok": failure is None and tally.seeds == planned,
        "seeds": tally.seeds,
        "planned": planned,
        "events": tally.events,
        "blocks": tally.blocks,
        "traded_kwh": tally.traded / 1e6,
        "cell_s": tally.cell_s,
        "cpu_s": tally.cpu_s,
        "sizes": {str(size): count for size, count in sorted(tally.sizes.items())},
        "failure": None
        if failure is None
        else {
            "seed": failure.seed,
            "nodes": failure.size,
            "event": failure.events,
            "invariant": failure.violation,
            "trace": failure.trace,
            "replay": _replay_command(failure, bounds),
        },
    }


def _print(tally: Tally, planned: int, bounds: Bounds) -> None:
    failure = tally.failure
    if failure is not None:
        for line in failure.trace:
            sys.stdout.write(line + "\n")
        sys.stdout.write(
            f"seed {failure.seed} ({failure.size} nodes) fails at event {failure.events}: {failure.violation}\n"
            f"again: {_replay_command(failure, bounds)}\n"
        )
        return
    sys.stdout.write(
        f"{tally.seeds} of {planned} seeds: nothing violated in {tally.events} events, {tally.blocks} blocks"
        f" and {tally.cell_s / 3600:.1f} h of cell time"
    )
    sys.stdout.write(f"; {tally.speed:.0f} s of it per CPU s\n" if tally.cpu_s else "\n")
