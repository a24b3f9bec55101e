"""The seeded search finds bugs: each of these, planted at run time, within a bounded number of seeds.

The very seed that exposes a bug is clean without it, so it is the bug that was found.
"""

import pytest

from sim.agreement.world import run_seed, search
from sim.patches import Patches
from sim.seeds.bugs_of_agreement import BUGS
from sim.seeds.bugs_of_cells import Plant

SEEDS = 400


@pytest.mark.parametrize("plant", BUGS, ids=lambda plant: plant.__name__)
def test_the_search_finds_a_planted_bug_and_the_seed_is_clean_without_it(plant: Plant) -> None:
    with Patches() as patches:
        plant(patches)
        found = search(0, SEEDS, size=4)
    assert found is not None, f"{SEEDS} seeds did not expose it"
    assert run_seed(found.seed, size=4).violation is None
