"""What benchmarks say of a loop: its periods, its jitter, and the passes that were made besides."""

import subprocess
import sys
import time
from collections.abc import Sequence
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sim.measuring.bare_loop import passes
from sim.measuring.pace import NS_PER_MS, Spread, first_after, pace, spread, without_extra

PERIOD_NS = 10 * NS_PER_MS


def test_the_pace_of_an_even_loop_has_no_jitter() -> None:
    found = pace(range(0, 100 * PERIOD_NS, PERIOD_NS), PERIOD_NS)
    assert found.passes == 100
    assert found.period_ms == Spread(10.0, 10.0, 10.0)
    assert found.jitter_ms == Spread(0.0, 0.0, 0.0)


def test_a_late_pass_is_jitter_of_two_periods() -> None:
    found = pace([0, PERIOD_NS, 2 * PERIOD_NS + 3 * NS_PER_MS, 3 * PERIOD_NS, 4 * PERIOD_NS], PERIOD_NS)
    assert found.jitter_ms == Spread(0.0, 3.0, 3.0)
    assert found.period_ms.max == 13.0


@given(st.lists(st.integers(0, 1000), min_size=1, max_size=300))
def test_at_most_one_value_in_a_hundred_is_above_the_99th_percentile(values: list[int]) -> None:
    found = spread(values)
    assert sum(value > found.p99 for value in values) * 100 <= len(values)
    assert found.p50 <= found.p99 <= found.max == max(values)


@pytest.mark.parametrize(
    ("times", "kept"),
    [
        ((0, 10, 14, 20, 30), (0, 10, 20, 30)),
        ((0, 10, 20, 30), (0, 10, 20, 30)),
        ((14, 20, 30), (14, 20, 30)),
    ],
)
def test_only_a_pass_in_the_middle_of_a_period_is_one_besides(
    times: Sequence[int], kept: Sequence[int]
) -> None:
    assert without_extra([time * NS_PER_MS for time in times], [14 * NS_PER_MS], PERIOD_NS) == [
        time * NS_PER_MS for time in kept
    ]


def test_the_first_time_that_is_not_before_a_moment() -> None:
    assert [first_after(moment, (3, 5)) for moment in (0, 3, 4, 6)] == [3, 3, 5, None]


def test_a_bare_loop_never_passes_early() -> None:
    began = time.monotonic_ns()
    seen = passes(NS_PER_MS, 20 * NS_PER_MS)
    assert all(at >= began + number * NS_PER_MS for number, at in enumerate(seen, 1))
    assert all(later > earlier for earlier, later in pairwise(seen))
    command = [sys.executable, "-m", "sim.measuring.bare_loop", "1", "0.01"]
    assert subprocess.run(command, check=True, capture_output=True).stdout.startswith(b"[")
