"""The control process as it really runs: its own process, a socket, signals."""

import json
import os
import select
import signal
import stat
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import trio

from devices.cell_clock import ClockSpec
from devices.control_client import ControlClient
from devices.control_messages import (
    Acknowledge,
    Attached,
    Downward,
    ImageReport,
    MeterRecord,
    Stop,
    Upward,
)
from devices.control_state import SavedState
from devices.errors import ControlError
from devices.frames import FrameReader, decode_upward, encode_frame
from devices.json_codec import from_json

pytestmark = pytest.mark.processes

PATIENCE_S = 30
HOUR_S = 3600
SPEED = 1800.0
"""An hour in two seconds."""


class Node:
    """A data directory and a configuration; whatever controls it is killed after the test."""

    def __init__(self, config_path: Path, source: dict[str, Any]) -> None:
        self.config_path = config_path
        self.data_dir = Path(source["data_dir"])
        self.clock = ClockSpec(**source["clock"])
        config_path.write_text(json.dumps(source))

    def client(self) -> ControlClient:
        return ControlClient(self.config_path, self.data_dir, self.clock, HOUR_S)

    def interval(self) -> int:
        return self.clock.cell_ns(time.time_ns()) // (HOUR_S * 10**9)

    def start(self) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", "devices.control_process", "--config", str(self.config_path)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def controller(self) -> int | None:
        lock = self.data_dir / "control.lock"
        text = lock.read_text().strip() if lock.exists() else ""
        return int(text) if text else None


@pytest.fixture
def build_node(
    tmp_path: Path, settings: Callable[..., dict[str, Any]], profile_file: Callable[..., Path]
) -> Iterator[Callable[..., Node]]:
    nodes: list[Node] = []

    def build(**changes: Any) -> Node:
        source = settings(
            data_dir=str(tmp_path / "node"),
            profile=str(profile_file(*[(500, 3000)] * 2000)),
            clock={"start_wall_ns": time.time_ns(), "epoch_ns": 0, "speed": SPEED},
            image_ms=100,
            linger_s=20,
        )
        nodes.append(Node(tmp_path / "control.json", source | changes))
        nodes[-1].data_dir.mkdir(parents=True, exist_ok=True)
        return nodes[-1]

    yield build
    for node in nodes:
        pid = node.controller()
        if pid is not None and _runs_control(pid, node):
            os.kill(pid, signal.SIGKILL)


def _runs_control(pid: int, node: Node) -> bool:
    command = Path(f"/proc/{pid}/cmdline")
    return command.exists() and str(node.config_path) in command.read_text()


@asynccontextmanager
async def attached(node: Node) -> AsyncIterator[ControlClient]:
    with trio.fail_after(PATIENCE_S):
        client = node.client()
        async with trio.open_nursery() as nursery:
            await nursery.start(client.run)
            yield client
            await client.stop()


class Observer:
    """A daemon without a heartbeat: it may look but allows the hardware nothing."""

    def __init__(self, stream: trio.SocketStream) -> None:
        self._stream = stream
        self._reader = FrameReader()
        self._heard: list[Upward] = []

    async def say(self, message: Downward) -> None:
        await self._stream.send_all(encode_frame(message))

    async def hear(self) -> Upward | None:
        """The next message, or None when control has closed the connection."""
        while not self._heard:
            data = await self._stream.receive_some()
            if not data:
                return None
            self._heard += map(decode_upward, self._reader.feed(data))
        return self._heard.pop(0)

    async def hear_image(self) -> ImageReport:
        while True:
            message = await self.hear()
            assert message is not None
            if isinstance(message, ImageReport):
                return message


@asynccontextmanager
async def observing(node: Node) -> AsyncIterator[Observer]:
    async with await connect(node) as stream:
        observer = Observer(stream)
        await observer.say(Acknowledge(-1_000))
        yield observer


async def connect(node: Node) -> trio.SocketStream:
    directory = os.open(node.data_dir, os.O_RDONLY)
    try:
        return await trio.open_unix_socket(f"/proc/self/fd/{directory}/control.sock")
    finally:
        os.close(directory)


async def image_where(client: ControlClient, wanted: Callable[[ImageReport], bool]) -> ImageReport:
    async for message in client.messages:
        if isinstance(message, ImageReport) and wanted(message):
            return message
    raise AssertionError("control fell silent")


def battery(image: ImageReport) -> float | None:
    return next(device.power_w for device in image.devices if device.name == "battery")


async def test_positions_are_followed_and_metered(build_node: Callable[..., Node]) -> None:
    node = build_node()
    async with attached(node) as client:
        wanted = node.interval() + 2
        client.send_position(wanted, 3_500_000)
        async for message in client.messages:
            if isinstance(message, MeterRecord):
                client.acknowledge(message.interval)
                if message.interval == wanted:
                    break
        assert message.complete
        assert abs(message.contribution - message.consumption - 3_500_000) < 100_000
    assert not (node.data_dir / "control.sock").exists()


PARENT = """
import sys, trio
from pathlib import Path
from devices.cell_clock import ClockSpec
from devices.control_client import ControlClient
from devices.control_messages import ImageReport

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
    build_node: Callable[..., Node],
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
        async with observing(node) as observer:
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


async def test_a_restarted_daemon_finds_the_same_control_and_its_records(
    build_node: Callable[..., Node],
) -> None:
    node = build_node()
    with trio.fail_after(PATIENCE_S):
        pids = []
        seen: list[set[int]] = []
        for _ in range(2):
            async with trio.open_nursery() as nursery:
                client = node.client()
                await nursery.start(client.run)
                intervals: set[int] = set()
                async for message in client.messages:
                    if isinstance(message, Attached):
                        pids.append(message.pid)
                    elif isinstance(message, MeterRecord):
                        intervals.add(message.interval)
                        break
                seen.append(intervals)
                nursery.cancel_scope.cancel()
        assert pids[0] == pids[1]
        assert seen[0] == seen[1]
    async with attached(node):
        pass


async def test_a_killed_control_process_is_started_again_with_what_it_kept(
    build_node: Callable[..., Node],
) -> None:
    node = build_node()
    async with attached(node) as client:
        pids: list[int] = []
        first: MeterRecord | None = None
        async for message in client.messages:
            if isinstance(message, Attached):
                pids.append(message.pid)
            elif isinstance(message, ImageReport) and len(pids) == 1 and _saved(node, first):
                os.kill(pids[0], signal.SIGKILL)
            elif isinstance(message, MeterRecord):
                if len(pids) == 2:
                    break
                first = message
        assert pids[0] != pids[1]
        assert message == first


def _saved(node: Node, record: MeterRecord | None) -> bool:
    state = node.data_dir / "control.state"
    return state.exists() and record in from_json(SavedState, state.read_bytes()).records


async def test_a_control_process_stopped_for_a_while_meters_what_it_missed(
    build_node: Callable[..., Node],
) -> None:
    node = build_node()
    async with attached(node) as client:
        image = await image_where(client, lambda image: image.settled)
        pid = node.controller()
        assert pid is not None
        os.kill(pid, signal.SIGSTOP)
        end_ns = time.monotonic_ns() + 5 * 10**9
        await trio.to_thread.run_sync(_wait_until, end_ns)
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


def _wait_until(monotonic_ns: int) -> None:
    """Wait for the clock by reading from a pipe that nobody writes to: a pause, not a guess about progress."""
    reader, writer = os.pipe()
    os.set_blocking(reader, False)
    while (left := monotonic_ns - time.monotonic_ns()) > 0:
        select.select([reader], [], [], left / 1e9)
    os.close(reader)
    os.close(writer)


async def test_garbage_on_the_socket_is_dropped_and_displaces_nobody(
    build_node: Callable[..., Node],
) -> None:
    node = build_node()
    async with attached(node) as client:
        assert isinstance(await client.messages.receive(), Attached)
        garbage = (
            b"GET / HTTP/1.1\r\n\r\n",
            b"\xff" * 1000,
            b"\x00\x00\x00\x02{}",
            b"\x00\x00\x00\x05hello",
            encode_frame(Attached(1, 1.0, 1.0, 1.0)),
        )
        for data in garbage:
            async with await connect(node) as stream:
                await stream.send_all(data)
                assert await stream.receive_some() == b""
        for _ in range(20):
            silent = await connect(node)
            await silent.aclose()
        heard = [await client.messages.receive() for _ in range(5)]
        assert not any(isinstance(message, Attached) for message in heard)


async def test_the_newest_daemon_wins(build_node: Callable[..., Node]) -> None:
    node = build_node()
    async with attached(node) as client:
        assert isinstance(await client.messages.receive(), Attached)
        async with observing(node) as newer:
            assert isinstance(await newer.hear(), Attached)
            while not isinstance(await client.messages.receive(), Attached):
                pass
            while await newer.hear() is not None:
                pass


async def test_a_second_control_process_on_one_directory_refuses_and_names_the_first(
    build_node: Callable[..., Node],
) -> None:
    node = build_node()
    async with attached(node) as client:
        first = await client.messages.receive()
        assert isinstance(first, Attached)
        second = node.start()
        _, complaint = await trio.to_thread.run_sync(second.communicate)
        assert second.returncode == 3
        assert f"already controlled by the process {first.pid}" in complaint


async def test_only_the_owner_may_open_the_socket(build_node: Callable[..., Node]) -> None:
    node = build_node()
    async with attached(node):
        assert stat.S_IMODE((node.data_dir / "control.sock").stat().st_mode) == 0o600


async def test_a_data_directory_with_a_long_path_works(
    build_node: Callable[..., Node], tmp_path: Path
) -> None:
    node = build_node(data_dir=str(tmp_path / ("long" * 40)))
    async with attached(node) as client:
        assert isinstance(await client.messages.receive(), Attached)


async def test_sigterm_saves_the_state_and_exits_with_zero(build_node: Callable[..., Node]) -> None:
    node = build_node()
    async with attached(node) as client:
        await image_where(client, lambda image: image.settled)
        client_process = node.controller()
        assert client_process is not None
        os.kill(client_process, signal.SIGTERM)
        while not isinstance(await client.messages.receive(), Attached):
            pass
        assert node.controller() != client_process
    assert b'"SavedState"' in (node.data_dir / "control.state").read_bytes()


async def test_left_alone_it_exits_after_its_linger_time(build_node: Callable[..., Node]) -> None:
    node = build_node(linger_s=0.2)
    process = node.start()
    with trio.fail_after(PATIENCE_S):
        _, complaint = await trio.to_thread.run_sync(process.communicate)
    assert (process.returncode, complaint) == (0, "")
    state = from_json(SavedState, (node.data_dir / "control.state").read_bytes())
    assert [each.name for each in state.stored] == ["battery"]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"interval_s": -1, "cycle_ms": 0}, "interval_s: is -1"),
        ({"profile": "/nowhere.csv"}, "/nowhere.csv: "),
        ({"ders": [{"kind": "pv", "name": "roof", "maximum_w": 100}]}, "the profile needs 3000 W"),
    ],
)
async def test_a_wrong_configuration_reaches_the_daemon_as_an_error_with_the_reason(
    build_node: Callable[..., Node], changes: dict[str, Any], message: str
) -> None:
    client = build_node(**changes).client()
    with trio.fail_after(PATIENCE_S), pytest.raises(ControlError, match="exit code 2") as caught:
        await client.run()
    assert message in str(caught.value)


async def test_a_spoiled_state_is_not_guessed_at(build_node: Callable[..., Node]) -> None:
    node = build_node()
    (node.data_dir / "control.state").write_bytes(b'{"type":"SavedState"')
    with trio.fail_after(PATIENCE_S), pytest.raises(ControlError, match="move it away to start afresh"):
        await node.client().run()
