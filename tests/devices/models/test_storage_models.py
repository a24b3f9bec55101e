"""Storage models against closed forms: battery, flywheel, UPS, rack power unit, DC bus."""

import math
from dataclasses import replace

import pytest

from devices.models.daily_use import DailyUse
from devices.models.dc_bus import DcBus
from devices.models.flywheel import RADIANS_PER_S_PER_RPM, Flywheel
from devices.models.lithium_battery import LithiumBattery, calendar_rate, cycle_rate, ramped
from devices.models.model import Surroundings
from devices.models.rack_power_unit import RackPowerUnit, RackState, share
from devices.models.ups import Topology, Ups

AROUND = Surroundings(cell_ns=0)
OUTAGE = Surroundings(cell_ns=0, mains=False)
YEAR_S = 365 * 86_400
BATTERY = LithiumBattery(10_000.0, 5_000.0, 5_000.0, standby_w=0.0, ageing=0.0)


def test_a_cycle_loses_what_the_two_efficiencies_say() -> None:
    state, charged = BATTERY.step(BATTERY.begin(2_000.0), -1_000.0, AROUND, 3600.0)
    state, given = BATTERY.step(state, 5_000.0, AROUND, 950.0 * 0.95 / 5_000 * 3600)
    assert charged.terminal_w == -1_000.0
    assert charged.loss_w == pytest.approx(50.0)
    assert state.stored_wh == pytest.approx(2_000.0)
    assert given.terminal_w == 5_000.0


def test_charging_tapers_linearly_towards_full_and_ends_there() -> None:
    half_room = BATTERY.begin(9_500.0)
    admitted = BATTERY.status(half_room, AROUND).possible
    assert admitted.minimum_w == pytest.approx(-5_000.0 * (0.05 + 0.95 * 0.5))
    full = BATTERY.begin(10_000.0)
    assert BATTERY.status(full, AROUND).possible.minimum_w == 0.0
    assert BATTERY.step(full, -5_000.0, AROUND, 60.0)[1].terminal_w == 0.0


@pytest.mark.parametrize(
    ("cell_c", "charge", "discharge"),
    [(-1.0, 0.0, 1.0), (2.5, 0.5, 1.0), (44.0, 0.2, 1.0), (-20.0, 0.0, 0.0)],
)
def test_cold_and_heat_derate_the_power(cell_c: float, charge: float, discharge: float) -> None:
    state = replace(BATTERY.begin(5_000.0), temperature_c=cell_c)
    admitted = BATTERY.status(state, AROUND).possible
    assert admitted.minimum_w == pytest.approx(-5_000.0 * charge)
    assert admitted.maximum_w == pytest.approx(5_000.0 * discharge)


def test_cells_warm_towards_the_temperature_that_carries_their_losses_away() -> None:
    state = BATTERY.begin(2_000.0)
    cool = replace(state, temperature_c=20.0)
    after, flow = BATTERY.step(cool, -1_000.0, AROUND, 1800.0)
    settled_c = 20.0 + flow.loss_w * BATTERY.thermal_resistance_k_w
    time_constant_s = BATTERY.thermal_resistance_k_w * BATTERY.heat_capacity_j_k
    expected = settled_c + (20.0 - settled_c) * math.exp(-1800.0 / time_constant_s)
    assert after.temperature_c == pytest.approx(expected)


def test_a_resting_battery_ages_with_the_root_of_time_however_it_is_cut() -> None:
    battery = replace(BATTERY, ageing=1.0)
    state = replace(battery.begin(5_000.0), temperature_c=25.0)
    warm = Surroundings(cell_ns=0, ambient_c=25.0)
    for _ in range(100):
        state, _ = battery.step(state, 0.0, warm, YEAR_S / 100)
    assert state.calendar_loss == pytest.approx(1.2571e-5 * 0.60225 * math.sqrt(YEAR_S), rel=1e-3)


def test_cycles_age_with_the_root_of_equivalent_full_cycles() -> None:
    battery = replace(BATTERY, ageing=1.0, charge_efficiency=1.0, discharge_efficiency=1.0, taper_to=1.0)
    state = replace(battery.begin(1_000.0), temperature_c=25.0)
    for turn in range(200):
        wish_w = -5_000.0 if turn % 2 == 0 else 5_000.0
        for _ in range(8):
            state, _ = battery.step(state, wish_w, AROUND, 720.0)
    assert state.cycles == pytest.approx(80.0, rel=0.01)
    slow, fast = (
        cycle_rate(0.5, 0.1) * math.sqrt(state.cycles),
        cycle_rate(0.5, 0.8) * math.sqrt(state.cycles),
    )
    assert slow * 0.8 < state.cycle_loss < fast * 1.2


def test_warmth_and_charge_age_as_the_paper_says() -> None:
    assert calendar_rate(25.0, 0.5) == pytest.approx(1.2571e-5 * 0.60225)
    assert calendar_rate(45.0, 0.5) / calendar_rate(25.0, 0.5) == pytest.approx(1.544, rel=1e-3)
    assert calendar_rate(25.0, 1.0) > calendar_rate(25.0, 0.5) > calendar_rate(25.0, 0.0)


def test_a_ramp_has_the_mean_of_its_trapezium() -> None:
    assert ramped(0.0, 1000.0, 100.0, 20.0) == (750.0, 1000.0)
    assert ramped(0.0, 1000.0, 100.0, 5.0) == (250.0, 500.0)
    assert ramped(300.0, -1000.0, None, 5.0) == (-1000.0, -1000.0)


WHEEL = Flywheel()


def test_a_rotor_holds_half_inertia_times_speed_squared() -> None:
    top = 0.5 * 19.2 * (16_000 * RADIANS_PER_S_PER_RPM) ** 2 / 3600
    assert WHEEL.highest_wh == pytest.approx(top)
    assert 7_000 < top < 8_000
    assert WHEEL.nameplate.capacity_wh == pytest.approx(0.75 * top)
    assert WHEEL.speed_rad_s(top) == pytest.approx(16_000 * RADIANS_PER_S_PER_RPM)


def test_a_free_rotor_decays_exponentially() -> None:
    wheel = replace(WHEEL, bearings_w=0.0)
    state = wheel.begin(None)
    after, flow = wheel.step(state, 0.0, AROUND, 3600.0)
    decay = math.exp(-2 * wheel.drag_w_s2 / wheel.inertia_kg_m2 * 3600.0)
    assert after.rotor_wh == pytest.approx(state.rotor_wh * decay)
    assert flow.terminal_w == 0.0


def test_standby_at_full_speed_is_one_to_two_percent_of_the_rated_power() -> None:
    _, flow = WHEEL.step(WHEEL.begin(1e9), 0.0, AROUND, 1.0)
    assert 0.01 < flow.loss_w / WHEEL.discharge_w < 0.02


def test_the_electronics_follow_within_a_millisecond_as_a_first_order_lag() -> None:
    _, flow = WHEEL.step(WHEEL.begin(None), 100_000.0, AROUND, 0.0005)
    assert flow.terminal_w == pytest.approx(100_000.0 * math.exp(-1))
    after, _ = WHEEL.step(WHEEL.begin(None), 100_000.0, AROUND, 0.0025)
    assert after.power_w == pytest.approx(100_000.0 * (1 - math.exp(-5)))


def test_below_its_band_a_flywheel_gives_nothing_and_drag_goes_on() -> None:
    state = WHEEL.begin(0.0)
    after, flow = WHEEL.step(state, 50_000.0, AROUND, 60.0)
    assert flow.terminal_w == 0.0
    assert after.rotor_wh < WHEEL.lowest_wh
    assert WHEEL.status(after, AROUND).stored_wh == 0.0


def test_charging_never_drives_the_rotor_beyond_its_highest_speed() -> None:
    after, flow = WHEEL.step(WHEEL.begin(5_500.0), -100_000.0, AROUND, 3600.0)
    assert after.rotor_wh == pytest.approx(WHEEL.highest_wh)
    assert after.rotor_wh <= WHEEL.highest_wh * (1 + 1e-12)
    assert flow.terminal_w > -100_000.0


def ups(topology: Topology) -> Ups:
    return Ups(topology, 500.0, 100.0, 1_000.0, DailyUse(400.0), standby_w=0.0)


def test_double_conversion_bridges_without_a_gap_and_a_line_interactive_one_from_its_bus() -> None:
    double, line = ups(Topology.DOUBLE_CONVERSION), ups(Topology.LINE_INTERACTIVE)
    for device, from_bus_j in ((double, 0.0), (line, 400.0 * 0.006)):
        state = device.begin(None)
        after, flow = device.step(state, 0.0, OUTAGE, 1.0)
        assert (state.bus_wh - after.bus_wh) * 3600 == pytest.approx(from_bus_j)
        assert after.lost_wh == pytest.approx(0.0, abs=1e-15)
        assert flow.useful_w == pytest.approx(400.0)
        assert flow.terminal_w == flow.attached_w == 0.0


def test_a_bus_that_is_too_small_loses_the_rest_of_the_transfer() -> None:
    device = replace(ups(Topology.LINE_INTERACTIVE), bus_j=1.0)
    after, _ = device.step(device.begin(None), 0.0, OUTAGE, 1.0)
    assert after.lost_wh * 3600 == pytest.approx(400.0 * 0.006 - 1.0)


def test_a_ups_carries_its_load_until_it_is_empty() -> None:
    device = ups(Topology.DOUBLE_CONVERSION)
    state, seconds = device.begin(None), 0
    while state.lost_wh == 0:
        state, _ = device.step(state, 0.0, OUTAGE, 1.0)
        seconds += 1
    assert seconds - 1 == pytest.approx(500.0 * 0.93 / 400.0 * 3600, abs=1)


def test_an_overloaded_ups_does_not_carry_and_one_on_mains_does_not_feed_back() -> None:
    device = replace(ups(Topology.DOUBLE_CONVERSION), discharge_w=300.0)
    _, flow = device.step(device.begin(None), 0.0, OUTAGE, 1.0)
    assert flow.useful_w == 0.0
    strong = ups(Topology.DOUBLE_CONVERSION)
    _, flow = strong.step(strong.begin(None), 1_000.0, AROUND, 1.0)
    assert flow.terminal_w == 400.0
    assert flow.attached_w == pytest.approx(-400.0 / 0.95)


RACK = RackPowerUnit(60.0, 600.0, 1_500.0, DailyUse(0.0, ((8.0, 20.0, 800.0),)), low_load_w=100.0)


def test_a_rack_asks_below_one_threshold_and_offers_above_the_other_while_its_load_is_low() -> None:
    day = Surroundings(cell_ns=12 * 3_600 * 10**9)
    assert RACK.asks_w(RackState(0.39 * 60)) == 600.0
    assert RACK.asks_w(RackState(0.5 * 60)) == 0.0
    assert RACK.offers_w(RackState(0.9 * 60), AROUND) == 1_500.0
    assert RACK.offers_w(RackState(0.9 * 60), day) == 0.0
    assert RACK.offers_w(RackState(0.7 * 60), AROUND) == 0.0


def test_racks_on_a_bus_help_each_other_every_ten_milliseconds_until_nobody_asks() -> None:
    states = [RackState(10.0), RackState(58.0), RackState(59.0)]
    for _ in range(10_000):
        asked = tuple(RACK.asks_w(state) for state in states)
        offered = tuple(RACK.offers_w(state, AROUND) for state in states)
        shares = share(asked, offered)
        assert sum(shares) == pytest.approx(0.0, abs=1e-9)
        states = [
            RACK.step(state, moved_w, AROUND, 0.01)[0] for state, moved_w in zip(states, shares, strict=True)
        ]
    assert RACK.asks_w(states[0]) == 0.0
    assert all(state.stored_wh >= 0.8 * 60 - 0.1 for state in states[1:])


def test_one_full_assembly_on_a_bus_holds_none_of_the_others_back() -> None:
    bus = DcBus((BATTERY, BATTERY), 8_000.0, idle_w=0.0)
    state = (BATTERY.begin(10_000.0), BATTERY.begin(5_000.0))
    after, flow = bus.step(state, -3_000.0, AROUND, 60.0)
    assert flow.terminal_w == pytest.approx(-3_000.0)
    assert after[0].stored_wh == 10_000.0
    gained_wh = after[1].stored_wh - 5_000.0
    assert gained_wh == pytest.approx(3_000.0 / 60 * 0.98 * 0.97 * 0.95)


def test_a_bus_shares_by_what_each_assembly_can_give() -> None:
    small = replace(BATTERY, discharge_w=2_500.0)
    bus = DcBus((BATTERY, small), 8_000.0, idle_w=0.0)
    after, flow = bus.step((BATTERY.begin(5_000.0), small.begin(5_000.0)), 3_000.0, AROUND, 36.0)
    lost = [5_000.0 - one.stored_wh for one in after]
    assert flow.terminal_w == pytest.approx(3_000.0)
    assert lost[0] == pytest.approx(2 * lost[1])
    assert sum(lost) == pytest.approx(30.0 / (0.98 * 0.97 * 0.95))
