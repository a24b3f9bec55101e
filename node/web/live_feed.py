"""Shell: the daemon's end of the live socket: tells web servers on this machine what it sees, and never waits.

Whoever does not read fast enough is disconnected; a new reader first hears what still holds. Lines are made only
while somebody listens, but for what a later reader wants to know of the past.
"""

import os
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import trio

from devices.errors import MessageError
from devices.messages.control_messages import Alarm, AlarmCode, Attached, ImageReport, MeterRecord, Upward
from node.core.core import NodeCore
from node.events import Now, Report
from node.web.live_messages import answer_line, read_action, report_line, state_line, upward_line

if TYPE_CHECKING:
    from trio_typing import TaskStatus  # the stubs the checker sees lack trio.TaskStatus

    from node.web.steering import Steering

SOCKET_NAME = "live.sock"
LINES_WAITING = 2048
"""lines that may wait for one reader: the whole past and some seconds; above this it is disconnected."""
READERS = 4
"""connections at one time: the web server, its successor, and somebody who looks."""
RECORDS_KEPT = 200
"""meter records told to a new reader: two days of quarter hours."""
REPORTS_KEPT = 1000
"""log lines told to a new reader; a busy day has some hundred."""
ACTION_BYTES = 4096
"""bytes of an action that is not complete yet; the longest names a device."""
STATE_EVERY_S = 1.0
"""real seconds between two states of the core; a block brings one at once."""


class LiveFeed:
    """What the daemon tells web servers. `tell` and `report` cost little and never wait."""

    def __init__(self, directory: Path, core: NodeCore, now: Callable[[], Now]) -> None:
        self.steering: Steering | None = None
        self._directory = directory
        self._core = core
        self._now = now
        self._readers: set[trio.MemorySendChannel[bytes]] = set()
        self._attached: bytes | None = None
        self._image: ImageReport | None = None
        self._alarms: dict[tuple[AlarmCode, str | None], bytes] = {}
        self._records: dict[int, bytes] = {}
        self._reports: deque[bytes] = deque(maxlen=REPORTS_KEPT)

    def tell(self, message: Upward) -> None:
        """What control said."""
        match message:
            case ImageReport():
                self._image = message
                if self._readers:
                    self._send(upward_line(message))
                return
            case Attached():
                self._attached = upward_line(message)
                self._alarms.clear()
                self._send(self._attached)
            case Alarm():
                line = upward_line(message)
                if message.raised:
                    self._alarms[message.code, message.device] = line
                else:
                    self._alarms.pop((message.code, message.device), None)
                self._send(line)
            case MeterRecord():
                # Control repeats a record until it is acknowledged.
                line = upward_line(message)
                if self._records.get(message.interval) != line:
                    self._records[message.interval] = line
                    self._send(line)
                if len(self._records) > RECORDS_KEPT:
                    del self._records[next(iter(self._records))]

    def report(self, report: Report) -> None:
        """A line of the daemon's log."""
        line = report_line(report, self._now())
        self._reports.append(line)
        self._send(line)
        if report.event == "block" and self._readers:
            self._send(self._state())

    def _state(self) -> bytes:
        return state_line(self._core, self._now(), None if self.steering is None else self.steering.shown())

    async def run(self, *, task_status: "TaskStatus[None]" = trio.TASK_STATUS_IGNORED) -> None:
        """Listen until cancelled."""
        # A socket's path may have 107 bytes; through the descriptor of its directory it always fits.
        descriptor = os.open(self._directory, os.O_RDONLY)
        try:
            (self._directory / SOCKET_NAME).unlink(missing_ok=True)
            listener = trio.socket.socket(trio.socket.AF_UNIX, trio.socket.SOCK_STREAM)
            # Sockets take their mode from the umask when bound: a later chmod would leave it open for a moment.
            umask = os.umask(0o177)
            try:
                await listener.bind(f"/proc/self/fd/{descriptor}/{SOCKET_NAME}")
            finally:
                os.umask(umask)
            listener.listen(READERS)
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._tell_state)
                task_status.started()
                while True:
                    accepted, _ = await listener.accept()
                    stream = trio.SocketStream(accepted)
                    if len(self._readers) >= READERS:
                        await stream.aclose()
                        continue
                    nursery.start_soon(self._serve, stream)
        finally:
            os.close(descriptor)

    async def _tell_state(self) -> None:
        while True:
            if self._readers:
                self._send(self._state())
            await trio.sleep(STATE_EVERY_S)

    async def _serve(self, stream: trio.SocketStream) -> None:
        inward, outward = trio.open_memory_channel[bytes](LINES_WAITING)
        for line in self._past():
            inward.send_nowait(line)
        self._readers.add(inward)
        try:
            async with stream, outward, trio.open_nursery() as nursery:
                nursery.start_soon(self._hear, stream, inward, nursery.cancel_scope)
                async for line in outward:
                    await stream.send_all(line)
                nursery.cancel_scope.cancel()
        except* (trio.BrokenResourceError, trio.ClosedResourceError):
            pass
        finally:
            self._readers.discard(inward)
            inward.close()

    async def _hear(
        self, stream: trio.SocketStream, inward: trio.MemorySendChannel[bytes], scope: trio.CancelScope
    ) -> None:
        """Actions from a reader, until it goes or says what is none."""
        pending = bytearray()
        while data := await stream.receive_some(4096):
            pending += data
            if len(pending) > ACTION_BYTES:
                break
            *lines, rest = pending.split(b"\n")
            pending = bytearray(rest)
            for line in lines:
                answer = await self._act(bytes(line))
                with suppress(trio.WouldBlock, trio.BrokenResourceError, trio.ClosedResourceError):
                    inward.send_nowait(answer)
        scope.cancel()

    async def _act(self, line: bytes) -> bytes:
        try:
            number, action = read_action(line)
        except MessageError as fault:
            return answer_line(0, str(fault))
        if self.steering is None:
            return answer_line(number, "this daemon takes no actions now")
        # Forecasters take a second to load the first time, for which neither control nor agreement waits.
        if self.steering.needs_forecasts(action):
            await trio.to_thread.run_sync(self.steering.prepare)
        try:
            answer = answer_line(number, self.steering.carry_out(action))
        except OSError as fault:
            return answer_line(number, f"the setting could not be kept: {fault}")
        self._send(self._state())
        return answer

    def _past(self) -> list[bytes]:
        image = [] if self._image is None else [upward_line(self._image)]
        attached = [] if self._attached is None else [self._attached]
        return [
            *attached,
            *self._records.values(),
            *self._reports,
            *self._alarms.values(),
            *image,
            self._state(),
        ]

    def _send(self, line: bytes) -> None:
        for reader in list(self._readers):
            try:
                reader.send_nowait(line)
            except (trio.WouldBlock, trio.BrokenResourceError):
                self._readers.discard(reader)
                reader.close()
