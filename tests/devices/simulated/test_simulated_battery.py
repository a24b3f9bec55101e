"""The simulated battery's physics: no energy appears, none vanishes."""

from hypothesis import given
from hypothesis import strategies as st

from devices.cell_clock import Instant
from devices.der import Nameplate
from devices.image import DerKind
from devices.leases import Lease
from devices.simulated.battery import PICOJOULES_PER_WH, SimulatedBattery

SECOND_NS = 10**9
CAPACITY_WH = 1000.0


def build(ramp_w_per_s: float | None, efficiency: float, stored_wh: float) -> SimulatedBattery:
    plate = Nameplate(
        DerKind.BATTERY, -2000.0, 3000.0, CAPACITY_WH, efficiency, efficiency, ramp_w_per_s, 0.0
    )
    return SimulatedBattery("battery", plate, stored_wh, 0.0, Instant(0, 0))


commands = st.lists(st.tuples(st.floats(-2000, 3000), st.floats(0.01, 3.0)), min_size=1, max_size=12)


@given(commands, st.none() | st.floats(1, 1e4), st.floats(0.5, 1), st.floats(0, CAPACITY_WH))
def test_no_energy_appears_and_none_vanishes_but_by_the_efficiency(
    steps: list[tuple[float, float]], ramp: float | None, efficiency: float, stored_wh: float
) -> None:
    battery = build(ramp, efficiency, stored_wh)
    speed = 600
    real_ns = 0
    held_wh, counter = stored_wh, 0
    for sequence, (power_w, seconds) in enumerate(steps):
        now = Instant(real_ns, real_ns * speed)
        lease = Lease(power_w, 0.0, real_ns, real_ns + SECOND_NS, "test", sequence)
        battery.command(lease, now)
        real_ns += round(seconds * SECOND_NS)
        image = battery.measure(Instant(real_ns, real_ns * speed))
        assert image.stored_wh.value is not None and image.counter is not None
        assert 0 <= image.stored_wh.value <= CAPACITY_WH
        given_wh = (image.counter - counter) / PICOJOULES_PER_WH
        taken_from_store_wh = held_wh - image.stored_wh.value
        # Losses only: what leaves the store is at least what arrives, and at most what the efficiency allows.
        low, high = sorted((given_wh / efficiency, given_wh * efficiency))
        if ramp is None and seconds <= 1:
            expected_wh = given_wh / efficiency if given_wh > 0 else given_wh * efficiency
            assert abs(taken_from_store_wh - expected_wh) < 1e-6
        assert taken_from_store_wh >= given_wh - 1e-6
        assert ramp is not None or low - 1e-6 <= taken_from_store_wh <= high + 1e-6
        held_wh, counter = image.stored_wh.value, image.counter


def test_an_empty_battery_gives_nothing_and_says_so() -> None:
    battery = build(None, 0.9, 10.0)
    battery.command(Lease(3000.0, 0.0, 0, SECOND_NS, "test", 1), Instant(0, 0))
    image = battery.measure(Instant(SECOND_NS // 2, 3600 * SECOND_NS))
    assert image.stored_wh.value == 0.0
    assert image.power_w.value == 0.0
    assert image.counter == int(9.0 * PICOJOULES_PER_WH)


def test_a_ramp_limits_how_fast_power_moves() -> None:
    battery = build(100.0, 1.0, 500.0)
    battery.command(Lease(1000.0, 0.0, 0, 60 * SECOND_NS, "test", 1), Instant(0, 0))
    half_way = battery.measure(Instant(5 * SECOND_NS, 5 * SECOND_NS))
    assert half_way.power_w.value == 500.0
    assert half_way.counter == 1250 * 10**12
    assert battery.measure(Instant(20 * SECOND_NS, 20 * SECOND_NS)).power_w.value == 1000.0


def test_an_empty_battery_under_a_tiny_setpoint_costs_no_time() -> None:
    battery = build(10_000.0, 0.9, 0.0)
    battery.command(Lease(1e-5, 0.0, 0, 60 * SECOND_NS, "test", 1), Instant(0, 0))
    image = battery.measure(Instant(SECOND_NS, 3600 * SECOND_NS))
    assert (image.counter, image.power_w.value) == (0, 0.0)
