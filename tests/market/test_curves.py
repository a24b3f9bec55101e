"""Step curves: clipped, merged, and the same however their steps are dealt out."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from market import curves
from market.curves import HIGHEST_KEY, LOWEST_KEY, Curve, Ladder, Run, price_keys, run_of
from market.orders import OrderBook, Side


def ladder_of(rows: list[tuple[Side, int, int]]) -> Ladder:
    """A ladder at one place from side, price and quantity."""
    side, price, quantity = (np.array([row[column] for row in rows], np.int64) for column in range(3))
    book = OrderBook.from_arrays(price, quantity, side)
    return Ladder(book, price_keys(book), 1)


def curve_of(ladder: Ladder, parts: int = 1) -> Curve:
    """The curve of all steps, dealt out to this many runs."""
    runs = [run_of(ladder, np.arange(part, len(ladder.keys), parts)) for part in range(parts)]
    return Curve(ladder, -int(ladder.demand[0]), int(ladder.supply[0]), runs)


def test_a_bid_has_the_key_above_and_an_ask_the_key_below_the_grid_at_the_same_price() -> None:
    ladder = ladder_of([(Side.BUY, 5, 1), (Side.SELL, 5, 1), (Side.BUY, -5, 1), (Side.SELL, -5, 1)])
    assert ladder.keys.tolist() == [-20, -17, 20, 23]
    assert ladder.order.tolist() == [3, 2, 1, 0]


def test_a_limit_that_does_not_bind_leaves_every_key_free() -> None:
    curve = curve_of(ladder_of([(Side.BUY, 5, 4), (Side.SELL, 2, 3)]))
    assert curve.clip(-4, 3) == (LOWEST_KEY, HIGHEST_KEY)
    assert (curve.base, curve.top) == (-4, 3)


def test_clipping_cuts_the_steps_at_both_ends_and_tells_their_keys() -> None:
    ladder = ladder_of([(Side.SELL, 1, 4), (Side.SELL, 2, 4), (Side.BUY, 9, 5)])
    curve = curve_of(ladder)
    assert curve.clip(-3, 2) == (4, 8)
    # Net supply was -5, -1 after the first ask, 3 after the second, 8 after the bid's key.
    assert [run.rise_before(len(run.ranks)) for run in curve.runs] == [5]
    assert ladder.quantities.tolist()[:2] == [2, 3]


def test_a_limit_of_zero_leaves_the_keys_at_which_the_branch_is_balanced() -> None:
    curve = curve_of(ladder_of([(Side.BUY, 10, 1), (Side.SELL, 5, 1)]))
    assert curve.clip(0, 0) == (20, 43)
    assert curve.runs == []


rows = st.lists(
    st.tuples(st.sampled_from(Side), st.integers(-5, 5), st.integers(1, 9)), min_size=1, max_size=40
)
limits = st.lists(st.tuples(st.integers(0, 60), st.integers(0, 60)), min_size=1, max_size=4)


@pytest.mark.parametrize("small_run", [1, 4, 1_024])
def test_clipping_again_and_again_is_the_same_for_one_run_and_for_many(
    monkeypatch: pytest.MonkeyPatch, small_run: int
) -> None:
    monkeypatch.setattr(curves, "SMALL_RUN", small_run)

    @given(rows, limits, st.integers(2, 6))
    def check(drawn: list[tuple[Side, int, int]], clips: list[tuple[int, int]], parts: int) -> None:
        one, many = curve_of(ladder_of(drawn)), curve_of(ladder_of(drawn), parts)
        for lower, upper in clips:
            assert one.clip(-lower, upper) == many.clip(-lower, upper)
            assert (one.base, one.top) == (many.base, many.top)
            for curve in (one, many):
                assert curve.top - curve.base == sum(run.rise_before(len(run.ranks)) for run in curve.runs)

    check()


def test_runs_at_least_double_in_length() -> None:
    ladder = ladder_of([(Side.SELL, price, 1) for price in range(20_000)])
    lengths = (9_000, 5_000, 1_500, 1_400, 1_300, 1_000, 600, 150, 50)
    bounds = np.cumsum((0, *lengths)).tolist()
    runs: list[Run] = [run_of(ladder, np.arange(a, b)) for a, b in itertools.pairwise(bounds)]
    merged = sorted(len(run.ranks) for run in Curve(ladder, 0, 20_000, runs).runs)
    assert sum(merged) == 20_000
    assert all(long > 2 * short for short, long in itertools.pairwise(merged))
