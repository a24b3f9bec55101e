"""Seeded worlds of validators: at least 300 of them in every run of the tests; ``make soak`` runs on."""

import subprocess
import sys

import pytest

from sim.agreement.world import run_seed, search

BATCH = 30


@pytest.mark.parametrize("first", range(0, 300, BATCH))
def test_honest_validators_agree_sign_once_and_decide_after_healing(first: int) -> None:
    found = search(first, BATCH)
    assert found is None, f"seed {found.seed}: {found.violation}"


def test_a_liar_among_four_is_survived_again_and_again() -> None:
    found = search(10_000, 60, size=4)
    assert found is None, f"seed {found.seed}: {found.violation}"


@pytest.mark.parametrize("seed", [3, 30, 137])
def test_a_seed_replays_exactly(seed: int) -> None:
    first, second = run_seed(seed), run_seed(seed)
    assert first.events > 0
    assert first == second


def test_different_seeds_are_different_worlds() -> None:
    assert len({run_seed(seed).trace for seed in range(10)}) == 10


def test_a_seed_replays_exactly_in_another_process() -> None:
    script = "from sim.agreement.world import run_seed; print(run_seed(30).trace)"
    other = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert other.stdout.strip() == run_seed(30).trace
