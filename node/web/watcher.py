"""Shell: keeps one node's view fresh: reads what its daemon tells, follows its ledger, publishes what is new."""

import os
import sqlite3
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import trio

from devices.cell_clock import ClockSpec
from devices.configuration.control_config import parse_config
from devices.errors import MessageError
from devices.messages.control_messages import ImageReport, MeterRecord
from ledger.errors import LedgerError
from market.cell import EnergyCell
from node.configuration.config import clock_path, control_table, load_config, with_clock_file
from node.configuration.owner_settings import OwnerSettings
from node.web.cell_alarms import CellAlarms
from node.web.event_stream import EventHub
from node.web.ledger_follower import LedgerFollower
from node.web.live_feed import SOCKET_NAME
from node.web.live_messages import LINE_BYTES, action_line, read_line
from node.web.live_state import AlarmSeen, EventSeen
from node.web.views.cell_view import block_of
from node.web.views.node_view import alarm_of, ders_of, event_of, flows_of, status_of
from node.web.watched_node import WatchedNode

BLOCKS_PER_LOOK = 16
"""blocks followed before others have their turn."""
LOOK_EVERY_S = 2.0
"""real seconds between looks at the ledger when no block was told of."""
ANSWER_S = 10.0
"""real seconds for the daemon to carry out an action: far above what it takes, also where the machine is busy."""
RETRY_S = 0.25
STATUS_EVERY_S = 1.0


@dataclass(slots=True)
class Watcher:
    """One node, watched; `hub` is where its news are published, `private` whether its owner lets nobody look freely."""

    node: WatchedNode
    follower: LedgerFollower
    private: bool = False
    hub: EventHub = field(init=False)
    alarms: CellAlarms = field(default_factory=CellAlarms)
    _look: trio.Event = field(default_factory=trio.Event)
    _stream: trio.SocketStream | None = None
    _answers: dict[int, trio.MemorySendChannel[str]] = field(default_factory=dict)
    _acted: int = 0

    def __post_init__(self) -> None:
        self.hub = EventHub(self.first_events)

    @staticmethod
    def of(config_path: Path) -> "Watcher":
        """The watcher of a node's configuration; waits for nothing. Raises `ConfigError`, `LedgerError` or OSError."""
        config = load_config(config_path)
        follower = LedgerFollower(config.directory)
        config = with_clock_file(config)
        clock = config.clock
        node = WatchedNode(
            config=config,
            control=parse_config(control_table(config, _interval_s(follower))),
            clock=ClockSpec(clock.start_wall_ns, clock.epoch_ns, clock.speed),
            history=follower.history,
        )
        return Watcher(node, follower, OwnerSettings.load(config.directory).private)

    def cell_ns(self) -> int:
        """Cell time now."""
        return self.node.clock.cell_ns(time.time_ns())

    async def run(self) -> None:
        """Until cancelled."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._listen)
            nursery.start_soon(self._follow)
            nursery.start_soon(self._tell_status)

    def first_events(self) -> list[tuple[str, Any]]:
        """What a page must know first."""
        return [("status", self._status()), ("flows", self._flows()), ("ders", self._ders())]

    async def act(self, action: dict[str, Any]) -> str | None:
        """Have the daemon carry out an action: empty if it did, why not, or None if it does not answer."""
        stream, self._acted = self._stream, self._acted + 1
        number = self._acted
        inward, outward = trio.open_memory_channel[str](1)
        self._answers[number] = inward
        try:
            with trio.move_on_after(ANSWER_S):
                if stream is not None:
                    await stream.send_all(action_line(number, action))
                    return await outward.receive()
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            pass
        finally:
            self._answers.pop(number, None)
        return None

    async def _listen(self) -> None:
        while True:
            try:
                stream = await _connect(self.node.config.directory)
            except OSError:
                await trio.sleep(RETRY_S)
                continue
            self.node.live.begin()
            try:
                async with stream:
                    self._stream = stream
                    await self._read(stream)
            except (trio.BrokenResourceError, MessageError):
                pass
            self._stream = None
            self.node.live.end()
            self.hub.publish("status", self._status(), state=True)
            self.hub.publish("flows", self._flows(), state=True)
            await trio.sleep(RETRY_S)

    async def _read(self, stream: trio.SocketStream) -> None:
        pending = bytearray()
        while data := await stream.receive_some(65_536):
            pending += data
            *lines, rest = pending.split(b"\n")
            if len(rest) > LINE_BYTES:
                raise MessageError("a line that does not end")
            pending = bytearray(rest)
            for line in lines:
                self._take(read_line(bytes(line)))

    def _take(self, line: dict[str, Any]) -> None:
        if line["kind"] == "answer":
            waiting = self._answers.get(line.get("number", 0))
            if waiting is not None:
                waiting.send_nowait(str(line.get("fault", "")))
            return
        before = self.node.live.core.get("settings")
        news = self.node.live.take(line)
        held = self.node.live.core.get("settings")
        if held is not None and held != before:
            self.private = held.get("private") is True
            self.hub.publish("settings", held, state=True)
        match news:
            case ImageReport():
                self.hub.publish("flows", self._flows(), state=True)
                self.hub.publish("ders", self._ders(), state=True)
            case AlarmSeen():
                self.hub.publish("alarm", alarm_of(news).model_dump(mode="json"))
            case EventSeen():
                if news.event == "block":
                    self._look.set()
                else:
                    self.hub.publish("event", event_of(news).model_dump(mode="json"))
            case MeterRecord():
                self.hub.publish("meter", {"interval": news.interval}, state=True)

    async def _follow(self) -> None:
        while True:
            self._look = trio.Event()
            more = await self._advance() or await self._read_alarms()
            if not more:
                with trio.move_on_after(LOOK_EVERY_S):
                    await self._look.wait()

    async def _advance(self) -> bool:
        """Follow some blocks; returns whether there are more."""
        tip = self.node.history.tip
        try:
            found = await trio.to_thread.run_sync(self.follower.read, tip, BLOCKS_PER_LOOK)
        except LedgerError as fault:
            self.node.fault = str(fault)
            return False
        except (OSError, sqlite3.Error) as fault:
            self.node.fault = f"the ledger cannot be read now: {fault}"
            return False
        self.node.fault, self.node.height = None, found.height
        self.follower.take(found)
        for block in list(self.node.history.blocks)[-len(found.blocks) :] if found.blocks else []:
            if found.height - block.header.height < BLOCKS_PER_LOOK:
                self.hub.publish("block", block_of(self.node, block).model_dump(mode="json"))
        return self.node.history.height < found.height

    async def _read_alarms(self) -> bool:
        """Look at what members said of alarms since; returns whether there is more."""
        tip = self.node.history.tip
        if tip is None or self.node.fault is not None:
            return False
        try:
            found = await trio.to_thread.run_sync(self.follower.alarms_after, self.alarms, tip)
        except (LedgerError, OSError, sqlite3.Error) as fault:
            self.node.fault = f"the ledger cannot be read now: {fault}"
            return False
        if self.alarms.take(found, tip.membership):
            still_open = sum(alarm.open for alarm in self.alarms.alarms)
            self.hub.publish("cell-alarms", {"open": still_open}, state=True)
        return found.more

    async def _tell_status(self) -> None:
        while True:
            if self.hub.readers:
                self.hub.publish("status", self._status(), state=True)
            await trio.sleep(STATUS_EVERY_S)

    def _status(self) -> Any:
        return status_of(self.node, self.cell_ns(), can_act=False).model_dump(mode="json")

    def _flows(self) -> Any:
        return flows_of(self.node, self.cell_ns(), time.monotonic_ns()).model_dump(mode="json")

    def _ders(self) -> Any:
        return ders_of(self.node, time.monotonic_ns()).model_dump(mode="json")


async def wait_for_files(config_path: Path) -> None:
    """Wait until the daemon has written what a watcher needs: its genesis, and the clock where a file tells it."""
    config = load_config(config_path)
    clock, genesis = clock_path(config), config.directory / "genesis.cbor"
    while not genesis.exists() or (clock is not None and not clock.exists()):
        await trio.sleep(RETRY_S)


async def _connect(directory: Path) -> trio.SocketStream:
    """A connection to the daemon of a directory. Raises OSError while nobody listens."""
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        # A socket's path may have 107 bytes; through the descriptor it always fits.
        return await trio.open_unix_socket(f"/proc/self/fd/{descriptor}/{SOCKET_NAME}")
    finally:
        os.close(descriptor)


def _interval_s(follower: LedgerFollower) -> int:
    return EnergyCell().initial(follower.history.genesis).rules.interval_s
