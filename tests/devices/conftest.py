"""Configurations, profiles and real control processes for the tests of control."""

import json
import os
import signal
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
from devices.messages.control_messages import Acknowledge, Downward, ImageReport, Upward
from devices.messages.frames import FrameReader, decode_upward, encode_frame
from devices.process.control_client import ControlClient

PATIENCE_S = 30
HOUR_S = 3600
HOUR_NS = HOUR_S * 10**9
SPEED = 1800.0
"""An hour in two seconds."""


@pytest.fixture
def settings() -> Callable[..., dict[str, Any]]:
    """A valid configuration as it stands in a file, with changes."""

    def build(**changes: Any) -> dict[str, Any]:
        source: dict[str, Any] = {
            "data_dir": "node",
            "profile": "profile.csv",
            "interval_s": HOUR_S,
            "clock": {"start_wall_ns": 0, "epoch_ns": 0, "speed": 1.0},
            "connection": {"minimum_w": -8000, "maximum_w": 5000},
            "ders": [
                {
                    "kind": "battery",
                    "name": "battery",
                    "charge_w": 3000,
                    "discharge_w": 3000,
                    "capacity_wh": 8000,
                },
                {"kind": "pv", "name": "roof", "maximum_w": 9000},
                {"kind": "load", "name": "house", "maximum_w": 9000},
            ],
        }
        return source | changes

    return build


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


class Node:
    """A data directory and a configuration file, and ways to what controls it."""

    def __init__(self, config_path: Path, source: dict[str, Any]) -> None:
        self.config_path = config_path
        self.data_dir = Path(source["data_dir"])
        self.data_dir.mkdir(parents=True, exist_ok=True)
        self.clock = ClockSpec(**source["clock"])
        config_path.write_text(json.dumps(source))

    def interval(self) -> int:
        return self.clock.cell_ns(time.time_ns()) // HOUR_NS

    def start(self) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", "devices.process.control_process", "--config", str(self.config_path)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def client(self) -> ControlClient:
        return ControlClient(self.config_path, self.data_dir, self.clock, HOUR_S)

    @asynccontextmanager
    async def attached(self) -> AsyncIterator[ControlClient]:
        """A client that is attached, and stops control at the end."""
        with trio.fail_after(PATIENCE_S):
            client = self.client()
            async with trio.open_nursery() as nursery:
                await nursery.start(client.run)
                yield client
                await client.stop()

    async def connect(self) -> trio.SocketStream:
        """A bare connection to the socket."""
        directory = os.open(self.data_dir, os.O_RDONLY)
        try:
            return await trio.open_unix_socket(f"/proc/self/fd/{directory}/control.sock")
        finally:
            os.close(directory)

    @asynccontextmanager
    async def observing(self) -> AsyncIterator[Observer]:
        """An observer whom control takes for its daemon."""
        async with await self.connect() as stream:
            observer = Observer(stream)
            await observer.say(Acknowledge(-1_000))
            yield observer

    def controller(self) -> int | None:
        """The process that holds, or held last, the directory."""
        lock = self.data_dir / "control.lock"
        text = lock.read_text().strip() if lock.exists() else ""
        return int(text) if text else None

    def kill_controller(self) -> None:
        """Leave no process behind; one that only has the number of ours is let be."""
        pid = self.controller()
        command = Path(f"/proc/{pid}/cmdline")
        if pid is not None and command.exists() and str(self.config_path) in command.read_text():
            os.kill(pid, signal.SIGKILL)


@pytest.fixture
def build_node(tmp_path: Path, settings: Callable[..., dict[str, Any]]) -> Iterator[Callable[..., Node]]:
    """Nodes whose homes draw 500 W and could inject 3000 W of sun for 2,000 hours from now."""
    nodes: list[Node] = []
    profile = tmp_path / "profile.csv"
    rows = [f"{hour * HOUR_NS},500,3000" for hour in range(2000)]
    profile.write_text("\n".join(["start_ns,load_w,pv_w", *rows]))

    def build(**changes: Any) -> Node:
        source = settings(
            data_dir=str(tmp_path / "node"),
            profile=str(profile),
            clock={"start_wall_ns": time.time_ns(), "epoch_ns": 0, "speed": SPEED},
            image_ms=100,
            linger_s=20,
        )
        nodes.append(Node(tmp_path / "control.json", source | changes))
        return nodes[-1]

    yield build
    for node in nodes:
        node.kill_controller()
