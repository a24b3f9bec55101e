"""The laws of the DER protocol for the replayed devices and the plain battery, and what they owe besides."""

import math
from collections.abc import Callable

import pytest

from devices.cell_clock import Instant
from devices.der import Der, Nameplate
from devices.image import DerKind, Quality
from devices.leases import Accepted, Lease, Refused
from devices.profiles import Series
from devices.simulated.battery import SimulatedBattery
from devices.simulated.load import SimulatedLoad
from devices.simulated.pv import SimulatedPv
from devices.swarm.virtual_battery import Part, VirtualBattery
from devices.trials.conformance import VirtualBench, examine

SECOND_NS = 10**9
START = Instant(10 * SECOND_NS, 0)
SERIES = Series.of((0, 3600 * SECOND_NS, 7200 * SECOND_NS), (2_000_000, 1_000_000))


def nameplate(kind: DerKind, minimum_w: float, maximum_w: float, capacity_wh: float | None) -> Nameplate:
    return Nameplate(kind, minimum_w, maximum_w, capacity_wh, 0.9, 0.9, None, 0.0)


def battery() -> Der:
    plate = nameplate(DerKind.BATTERY, -3000.0, 3000.0, 8000.0)
    return SimulatedBattery("battery", plate, 4000.0, 0.0, START)


def virtual_battery() -> Der:
    plate = nameplate(DerKind.BATTERY, -2000.0, 2000.0, 4000.0)
    members = (SimulatedBattery(name, plate, 3000.0, 0.0, START) for name in ("left", "right"))
    return VirtualBattery("both", tuple(Part(member, 500.0) for member in members))


def pv() -> Der:
    return SimulatedPv("roof", nameplate(DerKind.PV, 0.0, 3000.0, None), SERIES, 500.0, START)


def load() -> Der:
    return SimulatedLoad("house", nameplate(DerKind.LOAD, -3000.0, 0.0, None), SERIES, START)


DRIVERS: tuple[Callable[[], Der], ...] = (battery, virtual_battery, pv, load)
STEERABLE = (battery, virtual_battery, pv)


def after(seconds: float) -> Instant:
    passed_ns = round(seconds * SECOND_NS)
    return Instant(START.real_ns + passed_ns, passed_ns)


def lease(value: float, reversion: float = 0.0, sequence: int = 1, issued_s: float = 0.0) -> Lease[float]:
    issued_ns = after(issued_s).real_ns
    return Lease(value, reversion, issued_ns, issued_ns + SECOND_NS, "control", sequence)


@pytest.mark.parametrize("driver", DRIVERS)
def test_a_nameplate_admits_rest_and_an_image_names_the_device(driver: Callable[[], Der]) -> None:
    der = driver()
    assert der.nameplate.minimum_w <= 0 <= der.nameplate.maximum_w
    image = der.measure(after(1))
    assert (image.name, image.kind) == (der.name, der.nameplate.kind)


@pytest.mark.parametrize("driver", DRIVERS)
def test_readings_carry_their_time_and_are_finite_or_say_why_not(driver: Callable[[], Der]) -> None:
    image = driver().measure(after(1))
    readings = (
        image.power_w,
        image.setpoint_w,
        image.stored_wh,
        image.state_of_charge,
        image.available_w,
    )
    for reading in readings:
        assert reading.real_ns == after(1).real_ns
        assert (reading.value is None) == (reading.quality is not Quality.GOOD)
        assert reading.value is None or math.isfinite(reading.value)


@pytest.mark.parametrize("driver", DRIVERS)
def test_measured_power_is_within_the_nameplate(driver: Callable[[], Der]) -> None:
    der = driver()
    power_w = der.measure(after(1)).power_w.value
    assert power_w is not None
    assert der.nameplate.minimum_w <= power_w <= der.nameplate.maximum_w


@pytest.mark.parametrize("driver", DRIVERS)
def test_measuring_twice_at_one_moment_moves_no_energy(driver: Callable[[], Der]) -> None:
    der = driver()
    first = der.measure(after(5))
    assert der.measure(after(5)) == first


@pytest.mark.parametrize("driver", DRIVERS)
def test_how_often_a_device_is_measured_does_not_change_its_energy(driver: Callable[[], Der]) -> None:
    seldom, often = driver(), driver()
    for second in range(1, 30):
        often.measure(after(second))
    assert seldom.measure(after(30)).counter == often.measure(after(30)).counter


@pytest.mark.parametrize("driver", STEERABLE)
def test_a_setpoint_reads_back_and_the_power_follows(driver: Callable[[], Der]) -> None:
    der = driver()
    assert der.command(lease(400.0), START) == Accepted()
    image = der.measure(after(0.5))
    assert image.setpoint_w.value == 400.0
    assert image.power_w.value == 400.0


@pytest.mark.parametrize("driver", STEERABLE)
def test_the_driver_itself_ends_a_lease_and_holds_the_reversion(driver: Callable[[], Der]) -> None:
    der = driver()
    der.command(lease(400.0, reversion=100.0), START)
    before = der.measure(START).counter
    image = der.measure(after(3))
    assert image.setpoint_w.value == 100.0
    assert image.power_w.value == 100.0
    assert before is not None and image.counter is not None
    one_second_and_then_two = 400 * 10**12 + 2 * 100 * 10**12
    assert image.counter - before == one_second_and_then_two


@pytest.mark.parametrize("driver", STEERABLE)
@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, 1e9, -1e9])
def test_an_impossible_setpoint_is_refused_and_changes_nothing(
    driver: Callable[[], Der], value: float
) -> None:
    der = driver()
    der.command(lease(400.0), START)
    assert isinstance(der.command(lease(value, sequence=2), START), Refused)
    assert isinstance(der.command(lease(0.0, reversion=value, sequence=3), START), Refused)
    assert der.measure(START).setpoint_w.value == 400.0


@pytest.mark.parametrize("driver", STEERABLE)
def test_late_repeated_and_overlong_setpoints_are_refused(driver: Callable[[], Der]) -> None:
    der = driver()
    der.command(lease(400.0, sequence=5), START)
    assert isinstance(der.command(lease(300.0, sequence=4), START), Refused)
    assert isinstance(der.command(lease(300.0, sequence=6), after(2)), Refused)
    endless = Lease(300.0, 0.0, START.real_ns, START.real_ns + 3600 * SECOND_NS, "control", 7)
    assert isinstance(der.command(endless, START), Refused)


@pytest.mark.parametrize("driver", DRIVERS)
def test_a_driver_keeps_every_law(driver: Callable[[], Der]) -> None:
    assert examine(lambda: VirtualBench(driver(), START)) == ()


def test_a_must_run_load_takes_no_setpoint() -> None:
    assert isinstance(load().command(lease(0.0), START), Refused)


def test_before_the_first_command_the_reversion_holds() -> None:
    assert pv().measure(after(1)).power_w.value == 500.0
    assert battery().measure(after(1)).power_w.value == 0.0


@pytest.mark.parametrize("driver", [pv, load])
def test_outside_its_profile_a_replayed_device_is_unknown_and_not_zero(driver: Callable[[], Der]) -> None:
    image = driver().measure(after(9000))
    assert image.power_w.value is None
    assert image.counter is None
