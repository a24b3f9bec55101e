"""Devices that fail break no law of safety; a control or a device that is made unsafe on purpose is found out."""

from collections.abc import Callable

import pytest

from devices.cell_clock import Instant
from devices.dispatch import dispatch
from devices.drivers import held_setpoint
from devices.drivers.held_setpoint import HeldSetpoint
from devices.leases import Accepted, Lease
from devices.limits import PowerRange
from devices.models.catalogue import TYPES
from devices.opening.simulated_devices import build_ders
from devices.power.reserve import BatteryInput
from devices.response.service_files import find_curve
from devices.trials.conformance import VirtualBench, examine
from sim.device_faults.faulty_der import Fault, FaultyDer
from sim.device_faults.search import main, search, shown
from sim.device_faults.sites import DEVICES, node_of
from sim.device_faults.world import FaultyWorld, Report

CURVES = (find_curve("fcr-ce"),)


def test_no_fault_of_a_device_breaks_a_law() -> None:
    report = search(0, 6, cycles=60)
    assert not report.broken
    assert {fault for _, fault in report.faults} == {fault.value for fault in Fault}
    assert report.cycles == 360
    text = shown(report)
    assert f"{sum(report.faults.values())} faults, 0 violations" in text


def test_a_seed_is_a_world() -> None:
    runs = [FaultyWorld(seed, CURVES).run(30) for seed in (3, 3, 4)]
    assert runs[0] == runs[1]
    assert runs[0].faults != runs[2].faults


def found(seeds: range) -> Report:
    """The first world with a violation, or the last."""
    report = Report()
    for seed in seeds:
        report = FaultyWorld(seed, CURVES).run(120)
        if report.broken:
            break
    return report


def everything(battery: BatteryInput, horizon_s: float) -> PowerRange:
    """What a control that knows neither reserve nor unknowns lets a battery do."""
    return PowerRange(battery.minimum_w, battery.maximum_w)


def plant_no_limits(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(dispatch, "protected", everything)
    patch.setattr(dispatch, "reserved", everything)


def plant_no_lock(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(
        dispatch, "_protection", lambda battery, inputs: dispatch.protected(battery, inputs.horizon_s)
    )


def plant_any_command(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(held_setpoint, "judge", lambda *given: Accepted())


def plant_no_end(patch: pytest.MonkeyPatch) -> None:
    def at(self: HeldSetpoint, real_ns: int) -> float:
        return self._reversion_w if self._lease is None else self._lease.value

    patch.setattr(HeldSetpoint, "at", at)


@pytest.mark.parametrize(
    ("plant", "message"),
    [
        (plant_no_limits, "unknown state of charge|into the reserve|below its reserve"),
        (plant_no_lock, "is told to work in mode"),
        (plant_any_command, "took the command|took a command that had expired"),
        (plant_no_end, "after its lease has ended"),
    ],
)
def test_a_planted_danger_is_found(
    plant: Callable[[pytest.MonkeyPatch], None], message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    plant(monkeypatch)
    report = found(range(40))
    with pytest.raises(AssertionError, match=message):
        assert not report.broken, report.broken


def test_a_wrapped_device_without_a_fault_is_the_device() -> None:
    def bench() -> VirtualBench:
        now = Instant(10**9, 0)
        config = node_of(["home-battery"], 1.0, 9_000.0)
        return VirtualBench(FaultyDer(build_ders(config, None, {}, now)[0]), now)

    assert examine(bench) == ()


def test_a_late_command_is_not_taken_and_a_reordered_one_neither() -> None:
    world = FaultyWorld(0, CURVES)
    der = next(der for der in world.ders if der.nameplate.minimum_w < 0)
    now_ns = world.now.real_ns
    leases = [Lease(0.0, 0.0, now_ns, now_ns + 10**9, "test", 10**6 + number) for number in range(3)]
    der.fault = Fault.REORDER
    der.command(leases[0], world.now)
    der.fault = None
    der.command(leases[1], world.now)
    der.command(leases[2], world.now)
    assert der.held == leases[2]
    assert der.broken == []


def test_the_command_counts_and_says_whether_a_law_broke(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert main(["5", "1", "--cycles", "20"]) == 0
    assert "0 violations" in capsys.readouterr().out
    plant_no_end(monkeypatch)
    assert main(["0", "6", "--cycles", "60"]) == 1


def test_every_device_type_can_be_in_a_world() -> None:
    assert set(DEVICES) == set(TYPES)
