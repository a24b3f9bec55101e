"""Protection and reserve, each by itself: both must close on the unknown, whichever stands before the other."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devices.limits import NOTHING, PowerRange
from devices.power.reserve import BatteryInput, protected, reserved

BATTERY = BatteryInput(
    name="battery",
    minimum_w=-3000.0,
    maximum_w=2000.0,
    capacity_wh=8000.0,
    charge_efficiency=0.9,
    discharge_efficiency=0.8,
    reserve_wh=2000.0,
    reversion_w=0.0,
    stored_wh=4000.0,
)
HOUR_S = 3600.0


def test_an_unknown_state_of_charge_closes_protection_and_the_reserve() -> None:
    unknown = replace(BATTERY, stored_wh=None)
    assert protected(unknown, 0.3) == NOTHING
    assert reserved(unknown, 0.3) == PowerRange(-3000.0, 0.0)


def test_far_from_every_bound_the_nameplate_holds() -> None:
    whole = PowerRange(-3000.0, 2000.0)
    assert protected(BATTERY, 0.3) == whole
    assert reserved(BATTERY, 0.3) == whole


def test_at_the_reserve_a_battery_may_only_charge() -> None:
    for stored_wh in (2000.0, 500.0, 0.0):
        assert reserved(replace(BATTERY, stored_wh=stored_wh), 0.3) == PowerRange(-3000.0, 0.0)


def test_full_and_empty_close_their_side() -> None:
    assert protected(replace(BATTERY, stored_wh=8000.0), 0.3) == PowerRange(0.0, 2000.0)
    assert protected(replace(BATTERY, stored_wh=0.0), 0.3) == PowerRange(-3000.0, 0.0)


@pytest.mark.parametrize(("stored_wh", "allowed_w"), [(2500.0, 400.0), (3250.0, 1000.0), (8000.0, 2000.0)])
def test_only_power_that_can_be_held_for_the_whole_horizon_is_allowed(
    stored_wh: float, allowed_w: float
) -> None:
    assert reserved(replace(BATTERY, stored_wh=stored_wh), HOUR_S).maximum_w == pytest.approx(allowed_w)


@given(st.floats(0, 8000), st.floats(0, 8000), st.floats(0.1, 1e5))
def test_more_stored_never_allows_less_discharge_nor_more_charge(
    stored_wh: float, other_wh: float, horizon_s: float
) -> None:
    less, more = (replace(BATTERY, stored_wh=each) for each in sorted((stored_wh, other_wh)))
    assert reserved(less, horizon_s).maximum_w <= reserved(more, horizon_s).maximum_w
    assert protected(less, horizon_s).maximum_w <= protected(more, horizon_s).maximum_w
    assert protected(less, horizon_s).minimum_w <= protected(more, horizon_s).minimum_w
