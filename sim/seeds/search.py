"""Shell: runs the cells of many seeds, over several processes, in the order of the seeds, and stops at the first that
fails.

A seed with its bounds (how many nodes, how many intervals) is a whole world: it runs the same again wherever it runs.
"""

import multiprocessing
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from random import Random

from sim.cells.calm import CALM_INTERVALS, INTERVAL_NS, SETTLING_INTERVALS
from sim.cells.changes import changing_cluster, draw_changes
from sim.cells.checks import Outcome
from sim.cells.cluster import Cluster
from sim.cells.keys import MINUTES
from sim.cells.plans import Focus

INTERVALS = 60
"""An hour at intervals of a minute."""
LEAST_INTERVALS = SETTLING_INTERVALS + CALM_INTERVALS + 1
NODES = (4, 10)


@dataclass(frozen=True, slots=True)
class Bounds:
    """What is fixed for all seeds: least and most nodes (the seed draws between), intervals per cell, and a focus.

    Faults happen in all intervals but the last ten: six to settle, more where rounds grew long (`sim.cells.calm`), and
    four in which all must be as if nothing had been.
    """

    nodes: tuple[int, int] = NODES
    intervals: int = INTERVALS
    focus: Focus = field(default_factory=Focus)


CHANGING = 0.4
"""Of the cells, so many have members that come, go or take new keys."""


@dataclass(slots=True)
class Tally:
    """What a search has done so far. `cpu_s` is what the cells took, over all processes; `traded` is in mWh."""

    seeds: int = 0
    events: int = 0
    blocks: int = 0
    traded: int = 0
    cell_s: float = 0.0
    cpu_s: float = 0.0
    sizes: dict[int, int] = field(default_factory=dict)
    failure: Outcome | None = None

    @property
    def speed(self) -> float:
        """Seconds of cell time per second of one core."""
        return self.cell_s / self.cpu_s if self.cpu_s else 0.0

    def add(self, outcome: Outcome, cpu_s: float) -> None:
        """Count one more cell."""
        self.seeds += 1
        self.events += outcome.events
        self.blocks += len(outcome.blocks)
        self.traded += outcome.traded
        self.cell_s += outcome.cell_s
        self.cpu_s += cpu_s
        self.sizes[outcome.size] = self.sizes.get(outcome.size, 0) + 1
        if outcome.violation is not None:
            self.failure = outcome


def run_seed(seed: int, bounds: Bounds, live: Callable[[str], None] | None = None) -> Outcome:
    """Run the cell of this seed to its end; `live` is told every line of its trace."""
    random = Random(seed)
    size = random.randint(*bounds.nodes)
    ill_intervals = bounds.intervals - SETTLING_INTERVALS - CALM_INTERVALS
    if random.random() < CHANGING:
        changes = draw_changes(random, size, ill_intervals * INTERVAL_NS)
        return changing_cluster(seed, size, ill_intervals, changes, live, MINUTES, bounds.focus).run()
    return Cluster(seed, size, ill_intervals, live=live, pace=MINUTES, focus=bounds.focus).run()


def search(seeds: range, bounds: Bounds, jobs: int, progress: Callable[[Tally], None]) -> Tally:
    """Run seeds until one fails; `progress` hears after each. A keyboard interrupt ends it with what was done."""
    tally = Tally()
    try:
        with _outcomes(seeds, bounds, jobs) as outcomes:
            for outcome, cpu_s in outcomes:
                tally.add(outcome, cpu_s)
                progress(tally)
                if tally.failure is not None:
                    break
    except KeyboardInterrupt:
        pass
    return tally


def _timed(bounds: Bounds, seed: int) -> tuple[Outcome, float]:
    begun_s = time.process_time()
    outcome = run_seed(seed, bounds)
    return outcome, time.process_time() - begun_s


@contextmanager
def _outcomes(seeds: range, bounds: Bounds, jobs: int) -> Iterator[Iterator[tuple[Outcome, float]]]:
    """The outcomes in the order of the seeds; at the end all processes are gone."""
    run = partial(_timed, bounds)
    if jobs == 1:
        yield map(run, seeds)
        return
    with multiprocessing.get_context("spawn").Pool(jobs, _ignore_interrupts) as pool:
        yield pool.imap(run, seeds)


def _ignore_interrupts() -> None:
    """The process that started us hears them, and ends us."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
