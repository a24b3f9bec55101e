"""Shell: the links between the nodes of a testnet, each a pair of loopback ports through which all its traffic passes.

A link can lose what it carries without telling anybody, reset its connections, delay, and limit bandwidth; each
direction has a delay and a bandwidth of its own. What stands at the same time adds up.
"""

import socket
import struct
from collections.abc import Hashable
from contextlib import suppress
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import TYPE_CHECKING, Final

import trio

if TYPE_CHECKING:
    from trio_typing import TaskStatus  # the stubs the checker sees lack trio.TaskStatus

CHUNK_BYTES: Final = 16 * 1024
CHUNKS_UNDERWAY: Final = 256
"""Of one direction of a connection: with the above 4 MiB, more than a daemon leaves unread."""

LOOPBACK: Final = "127.0.0.1"
_RESET_ON_CLOSE: Final = struct.pack("ii", 1, 0)
"""SO_LINGER of zero seconds: closing sends a reset."""


class Break(Enum):
    """How a link is cut."""

    SILENT = auto()
    """Everything is lost, and the connections it had stay lost: both ends have to notice by themselves."""
    RESET = auto()
    """Connections are reset, and new ones are reset at once."""


@dataclass(frozen=True, slots=True)
class Flow:
    """One direction: the delay in real seconds, and bytes per real second or None without a limit."""

    delay_s: float = 0.0
    bytes_per_s: int | None = None


@dataclass(frozen=True, slots=True)
class Condition:
    """What is imposed on a link: a break, or the two flows, from its first end and from its second."""

    broken: Break | None = None
    flows: tuple[Flow, Flow] = (Flow(), Flow())


@dataclass(slots=True, eq=False)
class Link:
    """The link between two nodes. `ends` are their names; `ports` are where each listens."""

    ends: tuple[str, str]
    ports: tuple[int, int]
    entrances: list[int] = field(default_factory=list)
    """The ports through which the first end dials the second, and the second the first."""
    _conditions: dict[Hashable, Condition] = field(default_factory=dict)
    _lost: trio.Event = field(default_factory=trio.Event)
    _open: set[trio.CancelScope] = field(default_factory=set)

    def entrance(self, dialler: str) -> int:
        """The port that this end dials to reach the other."""
        return self.entrances[self.ends.index(dialler)]

    def impose(self, key: Hashable, condition: Condition) -> None:
        """From now on, until `lift` with the same key."""
        self._conditions[key] = condition
        if condition.broken is Break.SILENT:
            self._lost.set()
            self._lost = trio.Event()
        elif condition.broken is Break.RESET:
            for scope in self._open:
                scope.cancel()

    def lift(self, key: Hashable) -> None:
        """Take a condition away. Connections that were lost stay lost; new ones work."""
        self._conditions.pop(key, None)

    @property
    def broken(self) -> Break | None:
        """How it is cut now, if it is; a reset before a silent loss."""
        breaks = {condition.broken for condition in self._conditions.values()}
        return next((each for each in (Break.RESET, Break.SILENT) if each in breaks), None)

    def flow(self, sender: int) -> Flow:
        """The present flow from an end (0 or 1): the longest delay and the least bandwidth of all imposed."""
        flows = [condition.flows[sender] for condition in self._conditions.values()]
        rates = [flow.bytes_per_s for flow in flows if flow.bytes_per_s is not None]
        return Flow(max((flow.delay_s for flow in flows), default=0.0), min(rates, default=None))

    async def run(self, *, task_status: "TaskStatus[None]" = trio.TASK_STATUS_IGNORED) -> None:
        """Carry connections until cancelled; `entrances` are known once it has started."""
        async with trio.open_nursery() as nursery:
            for dialler in (0, 1):
                (listener,) = await trio.open_tcp_listeners(0, host=LOOPBACK)
                self.entrances.append(listener.socket.getsockname()[1])
                nursery.start_soon(trio.serve_listeners, _Accept(self, dialler), [listener])
            task_status.started()

    async def carry(self, dialler: int, near: trio.SocketStream) -> None:
        """Carry one connection that an end opened, until both directions have ended."""
        lost = self._lost
        if self.broken is Break.RESET:
            _reset(near)
            return
        if self.broken is Break.SILENT:
            await _swallow(near)
            return
        try:
            far = await trio.open_tcp_stream(LOOPBACK, self.ports[1 - dialler])
        except OSError:
            _reset(near)
            return
        with trio.CancelScope() as scope:
            self._open.add(scope)
            try:
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(_Direction(self, dialler, near, far, lost).run)
                    nursery.start_soon(_Direction(self, 1 - dialler, far, near, lost).run)
            finally:
                self._open.discard(scope)
                for stream in (near, far):
                    _reset(stream) if scope.cancel_called else stream.socket.close()


@dataclass(frozen=True, slots=True)
class _Accept:
    link: Link
    dialler: int

    async def __call__(self, near: trio.SocketStream) -> None:
        await self.link.carry(self.dialler, near)


@dataclass(frozen=True, slots=True)
class _Direction:
    """One direction of one connection. Once it is lost, nothing and no end of it passes any more."""

    link: Link
    sender: int
    source: trio.SocketStream
    sink: trio.SocketStream
    lost: trio.Event

    async def run(self) -> None:
        send, receive = trio.open_memory_channel[tuple[float, bytes]](CHUNKS_UNDERWAY)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._take, send)
            nursery.start_soon(self._give, receive)

    async def _take(self, underway: trio.MemorySendChannel[tuple[float, bytes]]) -> None:
        data = b"-"
        async with underway:
            while data:
                try:
                    data = await self.source.receive_some(CHUNK_BYTES)
                except (trio.BrokenResourceError, trio.ClosedResourceError):
                    data = b""
                if not self.lost.is_set():
                    due = trio.current_time() + self.link.flow(self.sender).delay_s
                    with suppress(trio.BrokenResourceError):
                        await underway.send((due, data))

    async def _give(self, underway: trio.MemoryReceiveChannel[tuple[float, bytes]]) -> None:
        async with underway:
            async for due, data in underway:
                await trio.sleep_until(due)
                rate = self.link.flow(self.sender).bytes_per_s
                if rate is not None:
                    await trio.sleep(len(data) / rate)
                if self.lost.is_set():
                    continue
                try:
                    await (self.sink.send_all(data) if data else self.sink.send_eof())
                except (trio.BrokenResourceError, trio.ClosedResourceError):
                    if not self.lost.is_set():
                        self.source.socket.close()  # whoever still writes has to learn that nobody reads
                    return


async def _swallow(stream: trio.SocketStream) -> None:
    """Read for nobody until the end that opened this gives up."""
    async with stream:
        with suppress(trio.BrokenResourceError, trio.ClosedResourceError):
            while await stream.receive_some(CHUNK_BYTES):
                pass


def _reset(stream: trio.SocketStream) -> None:
    with suppress(OSError):
        stream.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
    stream.socket.close()
