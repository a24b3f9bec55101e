"""Trying a device out: it finds what is wrong, stays small, and leaves the device at rest."""

from collections.abc import Iterator
from typing import Any

import pytest
from sunspec_bench import SECOND_NS, config, table

from devices.cell_clock import Instant
from devices.opening.real_devices import open_hardware
from devices.trials.trial import Means, Step, exercise_w, try_device
from sim.counterparts.started import Counterpart, counterpart


@pytest.fixture
def battery() -> Iterator[Counterpart]:
    with counterpart() as server:
        yield server


class Waiting:
    """Waits by moving the server's clock, and notes the largest power that it then gave."""

    def __init__(self, server: Counterpart, power: str) -> None:
        self.server, self.power = server, power
        self.now = Instant(10**12, 0)
        self.largest_w = 0.0

    def wait(self, seconds: float) -> None:
        self.largest_w = max(self.largest_w, abs(self.server.get(self.power)))
        self.server.ask(advance=seconds)
        self.now = Instant(self.now.real_ns + round(seconds * SECOND_NS), 0)
        self.largest_w = max(self.largest_w, abs(self.server.get(self.power)))


def tried(
    server: Counterpart, power: str = "701.W", kind: str = "battery", **changes: Any
) -> tuple[list[Step], float]:
    device = config(table(server.port, kind, **changes)).hardware[0]
    waiting = Waiting(server, power)
    hardware = open_hardware(device, 0.0)
    means = Means(lambda: waiting.now, waiting.wait)
    try:
        steps = list(try_device(hardware, device.nameplate, 0.0, exercise_w(device.nameplate), means))
    finally:
        hardware.close()
    return steps, waiting.largest_w


def failed(steps: list[Step]) -> list[str]:
    return [step.name for step in steps if step.passed is False]


ALL = ["answers", "keeps measuring", "rests", "charges", "discharges", "reverts by itself", "is left at rest"]


def test_a_good_battery_passes_every_step_with_small_powers(battery: Counterpart) -> None:
    steps, largest_w = tried(battery)
    assert [(step.name, step.passed) for step in steps] == [(name, True) for name in ALL]
    assert largest_w == 300.0
    assert battery.get("704.WSet") == 0.0
    assert battery.get("704.WSetRvrtTms") == 0.0


def test_an_older_battery_and_a_roof_pass_too() -> None:
    with counterpart("--kind", "older-battery") as server:
        assert failed(tried(server, "103.W")[0]) == []
    with counterpart("--kind", "solar") as server:
        steps, _ = tried(server, kind="pv")
        assert [step.name for step in steps] == [
            "answers", "keeps measuring", "limits itself", "reverts by itself", "is left at rest",
        ]  # fmt: skip
        assert failed(steps) == []


@pytest.mark.parametrize(
    ("fault", "wrong"),
    [
        ("silence", ["answers"]),
        (
            "freeze",
            ["keeps measuring", "rests", "charges", "discharges", "reverts by itself", "is left at rest"],
        ),
        ("refuse", ["rests", "charges", "discharges", "is left at rest"]),
    ],
)
def test_what_is_wrong_with_a_device_is_found(fault: str, wrong: list[str], battery: Counterpart) -> None:
    battery.ask(fault=fault)
    assert failed(tried(battery)[0]) == wrong


def test_a_device_without_a_timer_of_its_own_is_found(battery: Counterpart) -> None:
    battery.ask(timers=False)
    assert failed(tried(battery)[0]) == ["reverts by itself"]


def test_a_device_that_reports_setpoints_as_done_and_does_nothing_is_found(battery: Counterpart) -> None:
    battery.ask(stuck=True)
    assert failed(tried(battery)[0]) == ["charges", "discharges"]


def test_an_empty_battery_is_not_asked_to_discharge(battery: Counterpart) -> None:
    battery.ask(stored_wh=80.0, advance=1.0)
    steps, _ = tried(battery)
    assert [(step.name, step.text) for step in steps if step.passed is None] == [
        ("discharges", "not tried: its state of charge is 1%")
    ]


def test_no_more_than_half_a_kilowatt_is_tried_of_a_large_device() -> None:
    assert exercise_w(config(table(1, charge_w=90_000, discharge_w=90_000)).hardware[0].nameplate) == 500.0
