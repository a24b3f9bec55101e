"""Shell: proves that the search finds bugs: plants each one and searches until a seed exposes it.

``python -m sim.seeds.planted [SEEDS [WORD ...]]`` prints, for every bug with one of the words in its name, how many
seeds it took and what was violated; its exit status is 1 when a bug was not found, or when the seed that found one
fails without it too.
"""

import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace

from sim.agreement import world
from sim.cells.plans import Focus
from sim.patches import Patches
from sim.seeds import bugs_of_agreement, bugs_of_cells
from sim.seeds.bugs_of_cells import Plant
from sim.seeds.search import Bounds, run_seed

SEEDS = 400
"""Seeds until a bug counts as not found."""
IN_CELLS = Bounds(nodes=(4, 4), intervals=15)
ALONE = Bounds(nodes=(1, 1), intervals=18)


@dataclass(frozen=True, slots=True)
class Hunt:
    """One bug, and the worlds in which it is hunted: bare validators, or cells within `bounds`."""

    plant: Plant
    bounds: Bounds | None

    @property
    def name(self) -> str:
        """The bug's name in words."""
        return self.plant.__name__.replace("_", " ")


@dataclass(frozen=True, slots=True)
class Found:
    """How a hunt ended: seeds run, and the violation (None: not found). `clean`: without the bug the seed is good."""

    seeds: int
    violation: str | None
    clean: bool


def hunts() -> Iterator[Hunt]:
    """All of them."""
    for plant in bugs_of_agreement.BUGS:
        yield Hunt(plant, None)
    for plant in bugs_of_cells.BUGS:
        bounds = ALONE if plant in bugs_of_cells.ALONE else IN_CELLS
        yield Hunt(plant, replace(bounds, focus=bugs_of_cells.FOCUS.get(plant, Focus())))


def hunt(planted: Hunt, first: int, count: int) -> Found:
    """Search seeds from `first` on for a planted bug."""
    for seed in range(first, first + count):
        with Patches() as patches:
            planted.plant(patches)
            violation = _violation(planted, seed)
        if violation is not None:
            return Found(seed - first + 1, violation, _violation(planted, seed) is None)
    return Found(count, None, clean=True)


def _violation(planted: Hunt, seed: int) -> str | None:
    if planted.bounds is None:
        return world.run_seed(seed, size=4).violation
    return run_seed(seed, planted.bounds).violation


def main(count: int, words: list[str]) -> int:
    """Hunt every bug with one of the words in its name (without words, all) and print the table; the exit status."""
    missed = 0
    sys.stdout.write(f"{'planted bug':42} {'seeds':>5} {'s':>6}  found as\n")
    for planted in hunts():
        if words and not any(word in planted.name for word in words):
            continue
        begun_s = time.process_time()
        found = hunt(planted, 0, count)
        seconds = time.process_time() - begun_s
        good = found.violation is not None and found.clean
        missed += not good
        told = found.violation or "NOT FOUND"
        told = told if found.clean else f"{told} - BUT THE SEED FAILS WITHOUT IT TOO"
        sys.stdout.write(f"{planted.name:42} {found.seeds:5} {seconds:6.1f}  {told[:110]}\n")
        sys.stdout.flush()
    return int(missed > 0)


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else SEEDS, sys.argv[2:]))
