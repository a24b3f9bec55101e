"""The laws of the dispatch stack: layers narrow, the reserve holds, the same inputs give the same command."""

from dataclasses import replace
from itertools import pairwise

from hypothesis import assume, given
from hypothesis import strategies as st

from devices.cell_clock import Instant
from devices.dispatch.cycle_record import CycleRecord, ReadBack, replays
from devices.dispatch.dispatch import DispatchInput, FollowPosition, Layer, NetToZero, SafeState, dispatch
from devices.json_codec import from_json, to_json
from devices.limits import PowerRange
from devices.power.allocation import PvInput
from devices.power.preparing import Preparing
from devices.power.reserve import BatteryInput, protected, reserved
from devices.response.fast_response import Arming, ResponseInput
from devices.response.response_curve import Effect
from devices.response.service_files import built_in_curves

powers = st.floats(0, 20_000)
wishes = st.one_of(
    st.builds(FollowPosition, st.floats(-1e6, 1e6)), st.just(NetToZero()), st.just(SafeState())
)


CURVES = built_in_curves()
SERVICES = [curve for curve in CURVES if curve.effect is Effect.ACTIVE_POWER]
DROOPS = [curve for curve in CURVES if curve.effect is not Effect.REACTIVE_POWER]
responses = st.builds(
    ResponseInput,
    st.none() | st.floats(44, 66),
    st.none() | st.floats(0.4, 1.6),
    st.lists(st.builds(Arming, st.sampled_from(SERVICES), powers, powers), max_size=2).map(tuple),
    st.lists(st.sampled_from(DROOPS), max_size=2).map(tuple),
)


preparings = st.builds(
    lambda parts, charge_w, discharge_w, limit_w, first: Preparing(
        min(parts), max(parts), charge_w, discharge_w, limit_w, first
    ),
    st.tuples(st.floats(0, 1), st.floats(0, 1)),
    powers,
    powers,
    st.none() | powers,
    st.booleans(),
)


@st.composite
def batteries(draw: st.DrawFn) -> BatteryInput:
    capacity_wh = draw(st.floats(100, 50_000))
    minimum_w = -draw(powers)
    return BatteryInput(
        name=f"battery-{draw(st.uuids())}",
        minimum_w=minimum_w,
        maximum_w=draw(powers),
        capacity_wh=capacity_wh,
        charge_efficiency=draw(st.floats(0.5, 1)),
        discharge_efficiency=draw(st.floats(0.5, 1)),
        reserve_wh=capacity_wh * draw(st.floats(0, 1)),
        reversion_w=minimum_w * draw(st.floats(0, 1)),
        stored_wh=draw(st.none() | st.floats(0, 1).map(lambda part: part * capacity_wh)),
        reserve_released=draw(st.booleans()),
    )


@st.composite
def inputs(draw: st.DrawFn) -> DispatchInput:
    maximum_w = draw(powers)
    load = sorted((-draw(powers), -draw(powers))) if draw(st.booleans()) else [-draw(powers)] * 2
    return DispatchInput(
        locked=draw(st.booleans()),
        curtailed=draw(st.booleans()),
        batteries=tuple(draw(st.lists(batteries(), max_size=3))),
        pv=tuple(
            PvInput(f"pv-{index}", maximum_w, part if part is None else part * maximum_w)
            for index, part in enumerate(draw(st.lists(st.none() | st.floats(0, 1), max_size=3)))
        ),
        load=PowerRange(load[0], load[1]),
        batteries_w=draw(st.none() | st.floats(-20_000, 20_000)),
        connection=PowerRange(-draw(powers), draw(powers)),
        wish=draw(wishes),
        horizon_s=draw(st.floats(0.1, 1000)),
        response=draw(responses),
        island=draw(st.none() | st.builds(lambda low, high: PowerRange(-low, high), powers, powers)),
        preparing=draw(st.none() | preparings),
    )


BATTERY = BatteryInput(
    name="battery",
    minimum_w=-3000.0,
    maximum_w=3000.0,
    capacity_wh=8000.0,
    charge_efficiency=0.95,
    discharge_efficiency=0.95,
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
    connection=PowerRange(-8000.0, 5000.0),
    wish=NetToZero(),
    horizon_s=0.3,
)


@given(inputs())
def test_no_layer_widens_what_the_layers_before_it_left(case: DispatchInput) -> None:
    layers = dispatch(case).layers
    assert [each.layer for each in layers] == list(Layer)[:5]
    for higher, lower in pairwise(layers):
        assert lower.left.within(higher.left)
    for each in layers:
        assert each.conflict == (not each.left.within(each.allowed))


@given(inputs())
def test_the_command_is_within_every_layer_that_does_not_contradict_a_higher_one(case: DispatchInput) -> None:
    decision = dispatch(case)
    for each in decision.layers:
        # The response may use what is withheld for it, and nothing else.
        if each.layer is Layer.ARMED_SERVICES and decision.offset_w:
            continue
        withheld = each.layer is Layer.CONNECTION and decision.offset_w
        assert withheld or each.left.contains(decision.power_w)
        assert each.conflict or each.allowed.contains(decision.power_w)
    assert not any(each.conflict for each in decision.layers[:4])


@given(inputs())
def test_every_battery_stays_within_its_own_protection_and_reserve(case: DispatchInput) -> None:
    setpoints = {each.name: each.power_w for each in dispatch(case).setpoints}
    for battery in case.batteries:
        power_w = setpoints[battery.name]
        assert protected(battery, case.horizon_s).contains(power_w)
        assert reserved(battery, case.horizon_s).contains(power_w)
        if battery.stored_wh is None or case.locked:
            assert power_w == 0


@given(inputs())
def test_the_shares_of_the_batteries_add_up_to_the_command(case: DispatchInput) -> None:
    decision = dispatch(case)
    names = {battery.name for battery in case.batteries}
    total_w = sum(each.power_w for each in decision.setpoints if each.name in names)
    assert abs(total_w - decision.power_w) < 1e-6


@given(inputs())
def test_pv_is_never_allowed_more_than_the_export_limit_leaves(case: DispatchInput) -> None:
    decision = dispatch(case)
    names = {each.name for each in case.pv}
    limits_w = sum(each.power_w for each in decision.setpoints if each.name in names)
    if case.curtailed:
        assert limits_w == 0
    assert limits_w <= max(0.0, case.connection.maximum_w - case.load.maximum_w - decision.power_w) + 1e-6


@given(inputs(), st.floats(0, 1e6))
def test_a_higher_position_never_lowers_the_command(case: DispatchInput, more_w: float) -> None:
    lower = dispatch(replace(case, wish=FollowPosition(100.0)))
    higher = dispatch(replace(case, wish=FollowPosition(100.0 + more_w)))
    assert lower.power_w <= higher.power_w


@given(inputs(), st.floats(0, 1))
def test_a_tighter_connection_never_allows_more(case: DispatchInput, part: float) -> None:
    # What is armed is withheld from what the connection leaves, so where that lies elsewhere it gives way.
    case = replace(case, response=replace(case.response, armed=()))
    connection = PowerRange(case.connection.minimum_w * part, case.connection.maximum_w * part)
    tight = dispatch(replace(case, connection=connection)).layers[-1]
    wide = dispatch(case).layers[-1]
    # What is unknown may be wider than the limits; then rest is all that is allowed, however tight they are.
    assume(tight.allowed.minimum_w < tight.allowed.maximum_w)
    assert tight.conflict or wide.conflict or tight.left.within(wide.left)


@given(inputs())
def test_a_recorded_cycle_replays_to_the_same_command_even_from_a_file(case: DispatchInput) -> None:
    read_back = (ReadBack("battery", 1.0, None, 2.0),)
    record = CycleRecord(Instant(1, 2), case, dispatch(case), read_back, settled=False)
    restored = from_json(CycleRecord, to_json(record))
    assert restored == record
    assert replays(restored)


def test_a_record_with_another_command_does_not_replay() -> None:
    decision = replace(dispatch(HOME), power_w=17.0)
    assert not replays(CycleRecord(Instant(1, 2), HOME, decision, (), settled=True))


def test_self_consumption_takes_what_load_and_sun_leave() -> None:
    decision = dispatch(HOME)
    assert (decision.power_w, decision.binding) == (-1500.0, Layer.SELF_CONSUMPTION)


def test_a_position_is_met_at_the_connection_beside_load_and_sun() -> None:
    decision = dispatch(replace(HOME, wish=FollowPosition(2500.0)))
    assert (decision.power_w, decision.binding) == (1000.0, Layer.POSITION)


def test_each_layer_that_binds_is_named() -> None:
    wish = FollowPosition(50_000.0)
    near_reserve = replace(BATTERY, stored_wh=1600.01)
    cases = {
        Layer.PROTECTION: replace(HOME, connection=PowerRange(-1e5, 1e5), wish=wish),
        Layer.RESERVE: replace(HOME, batteries=(near_reserve,), wish=wish),
        Layer.CONNECTION: replace(HOME, connection=PowerRange(-8000.0, 2000.0), wish=wish),
        Layer.SAFE_STATE: replace(HOME, wish=SafeState()),
    }
    assert {layer: dispatch(case).binding for layer, case in cases.items()} == {each: each for each in cases}


def test_at_the_export_limit_the_battery_charges_first_and_then_pv_is_curtailed() -> None:
    sunny = replace(HOME, pv=(PvInput("roof", 9000.0, 9000.0),), wish=FollowPosition(50_000.0))
    charging = dispatch(replace(sunny, connection=PowerRange(-8000.0, 6000.0), batteries_w=-2500.0))
    assert charging.power_w == -2500.0
    assert charging.setpoints[1].power_w == 9000.0
    curtailed = dispatch(replace(sunny, connection=PowerRange(-8000.0, 2000.0), batteries_w=-3000.0))
    assert curtailed.power_w == -3000.0
    assert curtailed.setpoints[1].power_w == 5500.0
    assert curtailed.limit_held


def test_charging_that_is_only_commanded_makes_no_room_for_pv() -> None:
    sunny = replace(HOME, pv=(PvInput("roof", 9000.0, 9000.0),), connection=PowerRange(-8000.0, 2000.0))
    assert dispatch(replace(sunny, batteries_w=0.0)).setpoints[1].power_w == 2500.0
    assert dispatch(replace(sunny, batteries_w=None)).setpoints[1].power_w == 0.0


def test_an_unknown_load_counts_worst_and_leaves_the_battery_in_its_safe_state() -> None:
    unknown = replace(HOME, load=PowerRange(-9000.0, 0.0), wish=FollowPosition(4000.0))
    decision = dispatch(unknown)
    assert decision.binding in (Layer.SAFE_STATE, Layer.CONNECTION)
    assert decision.layers[-1].allowed == PowerRange(-1000.0 + 0.0, 3000.0)


def test_a_load_beyond_the_import_limit_and_an_empty_battery_is_a_limit_not_held() -> None:
    empty = replace(BATTERY, stored_wh=0.0)
    heavy = replace(HOME, batteries=(empty,), pv=(), load=PowerRange(-9000.0, -9000.0))
    decision = dispatch(heavy)
    assert not decision.limit_held
    assert decision.layers[-1].conflict
    assert decision.power_w == 0


def test_zero_watts_is_a_limit_and_not_its_absence() -> None:
    closed = dispatch(replace(HOME, pv=(PvInput("roof", 9000.0, 0.0),), curtailed=True))
    assert closed.setpoints[1].power_w == 0
