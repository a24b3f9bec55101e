"""Flexible loads: circuits, lights, sockets, cars, heat pumps, appliances; they obey limits and meet deadlines."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devices.models.appliance import Appliance
from devices.models.daily_use import DailyUse, hours_until, within
from devices.models.dc_socket import DcSocket, SocketState
from devices.models.ev_charger import CarState, EvCharger
from devices.models.heat_pump import HeatPump, HeatState
from devices.models.load_circuit import LoadCircuit
from devices.models.model import AnyModel, Surroundings
from devices.models.usb_power_delivery import FixedSupply, Request, contract_w, offered, requested
from devices.tier import Tier

HOUR_NS = 3_600 * 10**9
STEP_NS = 10 * 10**9


def at(hour: float) -> Surroundings:
    return Surroundings(cell_ns=round(hour * HOUR_NS), ambient_c=5.0)


def waits_as_long_as_it_may(model: AnyModel, from_h: float, to_h: float) -> tuple[object, list[float]]:
    """Give each step only what the device says cannot be put off."""
    state, powers = model.begin(None), []
    for moment_ns in range(round(from_h * HOUR_NS), round(to_h * HOUR_NS), STEP_NS):
        around = Surroundings(cell_ns=moment_ns, ambient_c=5.0)
        needed_w = model.status(state, around).possible.maximum_w
        state, flow = model.step(state, needed_w, around, 10.0)
        powers.append(flow.terminal_w)
    return state, powers


def test_spans_of_a_day_may_pass_midnight() -> None:
    use = DailyUse(100.0, ((22.0, 6.0, 50.0), (7.0, 8.0, 1000.0)))
    assert [use.at_hour(hour) for hour in (23.0, 3.0, 6.0, 7.5)] == [150.0, 150.0, 100.0, 1100.0]
    assert use.most_w == 1100.0
    assert within(12.0, 5.0, 5.0)
    assert hours_until(23.0, 1.0) == 2.0
    assert hours_until(1.0, 1.0) == 24.0


def test_a_circuit_switches_and_a_light_dims_down_to_its_lowest_level() -> None:
    circuit = LoadCircuit(DailyUse(200.0), efficiency=0.96)
    lights = LoadCircuit(DailyUse(200.0), standby_w=0.5, lowest_level=0.1)
    whole_w = 200.0 / 0.96
    assert circuit.step(None, -whole_w, at(0), 1.0)[1].terminal_w == pytest.approx(-whole_w)
    assert circuit.step(None, -whole_w + 1, at(0), 1.0)[1].terminal_w == 0.0
    assert lights.step(None, -100.5, at(0), 1.0)[1].useful_w == pytest.approx(100.0)
    assert lights.step(None, -10.0, at(0), 1.0)[1].terminal_w == -0.5
    assert lights.step(None, 0.0, at(0), 1.0)[1].terminal_w == 0.0


def test_only_a_deferrable_circuit_can_wait() -> None:
    use = DailyUse(200.0)
    assert LoadCircuit(use, Tier.CRITICAL).status(None, at(0)).possible.maximum_w == -200.0
    assert LoadCircuit(use, Tier.DEFERRABLE).status(None, at(0)).possible.maximum_w == 0.0


CAR = EvCharger(7_360.0, 50_000.0, arrives_h=18.0, departs_h=7.0, arrival_state_of_charge=0.3)


def test_a_car_that_waits_as_long_as_it_may_is_ready_by_its_deadline() -> None:
    state, powers = waits_as_long_as_it_may(CAR, 18.0, 31.0 - 5 / 3600)
    assert isinstance(state, CarState)
    assert state.car_wh == pytest.approx(0.9 * 50_000, rel=1e-3)
    assert powers[0] == 0.0
    assert sum(power < 0 for power in powers) * 10 / 3600 == pytest.approx(30_000 / 0.9 / 7_360, rel=0.2)


def test_below_the_minimum_current_a_car_pauses() -> None:
    state = CAR.begin(None)
    assert CAR.least_w == 1380.0
    assert CAR.step(state, -1379.0, at(20), 10.0)[1].terminal_w == 0.0
    assert CAR.step(state, -1380.0, at(20), 10.0)[1].terminal_w == -1380.0


def test_a_car_that_is_away_draws_nothing_and_comes_back_with_its_arrival_charge() -> None:
    gone, flow = CAR.step(CarState(40_000.0), -7_360.0, at(8), 10.0)
    assert (gone.car_wh, flow.terminal_w) == (None, 0.0)
    back, _ = CAR.step(gone, 0.0, at(18), 10.0)
    assert back.car_wh == 15_000.0


def test_a_car_that_cannot_be_deferred_needs_all_at_once() -> None:
    urgent = replace(CAR, deferrable=False)
    assert urgent.status(urgent.begin(None), at(18.5)).possible.maximum_w == -7_360.0
    assert CAR.status(CAR.begin(None), at(18.5)).possible.maximum_w == 0.0


def test_an_appliance_that_waits_as_long_as_it_may_is_done_by_its_deadline() -> None:
    dishwasher = Appliance(ready_h=20.0, deadline_h=6.0)
    state, powers = waits_as_long_as_it_may(dishwasher, 20.0, 30.0 - 1 / 3600)
    assert getattr(state, "done_s", None) == pytest.approx(dishwasher.lasts_s)
    assert all(power == -0.5 for power in powers[: round((10 * 3600 - dishwasher.lasts_s) / 10) - 5])


def test_an_appliance_pauses_within_its_programme_and_goes_on() -> None:
    dishwasher = Appliance(ready_h=20.0, deadline_h=6.0)
    state = dishwasher.begin(None)
    for _ in range(121):
        state, _ = dishwasher.step(state, -2_000.0, at(21), 10.0)
    paused, flow = dishwasher.step(state, -100.0, at(21), 10.0)
    assert paused == state
    assert flow.terminal_w == -0.5
    assert dishwasher.step(paused, -2_000.0, at(21), 10.0)[1].terminal_w == -1_900.5


PUMP = HeatPump(2_000.0, 300.0, DailyUse(1_000.0))


def test_a_thermostat_has_its_hysteresis() -> None:
    state, flow = PUMP.step(HeatState(46.0), -2_005.0, at(0), 10.0)
    assert (state.calling, flow.terminal_w) == (False, -5.0)
    state, flow = PUMP.step(HeatState(44.9), -2_005.0, at(0), 10.0)
    assert (state.calling, flow.terminal_w) == (True, -2_005.0)
    state, flow = PUMP.step(HeatState(50.0, calling=True), -2_005.0, at(0), 10.0)
    assert flow.terminal_w == -2_005.0


def test_a_heat_pump_gives_a_part_of_carnot() -> None:
    _, flow = PUMP.step(HeatState(44.0), -2_005.0, at(0), 10.0)
    assert (flow.source_w + 2_000.0) / 2_000.0 == pytest.approx(0.45 * (44.0 + 273.15) / 39.0)


def test_heating_can_wait_until_the_comfort_limit() -> None:
    assert PUMP.status(HeatState(43.0), at(0)).possible.maximum_w == -5.0
    assert PUMP.status(HeatState(41.9), at(0)).possible.maximum_w == -2_005.0


def test_a_store_that_only_stands_cools_as_newton_says() -> None:
    still = replace(PUMP, use=DailyUse(0.0))
    state = HeatState(50.0)
    for _ in range(8_640):
        state, _ = still.step(state, 0.0, at(0), 10.0)
    expected = 18.0 + 32.0 * 2.718281828 ** (-2.0 * 24 / (300 * 1.163))
    assert state.store_c == pytest.approx(expected, rel=1e-3)


@given(millivolt=st.integers(1, 1023), milliampere=st.integers(0, 1023))
def test_a_fixed_supply_object_survives_encoding(millivolt: int, milliampere: int) -> None:
    supply = FixedSupply(millivolt * 50, milliampere * 10)
    assert FixedSupply.decoded(supply.encoded()) == supply


def test_known_words_of_power_delivery() -> None:
    assert FixedSupply(5_000, 3_000).encoded() == 0x0001912C
    assert FixedSupply.decoded(0x000641F4) == FixedSupply(20_000, 5_000)
    assert FixedSupply.decoded(0xC0DC213C) is None
    request = Request(2, 3_000, 3_000)
    assert Request.decoded(request.encoded()) == request
    assert Request.decoded(0) is None


@given(limit_w=st.floats(0, 240), wanted_w=st.floats(0.1, 240))
def test_no_contract_is_above_what_the_source_may_give(limit_w: float, wanted_w: float) -> None:
    supplies = offered(limit_w)
    request = requested(wanted_w, supplies)
    if request is None:
        assert limit_w < 0.5 + 1e-9
        return
    assert contract_w(request, supplies) <= limit_w + 1e-9
    assert request.mismatch == (wanted_w > max(supply.power_w for supply in supplies))


SOCKET = DcSocket(100.0, DailyUse(20.0), 60.0, 45.0, defer_above=0.5)


def test_a_socket_gives_what_is_requested_and_charges_with_the_rest() -> None:
    state, flow = SOCKET.step(SocketState(30.0), -200.0, at(0), 3600.0 / 100)
    assert flow.useful_w == pytest.approx(20.0)
    assert (state.device_wh - 30.0) * 100 == pytest.approx(45.0 * 0.95)
    assert flow.terminal_w == pytest.approx(-65.0 / 0.92 - 0.3)


def test_charging_waits_only_above_what_the_owner_permits() -> None:
    above = SOCKET.status(SocketState(31.0), at(0)).possible
    below = SOCKET.status(SocketState(29.0), at(0)).possible
    assert above.maximum_w == pytest.approx(-20.0 / 0.92 - 0.3)
    assert below.maximum_w == below.minimum_w == above.minimum_w


def test_without_a_contract_the_device_runs_on_its_own_battery() -> None:
    state, flow = SOCKET.step(SocketState(30.0), 0.0, at(0), 360.0)
    assert flow.terminal_w == 0.0
    assert flow.useful_w == pytest.approx(20.0)
    assert state.device_wh == pytest.approx(28.0)
