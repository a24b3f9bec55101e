"""Seeds of two streets below a district: nothing crosses without a proof, and what is proved is made up."""

import os

import pytest

from sim.federation.lies import Lie
from sim.federation.world import FederatedWorld

SEEDS = int(os.environ.get("COUNT", "0")) or 3


def test_without_faults_every_interval_has_its_transfer() -> None:
    counts = FederatedWorld(1, faults=False).run(6)
    assert counts["transfers"] > 0
    assert set(counts) <= {"transfers", "alone"}


@pytest.mark.parametrize("seed", range(SEEDS))
def test_partitions_and_lies_move_nothing(seed: int) -> None:
    counts = FederatedWorld(seed).run(10)
    assert counts["transfers"] + counts["alone"] > 0


def test_a_long_seed_tells_every_lie_and_sees_partitions() -> None:
    counts = FederatedWorld(201).run(14)
    assert counts["partitions"] > 0
    assert {f"lie {lie.name.lower()}" for lie in Lie} <= set(counts)
