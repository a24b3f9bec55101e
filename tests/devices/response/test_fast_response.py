"""The fast response: what is armed is withheld and then given, limits stay limits, recovery undoes nothing."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devices.dispatch.dispatch import DispatchInput, FollowPosition, Layer, NetToZero, dispatch
from devices.limits import PowerRange
from devices.power.allocation import PvInput
from devices.power.reserve import BatteryInput
from devices.response.fast_response import Arming, ResponseInput, armed_offset_w, recovery_w
from devices.response.service_files import find_curve

FCR = find_curve("fcr-ce")
CONTAINMENT = find_curve("gb-dynamic-containment")
LFSM_O = find_curve("en-50549-lfsm-o")
BATTERY = BatteryInput(
    name="battery",
    minimum_w=-3000.0,
    maximum_w=3000.0,
    capacity_wh=8000.0,
    charge_efficiency=1.0,
    discharge_efficiency=1.0,
    reserve_wh=1600.0,
    reversion_w=0.0,
    stored_wh=4000.0,
)
HOME = DispatchInput(
    locked=False,
    curtailed=False,
    batteries=(BATTERY,),
    pv=(PvInput("roof", 9000.0, 2000.0),),
    load=PowerRange(-500.0, -500.0),
    batteries_w=0.0,
    connection=PowerRange(-8000.0, 12_000.0),
    wish=FollowPosition(0.0),
    horizon_s=0.3,
)
frequencies = st.floats(47.5, 52.5)
powers = st.floats(0, 6000)


def armed(frequency_hz: float | None, up_w: float, down_w: float, wish_w: float = 1500.0) -> DispatchInput:
    """The home with containment armed, and a position for the battery: `wish_w` of its own."""
    response = ResponseInput(frequency_hz, 1.0, (Arming(CONTAINMENT, up_w, down_w),), ())
    return replace(HOME, response=response, wish=FollowPosition(wish_w + 1500.0))


def test_armed_headroom_is_withheld_from_the_position() -> None:
    decision = dispatch(armed(50.0, 1000.0, 500.0, wish_w=5000.0))
    assert (decision.power_w, decision.binding) == (2000.0, Layer.ARMED_SERVICES)
    decision = dispatch(armed(50.0, 1000.0, 500.0, wish_w=-5000.0))
    assert (decision.power_w, decision.binding) == (-2500.0, Layer.ARMED_SERVICES)


def test_the_response_is_added_to_what_is_followed() -> None:
    decision = dispatch(armed(49.5, 1000.0, 500.0, wish_w=5000.0))
    assert (decision.power_w, decision.offset_w, decision.binding) == (3000.0, 1000.0, Layer.FAST_RESPONSE)
    assert decision.response_w == 1000.0
    assert dispatch(armed(50.5, 1000.0, 500.0, wish_w=0.0)).power_w == -500.0
    assert dispatch(armed(49.99, 1000.0, 500.0, wish_w=100.0)).power_w == 100.0


@given(frequencies, powers, powers, st.floats(-8000, 8000))
def test_what_is_available_is_delivered_in_full(
    frequency_hz: float, up_w: float, down_w: float, wish_w: float
) -> None:
    before = dispatch(armed(50.0, up_w, down_w, wish_w))
    after = dispatch(armed(frequency_hz, up_w, down_w, wish_w))
    assert before.offset_w == 0
    assert after.armed_available == before.armed_available
    if before.armed_available:
        assert after.power_w - before.power_w == pytest.approx(after.offset_w, abs=1e-2)


@given(st.none() | st.floats(44, 56), powers, powers, st.floats(-8000, 8000))
def test_no_service_passes_reserve_protection_or_connection(
    frequency_hz: float | None, up_w: float, down_w: float, wish_w: float
) -> None:
    nearly = replace(BATTERY, stored_wh=1600.02)
    case = replace(armed(frequency_hz, up_w, down_w, wish_w), batteries=(nearly,))
    decision = dispatch(replace(case, connection=PowerRange(-1000.0, 1600.0)))
    assert decision.power_w <= 0.02 * 3600 / 0.3 + 1e-6
    assert -1000.0 <= decision.power_w + 1500.0 <= 1600.0


@given(frequencies, powers, powers)
def test_the_offset_is_never_more_than_is_armed(frequency_hz: float, up_w: float, down_w: float) -> None:
    inputs = ResponseInput(frequency_hz, None, (Arming(FCR, up_w, down_w),), ())
    assert -down_w <= armed_offset_w(inputs) <= up_w


def test_what_is_not_measured_asks_for_nothing() -> None:
    for frequency_hz in (None, 10.0, 400.0):
        decision = dispatch(armed(frequency_hz, 1000.0, 500.0))
        assert (decision.offset_w, decision.power_w) == (0.0, 1500.0)


def test_energy_that_a_service_must_sustain_is_not_for_the_market() -> None:
    # A quarter of an hour of 1000 W is 250 Wh; 240 Wh are above the reserve.
    short = replace(armed(50.0, 1000.0, 0.0), batteries=(replace(BATTERY, stored_wh=1840.0),))
    assert dispatch(short).power_w == 0.0
    assert not dispatch(short).armed_available
    assert dispatch(replace(short, batteries=(replace(BATTERY, stored_wh=1860.0),))).power_w == 1500.0
    unknown = dispatch(replace(short, batteries=(replace(BATTERY, stored_wh=None),)))
    assert (unknown.power_w, unknown.armed_available) == (0.0, False)


def test_a_mandatory_droop_moves_batteries_and_sun_without_arming() -> None:
    response = ResponseInput(50.7, 1.0, (), (LFSM_O,))
    decision = dispatch(replace(HOME, response=response, wish=FollowPosition(1500.0)))
    assert decision.power_w == pytest.approx(-600.0)
    assert decision.setpoints[1].power_w == pytest.approx(2000.0 - 0.2 * 9000.0)
    above = dispatch(replace(HOME, response=replace(response, frequency_hz=50.2)))
    assert above.offset_w == 0
    assert above.setpoints[1].power_w == 9000.0


def test_high_voltage_limits_what_is_injected() -> None:
    limits = (find_curve("ieee-1547-volt-watt"),)
    wish = FollowPosition(20_000.0)
    high = dispatch(replace(HOME, response=ResponseInput(None, 1.08, (), limits), wish=wish))
    assert high.power_w == pytest.approx(0.6 * 3000.0)
    assert high.setpoints[1].power_w == pytest.approx(0.6 * 9000.0)
    normal = dispatch(replace(HOME, response=ResponseInput(None, 1.0, (), limits), wish=wish))
    assert (normal.power_w, normal.setpoints[1].power_w) == (3000.0, 9000.0)


def test_a_spent_battery_recovers_slowly_beside_self_consumption() -> None:
    spent = replace(armed(50.0, 1000.0, 0.0), batteries=(replace(BATTERY, stored_wh=1600.0),))
    quiet = replace(spent, wish=NetToZero(), pv=(), load=PowerRange(0.0, 0.0))
    assert dispatch(quiet).power_w == pytest.approx(-200.0)
    low = replace(quiet.response, frequency_hz=49.9)
    assert dispatch(replace(quiet, response=low)).power_w >= 0
    high = replace(quiet.response, frequency_hz=50.1)
    assert dispatch(replace(quiet, response=high)).power_w == pytest.approx(-200.0)
    full = replace(quiet, batteries=(replace(BATTERY, stored_wh=1850.0),))
    assert dispatch(full).power_w == 0


@given(frequencies, powers, powers, st.floats(0, 8000))
def test_recovery_never_undoes_a_response(
    frequency_hz: float, up_w: float, down_w: float, stored_wh: float
) -> None:
    inputs = ResponseInput(frequency_hz, None, (Arming(CONTAINMENT, up_w, down_w),), (LFSM_O,))
    batteries = (replace(BATTERY, stored_wh=stored_wh),)
    recovered_w = recovery_w(inputs, batteries, 0.3)
    assert armed_offset_w(inputs) * recovered_w >= 0
    assert abs(recovered_w) <= 0.2 * max(up_w, down_w)
    if recovered_w:
        better = replace(BATTERY, stored_wh=stored_wh - recovered_w * 0.3 / 3600)
        after_w = recovery_w(inputs, (better,), 0.3)
        assert abs(after_w) <= abs(recovered_w) + 1e-6


def test_two_services_share_a_battery_without_meeting_in_one_headroom() -> None:
    response = ResponseInput(49.5, 1.0, (Arming(CONTAINMENT, 1000.0, 0.0), Arming(FCR, 500.0, 0.0)), ())
    decision = dispatch(replace(HOME, response=response, wish=FollowPosition(9000.0)))
    armed_layer = next(each for each in decision.layers if each.layer is Layer.ARMED_SERVICES)
    assert armed_layer.allowed.maximum_w == 1500.0
    assert (decision.offset_w, decision.power_w) == (1500.0, 3000.0)


def derated(part: float) -> BatteryInput:
    """The battery with so much of its power left by its health."""
    built = PowerRange(BATTERY.minimum_w, BATTERY.maximum_w)
    left = PowerRange(built.minimum_w * part, built.maximum_w * part)
    return replace(BATTERY, name="sick", minimum_w=left.minimum_w, maximum_w=left.maximum_w, built=built)


def test_headroom_is_withheld_from_what_health_leaves() -> None:
    half = replace(armed(50.0, 1000.0, 500.0, wish_w=5000.0), batteries=(derated(0.5),))
    assert (dispatch(half).power_w, dispatch(half).armed_available) == (500.0, True)
    low = replace(half, response=replace(half.response, frequency_hz=49.5))
    assert dispatch(low).power_w == 1500.0
    resting = replace(half, batteries=(derated(0.0),))
    assert (dispatch(resting).power_w, dispatch(resting).armed_available) == (0.0, False)


def test_a_battery_that_must_rest_backs_no_service() -> None:
    # 250 Wh are to be sustained, and only the resting battery has them.
    spent = replace(BATTERY, stored_wh=1600.0)
    case = armed(50.0, 1000.0, 0.0, wish_w=0.0)
    alone = dispatch(replace(case, batteries=(spent, derated(0.0))))
    assert not alone.armed_available
    assert dispatch(replace(case, batteries=(BATTERY, derated(0.0)))).armed_available
    unknown = replace(derated(0.0), stored_wh=None)
    assert dispatch(replace(case, batteries=(BATTERY, unknown))).armed_available


def test_a_mandatory_droop_counts_what_is_built_and_asks_no_more_than_is_left() -> None:
    response = ResponseInput(50.7, 1.0, (), (LFSM_O,))
    case = replace(HOME, response=response, wish=FollowPosition(1500.0))
    charging_only = replace(derated(1.0), maximum_w=0.0)
    assert dispatch(replace(case, batteries=(charging_only,))).power_w == pytest.approx(-600.0)
    assert dispatch(replace(case, batteries=(derated(0.1),))).power_w == pytest.approx(-300.0)


def test_a_battery_that_nothing_measures_is_feared_at_its_nameplate() -> None:
    blind = replace(HOME, batteries=(derated(0.0),), batteries_w=None, connection=PowerRange(-8000.0, 4000.0))
    assert dispatch(blind).setpoints[1].power_w == 4000.0 + 500.0 - 3000.0
