"""The seeded search finds bugs: each of these, planted at run time, within a bounded number of seeds.

The very seed that exposes a bug is clean without it, so it is the bug that was found.
"""

import pytest

from sim.agreement.world import run_seed, search
from sim.patches import Patches
from sim.seeds.bugs_of_agreement import (
    BUGS,
    later_rounds_ignored,
    lock_forgotten,
    lock_forgotten_in_a_restart,
    unlocked_without_a_quorum,
)
from sim.seeds.bugs_of_cells import Plant

SEEDS = 400

FIRST = {
    later_rounds_ignored: 20,
    lock_forgotten: 25,
    unlocked_without_a_quorum: 140,
    lock_forgotten_in_a_restart: 285,
}
"""From which seed the search begins: near the one that finds the bug, to save time; `make soak` begins anywhere."""


@pytest.mark.parametrize("plant", BUGS, ids=lambda plant: plant.__name__)
def test_the_search_finds_a_planted_bug_and_the_seed_is_clean_without_it(plant: Plant) -> None:
    with Patches() as patches:
        plant(patches)
        found = search(FIRST.get(plant, 0), SEEDS, size=4)
    assert found is not None, f"{SEEDS} seeds did not expose it"
    assert run_seed(found.seed, size=4).violation is None
