"""The dynamic program of the storage, against every possible plan, and the supply curve that it becomes."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from worlds import outlooks, preferences, storages

from market.bidders import storage_value
from market.bidders.preferences import Goal, Preferences
from market.bidders.storage_value import Reservoir, cases, grid_of, value_of_storage
from market.bidders.supply import joined, jumps
from market.bidding import Storage
from market.forecast import Outlook
from market.payloads import Step


def certain(buy: float, sell: float, surplus: float, carbon: float = 0.0) -> Outlook:
    return Outlook(round(buy), round(sell), (buy,), (sell,), (surplus,), carbon)


def best_plan(reservoir: Reservoir, horizon: list[Outlook], wanted: Preferences, start: int) -> float:
    """The best of all sequences of levels of the grid, each gone through by hand."""
    grid = grid_of(reservoir)
    best = -np.inf
    for plan in itertools.product(range(len(grid)), repeat=len(horizon)):
        total, level = 0.0, start
        for outlook, after in zip(horizon, plan, strict=True):
            change = grid[level] - grid[after]
            given_off = change * reservoir.efficiency if change > 0 else change / reservoir.efficiency
            if not -reservoir.most_charge - 1e-6 <= given_off <= reservoir.most_discharge + 1e-6:
                total = -np.inf
                break
            net = given_off + outlook.surplus[0]
            premium = wanted.premium(outlook.import_price, outlook.export_price)
            green = wanted.carbon_price * outlook.carbon
            price = outlook.sell[0] - premium if net > 0 else outlook.buy[0] + premium
            total += net * (price + green) - reservoir.wear * max(given_off, 0.0)
            level = after
        best = max(best, total)
    return float(best)


@settings(deadline=None, max_examples=30)
@given(
    st.lists(
        st.builds(
            certain,
            st.integers(200, 400).map(float),
            st.integers(0, 200).map(float),
            st.integers(-40, 40).map(float),
            st.integers(0, 3).map(float),
        ),
        min_size=1,
        max_size=4,
    ),
    st.sampled_from(list(Goal)),
    st.sampled_from([640_000, 810_000, 1_000_000]),
    st.sampled_from([0, 30]),
    st.integers(10, 60),
)
def test_the_program_finds_the_best_of_all_plans(
    horizon: list[Outlook], goal: Goal, efficiency: int, wear: int, power: int
) -> None:
    reservoir = Reservoir.of(Storage(40, 30, power, power, efficiency, wear))
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(storage_value, "LEAST_LEVELS", 5)
        patched.setattr(storage_value, "MOST_LEVELS", 5)
        value = value_of_storage(reservoir, horizon, Preferences(goal))
        for start in range(5):
            expected = best_plan(reservoir, horizon, Preferences(goal), start)
            assert value[start] == pytest.approx(expected, rel=1e-9, abs=1e-6)


@settings(deadline=None, max_examples=40)
@given(storages, st.lists(outlooks(), min_size=1, max_size=6), preferences)
def test_with_prices_that_are_not_negative_more_stored_energy_is_never_worth_less(
    storage: Storage, horizon: list[Outlook], wanted: Preferences
) -> None:
    """But for those who want no trade: they may have to sell what they can't keep, and count that as a loss."""
    if wanted.goal is Goal.INDEPENDENT:
        wanted = Preferences(floor=wanted.floor, cap=wanted.cap)
    value = value_of_storage(Reservoir.of(storage), horizon, wanted, day=4)
    assert np.isfinite(value).all()
    slack = 1e-9 * (1.0 + float(np.abs(value).max()))
    assert (np.diff(value) >= -slack).all()


def test_energy_left_at_the_end_is_worth_something_if_the_day_repeats() -> None:
    reservoir = Reservoir.of(Storage(0, 1_000, 1_000, 1_000))
    day = [certain(100, 10, 0), certain(300, 10, -2_000)]
    once = value_of_storage(reservoir, day, Preferences())
    again = value_of_storage(reservoir, day, Preferences(), day=2)
    assert once[-1] - once[0] == pytest.approx(1_000 * 100), "an empty one can be filled at 100 first"
    assert value_of_storage(reservoir, day[1:], Preferences(), day=0)[0] == -2_000 * 300
    assert again[-1] - again[0] >= once[-1] - once[0] - 1e-6


def test_a_battery_slower_than_a_step_of_the_grid_gets_a_finer_one() -> None:
    reservoir = Reservoir.of(Storage(500_000, 500_000, 5_000, 5_000))
    grid = grid_of(reservoir)
    assert grid[1] - grid[0] <= 5_000
    value = value_of_storage(reservoir, [certain(100, 0, 0), certain(300, 0, -10_000)], Preferences())
    assert value[0] > -10_000 * 300, "what was charged at 100 spares a purchase at 300"


def test_uncertainty_is_weighed() -> None:
    assert cases((1.0,), (2.0,)) == [((1.0, 2.0), 1.0)]
    spread = cases((1.0, 2.0, 3.0, 4.0, 5.0), (7.0,))
    assert [each for each, _ in spread] == [(1.0, 7.0), (2.0, 7.0), (3.0, 7.0), (4.0, 7.0), (5.0, 7.0)]
    assert sum(weight for _, weight in spread) == pytest.approx(1.0)


worths = st.lists(
    st.tuples(st.integers(-1000, 1000), st.integers(-(10**6), 10**6)),
    min_size=1,
    max_size=12,
    unique_by=lambda e: e[0],
).map(sorted)


@given(worths)
def test_at_every_price_the_supply_is_a_best_position(points: list[tuple[int, int]]) -> None:
    positions, worth = [each[0] for each in points], [float(each[1]) for each in points]
    lowest, steps = jumps(positions, worth, most=100)
    assert [step.price for step in steps] == sorted({step.price for step in steps})
    for price in {step.price + shift for step in steps for shift in (-1, 0, 1)} | {0}:
        supplied = lowest + sum(step.quantity for step in steps if step.price <= price)
        assert supplied in positions
        best = max(price * position + value for position, value in points)
        reached = price * supplied + worth[positions.index(supplied)]
        # A price is rounded up to a whole one: up to that much it may stay with the position before.
        assert reached >= best - (positions[-1] - positions[0])


def test_what_is_forbidden_is_no_corner() -> None:
    assert jumps([-5, 0, 5], [float("-inf"), 0.0, -50.0]) == (0, [Step(10, 5)])


@given(
    st.lists(
        st.builds(Step, st.integers(0, 100), st.integers(1, 9)),
        max_size=20,
        unique_by=lambda step: step.price,
    ),
    st.integers(1, 6),
)
def test_steps_are_joined_without_losing_energy_or_lowering_a_price(steps: list[Step], most: int) -> None:
    ordered = sorted(steps, key=lambda step: step.price)
    kept = joined(ordered, most)
    assert len(kept) == min(len(ordered), most)
    assert sum(step.quantity for step in kept) == sum(step.quantity for step in ordered)
    for price in range(-1, 102):
        assert sum(s.quantity for s in kept if s.price <= price) <= sum(
            s.quantity for s in ordered if s.price <= price
        )
