"""One control process hands its devices to another: leases, meter and lock go with them, and come from the dead."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st

from devices.cell_clock import Instant
from devices.control.hand_over import RunningMeter
from devices.control.metering import Meter
from devices.control.standing_orders import StandingOrders
from devices.errors import EXIT_NOT_HANDED_OVER, AlreadyControlledError, NotHandedOverError
from devices.image import DerKind, DeviceImage, ProcessImage, Reading
from devices.json_codec import from_json, to_json
from devices.messages.control_messages import Attached, MeterRecord, Position, Stop
from devices.process.control_client import is_other_program
from devices.process.control_files import lock_directory
from devices.process.control_succession import succeed
from sim.testnet.waiting import until

PATIENCE_S = 240
HOUR_NS = 3600 * 10**9
Build = Callable[..., Any]


def image(cell_ns: int, counter: int, power_w: float = 1000.0) -> ProcessImage:
    reading = Reading.of(power_w, 0)
    none = Reading.missing(0)
    device = DeviceImage(
        name="battery",
        kind=DerKind.BATTERY,
        power_w=reading,
        setpoint_w=reading,
        stored_wh=none,
        state_of_charge=none,
        available_w=none,
        counter=counter,
    )
    return ProcessImage(Instant(cell_ns, cell_ns), (device,))


def meter(first: ProcessImage) -> Meter:
    return Meter(HOUR_NS, {"battery": DerKind.BATTERY}, first)


@given(
    st.lists(st.integers(-(10**19), 10**19), min_size=1, max_size=6),
    st.lists(st.integers(-(10**19), 10**19), min_size=1, max_size=6),
    st.integers(-(10**15), 10**15),
)
def test_a_meter_that_changes_hands_reads_what_one_meter_would(
    before: list[int], after: list[int], offset: int
) -> None:
    steps = len(before) + len(after)
    moments = [(index + 1) * HOUR_NS // steps for index in range(steps)]
    one, first = meter(image(0, 0)), meter(image(0, 0))
    counter = 0
    for moment, moved in zip(moments, before, strict=False):
        counter += moved
        one.add(image(moment, counter))
        first.add(image(moment, counter))
    handed_at = moments[len(before) - 1]
    running = from_json(RunningMeter, to_json(first.running(image(handed_at, counter))))
    second = meter(image(handed_at, offset))  # a driver that starts counts from anywhere
    second.resume(running, held=True)
    record = expected = None
    for moment, moved in zip(moments[len(before) :], after, strict=False):
        counter += moved
        expected = one.add(image(moment, counter))
        record = second.add(image(moment, offset + counter - sum(before)))
    assert isinstance(record, MeterRecord)
    assert record == expected
    assert record.complete


@pytest.mark.parametrize(
    ("held", "gap_ns", "contribution", "complete"),
    [(True, 3_600_000_000, 1000, True), (False, 3_600_000_000, 1000, False), (True, HOUR_NS, 0, True)],
    ids=["bridged", "longer than the leases", "another interval"],
)
def test_what_flows_while_devices_change_hands_counts_at_the_last_power(
    held: bool, gap_ns: int, contribution: int, complete: bool
) -> None:
    running = meter(image(0, 0)).running(image(0, 0))
    second = meter(image(gap_ns, 0))
    second.resume(running, held=held)
    end_ns = (gap_ns // HOUR_NS + 1) * HOUR_NS
    record = second.add(image(end_ns, 0))
    assert record is not None
    assert (record.contribution, record.complete) == (contribution, complete)


def test_a_device_whose_power_was_not_known_leaves_the_interval_incomplete() -> None:
    running = meter(image(0, 0)).running(image(0, 0))
    unknown = replace(running, devices=(replace(running.devices[0], power_w=None),))
    second = meter(image(1000, 0))
    second.resume(unknown, held=True)
    record = second.add(image(HOUR_NS, 0))
    assert record is not None
    assert not record.complete


def test_without_a_control_process_nothing_is_handed_over(tmp_path: Path) -> None:
    with pytest.raises(NotHandedOverError):
        succeed(tmp_path)


def start(node: Any) -> subprocess.Popen[bytes]:
    command = [
        sys.executable,
        "-m",
        "devices.process.control_process",
        "--config",
        str(node.config_path),
        "--take-over",
    ]
    return subprocess.Popen(command)


async def gone(process: subprocess.Popen[Any]) -> int:
    assert await until(lambda: process.poll() is not None, PATIENCE_S)
    return process.wait()


async def listens(node: Any, pid: int) -> None:
    """Wait until this process holds the devices and answers; somebody holds them all the time."""

    def holds() -> bool:
        with pytest.raises(AlreadyControlledError):
            lock_directory(node.data_dir)
        return node.controller() == pid and (node.data_dir / "control.sock").exists()

    while True:
        assert await until(lambda: (node.data_dir / "control.lock").exists() and holds(), PATIENCE_S)
        try:
            async with node.observing() as observer:
                greeting = await observer.hear()
                if isinstance(greeting, Attached) and greeting.pid == pid:
                    return
        except (OSError, trio.BrokenResourceError):
            await trio.lowlevel.checkpoint()


@pytest.mark.processes
async def test_a_successor_follows_the_position_and_one_that_dies_gives_it_back(build_node: Build) -> None:
    node = build_node(clock={"start_wall_ns": time.time_ns(), "epoch_ns": 0, "speed": 1.0})
    orders = StandingOrders(node.clock, 3600, "daemon")
    granted = orders.want_position(Position(node.interval(), -500_000), time.monotonic_ns(), time.time_ns())
    first = node.start()
    with trio.fail_after(PATIENCE_S):
        await listens(node, first.pid)
        async with node.observing() as observer:
            for message in granted:
                await observer.say(message)
            while (await observer.hear_image()).wish != "position":
                pass
        second = start(node)
        await listens(node, second.pid)
        async with node.observing() as observer:
            assert (await observer.hear_image()).wish == "position", "the lease came along"
        assert first.poll() is None, "the one before stands by"
        second.kill()
        await listens(node, first.pid)
        async with node.observing() as observer:
            assert (await observer.hear_image()).wish == "position"
        third = start(node)
        await listens(node, third.pid)
        async with node.observing() as observer:
            await observer.say(Stop())
            while await observer.hear() is not None:
                pass
        assert await gone(third) == 0
        assert await gone(first) == 0, "it heard that its successor ended in order"
    lock_directory(node.data_dir).close()
    assert second.wait() == -signal.SIGKILL
    assert start(node).wait() == EXIT_NOT_HANDED_OVER


def test_a_process_of_another_environment_is_another_release(tmp_path: Path) -> None:
    other = tmp_path / "python"
    other.symlink_to(sys.executable)
    process = subprocess.Popen([str(other), "-c", "input()"], stdin=subprocess.PIPE)
    try:
        assert is_other_program(process.pid)
        assert not is_other_program(os.getpid()) or sys.orig_argv[0] != sys.executable
    finally:
        process.kill()
        process.communicate()
