"""The control process as it really runs: its own process, a socket, signals."""

import os
import signal
import stat
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest
import trio

from devices.control.control_state import SavedState
from devices.json_codec import from_json
from devices.messages.control_messages import Attached, ImageReport, MeterRecord, Stop
from devices.messages.frames import encode_frame
from devices.process.control_client import ControlClient

pytestmark = [pytest.mark.processes, pytest.mark.xdist_group("control")]

PATIENCE_S = 30
Build = Callable[..., Any]


async def image_where(client: ControlClient, wanted: Callable[[ImageReport], bool]) -> ImageReport:
    async for message in client.messages:
        if isinstance(message, ImageReport) and wanted(message):
            return message
    raise AssertionError("control fell silent")


def battery(image: ImageReport) -> float | None:
    return next(device.power_w for device in image.devices if device.name == "battery")


PARENT = """
import sys, trio
from pathlib import Path
from devices.cell_clock import ClockSpec
from devices.process.control_client import ControlClient
from devices.messages.control_messages import ImageReport

async def main(config, directory, start, speed):
    client = ControlClient(Path(config), Path(directory), ClockSpec(int(start), 0, float(speed)), 3600)
    async with trio.open_nursery() as nursery:
        await nursery.start(client.run)
        async for message in client.messages:
            if isinstance(message, ImageReport):
                for ahead in range(3):
                    client.send_position(message.interval + ahead, 9_000_000)
                if message.wish == "position" and message.settled:
                    print(message.interval, flush=True)

trio.run(main, *sys.argv[1:])
"""


@pytest.mark.parametrize(("reserve", "binding"), [(0.1, {"connection"}), (0.5, {"connection", "reserve"})])
async def test_a_killed_daemon_leaves_limits_and_reserve_and_then_the_safe_state(
    build_node: Build,
    settings: Callable[..., dict[str, Any]],
    reserve: float,
    binding: set[str],
) -> None:
    cell, *others = settings()["ders"]
    cell |= {"capacity_wh": 80_000, "initial_state_of_charge": 0.5, "reserve": reserve}
    limits = {"minimum_w": -8000, "maximum_w": 4000}
    node = build_node(connection=limits, ders=[cell, *others])
    arguments = (node.config_path, node.data_dir, node.clock.start_wall_ns, node.clock.speed)
    parent = subprocess.Popen(
        [sys.executable, "-c", PARENT, *map(str, arguments)], stdout=subprocess.PIPE, text=True
    )
    with trio.fail_after(PATIENCE_S):
        assert parent.stdout is not None
        assert await trio.to_thread.run_sync(parent.stdout.readline)
        parent.kill()
        parent.wait()
        parent.stdout.close()
        async with node.observing() as observer:
            images = [await observer.hear_image()]
            while images[-1].wish != "safe-state" or not images[-1].settled:
                images.append(await observer.hear_image())
            images.append(await observer.hear_image())
            await observer.say(Stop())
            while await observer.hear() is not None:
                pass
    assert images[0].wish == "position"
    assert images[0].binding in binding
    assert battery(images[-1]) == 0.0
    for image in images:
        assert image.connection_w is not None
        assert image.connection_w <= 4000.0 + 1e-3
        stored_wh = next(device.stored_wh for device in image.devices if device.name == "battery")
        assert stored_wh is not None
        assert stored_wh >= reserve * 80_000 - 1e-6


async def test_a_control_process_stopped_for_a_while_meters_what_it_missed(
    build_node: Build,
) -> None:
    node = build_node()
    async with node.attached() as client:
        image = await image_where(client, lambda image: image.settled)
        pid = node.controller()
        assert pid is not None
        os.kill(pid, signal.SIGSTOP)
        with trio.move_on_after(5):
            while True:
                assert isinstance(await client.messages.receive(), ImageReport | MeterRecord)
        os.kill(pid, signal.SIGCONT)
        records: dict[int, MeterRecord] = {}
        while len(records) < 3:
            message = await client.messages.receive()
            if isinstance(message, MeterRecord) and message.interval > image.interval:
                records[message.interval] = message
        assert all(record.complete for record in records.values())
        for record in records.values():
            energies = {each.name: each.injected - each.withdrawn for each in record.devices}
            assert energies["house"] == -500_000
            assert energies["roof"] == 3_000_000


async def test_garbage_on_the_socket_is_dropped_and_displaces_nobody(
    build_node: Build,
) -> None:
    node = build_node()
    async with node.attached() as client:
        assert isinstance(await client.messages.receive(), Attached)
        garbage = (
            b"GET / HTTP/1.1\r\n\r\n",
            b"\xff" * 1000,
            b"\x00\x00\x00\x02{}",
            b"\x00\x00\x00\x05hello",
            encode_frame(Attached(1, 1.0, 1.0, 1.0)),
        )
        for data in garbage:
            async with await node.connect() as stream:
                await stream.send_all(data)
                assert await stream.receive_some() == b""
        for _ in range(20):
            silent = await node.connect()
            await silent.aclose()
        heard = [await client.messages.receive() for _ in range(5)]
        assert not any(isinstance(message, Attached) for message in heard)


async def test_a_second_control_process_on_one_directory_refuses_and_names_the_first(
    build_node: Build,
) -> None:
    node = build_node()
    async with node.attached() as client:
        first = await client.messages.receive()
        assert isinstance(first, Attached)
        second = node.start()
        _, complaint = await trio.to_thread.run_sync(second.communicate)
        assert second.returncode == 3
        assert f"already controlled by the process {first.pid}" in complaint


async def test_only_the_owner_may_open_the_socket(build_node: Build) -> None:
    node = build_node()
    async with node.attached():
        assert stat.S_IMODE((node.data_dir / "control.sock").stat().st_mode) == 0o600


async def test_left_alone_it_exits_after_its_linger_time(build_node: Build) -> None:
    node = build_node(linger_s=0.2)
    process = node.start()
    with trio.fail_after(PATIENCE_S):
        _, complaint = await trio.to_thread.run_sync(process.communicate)
    assert (process.returncode, complaint) == (0, "")
    state = from_json(SavedState, (node.data_dir / "control.state").read_bytes())
    assert [each.name for each in state.stored] == ["battery"]
