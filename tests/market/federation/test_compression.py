"""Curves in a bounded number of steps: what they cost is stated, and what is stated holds."""

import os

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from random_federations import federations, lossy_federations

from market.errors import OrderError
from market.federation.cell_curve import CellCurve
from market.federation.compression import compressed, loss_bound
from market.federation.federation import Federation, clear_federation, flat
from market.losses import SCALE

EXAMPLES = int(os.environ.get("WATTSWARM_SOAK", "0")) or 40


@st.composite
def curves(draw: st.DrawFn) -> CellCurve:
    keys = draw(st.lists(st.integers(-30, 60), unique=True, min_size=1, max_size=24))
    quantities = [draw(st.integers(1, 40)) for _ in keys]
    base = -draw(st.integers(0, sum(quantities)))
    rows = sorted(4 * (key // 2) + 3 * (key % 2) for key in keys)
    return CellCurve(base, np.array(rows, np.int64), np.array(quantities, np.int64))


def cost(curve: CellCurve, flow: int) -> int:
    """What injecting a flow costs the cell, counted unit by unit from no flow; negative where it pays."""
    units = np.repeat(curve.keys >> 2, curve.quantities).tolist()
    return sum(units[-curve.base : flow - curve.base]) - sum(units[flow - curve.base : -curve.base])


@settings(max_examples=EXAMPLES, deadline=None)
@given(curves(), st.integers(2, 12))
def test_a_compressed_curve_is_short_and_reaches_as_far(curve: CellCurve, steps: int) -> None:
    short = compressed(curve, steps)
    assert len(short.keys) <= max(steps, 2)
    assert (short.base, short.top) == (curve.base, curve.top)


@settings(max_examples=EXAMPLES, deadline=None)
@given(curves(), st.integers(2, 12))
def test_a_cell_never_trades_below_what_its_energy_is_worth_inside(curve: CellCurve, steps: int) -> None:
    short = compressed(curve, steps)
    exact = np.repeat(curve.keys, curve.quantities)
    told = np.repeat(short.keys, short.quantities)
    assert bool((told[: -curve.base] <= exact[: -curve.base]).all())
    assert bool((told[-curve.base :] >= exact[-curve.base :]).all())


@settings(max_examples=EXAMPLES, deadline=None)
@given(curves(), st.integers(2, 12))
def test_what_a_compressed_curve_hides_at_any_flow_is_within_what_it_says(
    curve: CellCurve, steps: int
) -> None:
    short = compressed(curve, steps)
    hidden = [cost(short, flow) - cost(curve, flow) for flow in range(curve.base, curve.top + 1)]
    assert min(hidden) >= 0
    assert max(hidden) == short.hidden


@settings(max_examples=EXAMPLES, deadline=None)
@given(curves(), st.integers(2, 12), st.integers(-20, 40))
def test_at_any_price_a_cell_loses_at_most_what_is_stated(curve: CellCurve, steps: int, price: int) -> None:
    short = compressed(curve, steps)
    assert 0 <= short.lost <= loss_bound(curve, steps)
    flows = range(curve.base, curve.top + 1)
    best = max(price * flow - cost(curve, flow) for flow in flows)
    wished = max(price * flow - cost(short, flow) for flow in flows)
    for flow in flows:
        if price * flow - cost(short, flow) == wished:
            assert best - (price * flow - cost(curve, flow)) <= short.lost


@settings(max_examples=EXAMPLES, deadline=None)
@given(federations(levels=2, most=16), st.integers(2, 5))
def test_two_levels_lose_at_most_what_the_curves_say(federation: Federation, steps: int) -> None:
    check_loss(federation, steps)


@settings(max_examples=EXAMPLES, deadline=None)
@given(federations(levels=3, most=16), st.integers(2, 5))
def test_three_levels_lose_at_most_what_the_curves_say(federation: Federation, steps: int) -> None:
    check_loss(federation, steps)


def check_loss(federation: Federation, steps: int) -> None:
    """Welfare less fees against the flat market's, and the rent of nobody below zero."""
    together, apart = flat(federation).clear(), clear_federation(federation, steps)
    loss = (together.welfare - together.fees) - (apart.welfare - apart.fees)
    assert 0 <= loss <= apart.lost
    assert all(each.clearing.rent >= 0 for each in apart.cells)


@settings(max_examples=EXAMPLES, deadline=None)
@given(
    lossy_federations(levels=2, most=12, lowest=0) | lossy_federations(levels=3, lowest=0), st.integers(2, 5)
)
def test_with_losses_they_lose_at_most_that_and_what_rounding_may(federation: Federation, steps: int) -> None:
    market, apart = flat(federation), clear_federation(federation, steps)
    together = market.clear()
    keys = [*together.keys, *(key for each in apart.cells for key in each.clearing.keys)]
    if min(keys) < 0:
        return
    # Whatever the best plan in real numbers is, no more crosses a branch than all orders together have.
    energy, price = int(market.book.quantity.sum()), max(keys) // 4 + 1
    rounding = sum(
        (2 * energy + price) * SCALE // (SCALE - branch.loss) + 1 for branch in market.feeder.branches
    )
    lost = (together.welfare - together.fees) - (apart.welfare - apart.fees)
    assert -rounding <= lost <= apart.lost + rounding


def test_a_curve_that_is_short_enough_stays_as_it_is() -> None:
    curve = CellCurve(-3, np.array([0, 7], np.int64), np.array([4, 5], np.int64))
    assert compressed(curve, 2) is curve


def test_fewer_than_two_steps_are_refused() -> None:
    curve = CellCurve(-3, np.array([0, 7], np.int64), np.array([4, 5], np.int64))
    with pytest.raises(OrderError, match="1 steps are too few"):
        compressed(curve, 1)


def test_the_groups_are_where_they_cost_least() -> None:
    # Two heaps of prices: with two steps each heap becomes one, whatever the energies.
    keys = np.array([4 * price for price in (10, 11, 12, 30, 31)], np.int64)
    short = compressed(CellCurve(0, keys, np.array([5, 1, 5, 7, 2], np.int64)), 2)
    assert (short.keys.tolist(), short.quantities.tolist()) == ([48, 124], [11, 9])
    assert (short.lost, short.hidden) == (5 * 2 + 1, 11 + 7)


@pytest.mark.parametrize(
    ("base", "keys", "quantities", "mistake"),
    [
        (1, [0], [4], "must contain zero"),
        (-9, [0], [4], "must contain zero"),
        (0, [4, 4], [1, 1], "do not ascend"),
        (0, [1], [1], "neither an ask's nor a bid's"),
        (0, [0], [0], "must be positive"),
        (0, [0, 4], [2**61, 2**61], "sum to at most"),
        (0, [2**40], [1], "beyond"),
        (0, [0, 4], [1], "one quantity for each key"),
    ],
)
def test_what_is_no_curve_is_refused(base: int, keys: list[int], quantities: list[int], mistake: str) -> None:
    with pytest.raises(OrderError, match=mistake):
        CellCurve(base, np.array(keys, np.int64), np.array(quantities, np.int64))
