"""Shell: members of a cell inside one process, connected by a hub that tests can cut, slow and make lossy.

It passes the same conformance suite as the real network and is what tests of 60 to 200 nodes run on.
"""

import heapq
import itertools
import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING

import trio

from node.constants import FRAME_BYTES, GOSSIP_BYTES, REPLY_BYTES, REQUEST_BYTES, TOPICS, QueueLimits
from node.transport.counters import Counters
from node.transport.errors import AddressInUse, MessageTooLarge, RequestFailed, RequestRefused
from node.transport.interface import (
    Frame,
    Gossip,
    PeerDown,
    PeerUp,
    RequestHandler,
    TransportEvent,
)

if TYPE_CHECKING:
    from trio_typing import TaskStatus


def _never_lost(_source: bytes, _target: bytes) -> bool:
    return False


def _at_once(_source: bytes, _target: bytes) -> float:
    return 0.0


class MemoryNetwork:
    """The hub: who runs, who can reach whom, and what happens to a message on its way.

    `lose(source, target)` tells whether a gossip message or frame is lost, `delay_s(source, target)` how many
    seconds one message needs; both may be replaced at any time. Requests are delayed both ways and not lost:
    they fail only when the path is cut or time runs out.
    """

    def __init__(self) -> None:
        self.lose: Callable[[bytes, bytes], bool] = _never_lost
        self.delay_s: Callable[[bytes, bytes], float] = _at_once
        self._running: dict[bytes, MemoryTransport] = {}
        self._group: dict[bytes, int] = {}

    def transport(self, own_key: bytes, *, queues: QueueLimits | None = None) -> "MemoryTransport":
        """A member's end of this network; it takes part while its `run` runs."""
        return MemoryTransport(self, own_key, queues or QueueLimits())

    @property
    def size(self) -> int:
        """How many members run."""
        return len(self._running)

    def partition(self, *groups: Iterable[bytes]) -> None:
        """Cut the network so that only members of the same group reach each other.

        Members in no group form one more group."""
        self._group = {key: number for number, group in enumerate(groups, start=1) for key in group}
        self._reconnect_all()

    def heal(self) -> None:
        """Undo every partition."""
        self._group = {}
        self._reconnect_all()

    def join(self, transport: "MemoryTransport") -> None:
        """Called by a transport that starts to run."""
        if transport.own_key in self._running:
            raise AddressInUse(f"member {transport.own_key.hex()[:12]} already runs on this network")
        self._running[transport.own_key] = transport
        self.reconnect(transport)

    def leave(self, transport: "MemoryTransport") -> None:
        """Called by a transport that stops."""
        if self._running.get(transport.own_key) is transport:
            del self._running[transport.own_key]
        self.reconnect(transport)

    def reconnect(self, transport: "MemoryTransport") -> None:
        """Bring the connections of one member up or down, as memberships and partitions now demand."""
        for other in tuple(self._running.values()):
            if other is not transport:
                connected = self._allowed(transport, other)
                transport.path_changed(other, connected)
                other.path_changed(transport, connected)

    def _allowed(self, one: "MemoryTransport", other: "MemoryTransport") -> bool:
        return (
            self._running.get(one.own_key) is one
            and one.knows(other.own_key)
            and other.knows(one.own_key)
            and self._group.get(one.own_key, 0) == self._group.get(other.own_key, 0)
        )

    def _reconnect_all(self) -> None:
        for transport in tuple(self._running.values()):
            self.reconnect(transport)


class MemoryTransport:
    """A Transport whose network is a MemoryNetwork. Make it with `MemoryNetwork.transport`."""

    def __init__(self, network: MemoryNetwork, own_key: bytes, queues: QueueLimits) -> None:
        self._network = network
        self._own_key = own_key
        self._queues = queues
        self._counters = Counters()
        self._members: frozenset[bytes] = frozenset()
        self._connected: dict[bytes, MemoryTransport] = {}
        self._handler: RequestHandler | None = None
        self._nursery: trio.Nursery | None = None
        self._incoming: list[tuple[float, int, TransportEvent]] = []
        self._order = itertools.count()
        self._waiting: defaultdict[bytes, int] = defaultdict(int)
        self._last_due: dict[bytes, float] = {}
        self._arrived = trio.Event()
        self._serving: defaultdict[bytes, int] = defaultdict(int)
        self._events_in, self._events = trio.open_memory_channel[TransportEvent](queues.events)

    @property
    def own_key(self) -> bytes:
        """See Transport."""
        return self._own_key

    @property
    def events(self) -> trio.MemoryReceiveChannel[TransportEvent]:
        """See Transport."""
        return self._events

    @property
    def counters(self) -> Mapping[str, int]:
        """See Transport."""
        return self._counters

    async def run(self, *, task_status: "TaskStatus[tuple[str, ...]]" = trio.TASK_STATUS_IGNORED) -> None:
        """See Transport."""
        self._network.join(self)
        try:
            async with trio.open_nursery() as self._nursery:
                task_status.started((f"/memory/{self._own_key.hex()}",))
                await self._deliver()
        finally:
            self._nursery = None
            self._network.leave(self)
            self._connected.clear()

    def set_members(self, addresses: Mapping[bytes, tuple[str, ...]]) -> None:
        """See Transport; the addresses mean nothing here."""
        self._members = frozenset(addresses) - {self._own_key}
        self._network.reconnect(self)

    def serve(self, handler: RequestHandler) -> None:
        """See Transport."""
        self._handler = handler

    async def publish(self, topic: str, data: bytes) -> None:
        """See Transport."""
        if topic not in TOPICS:
            raise ValueError(f"no topic {topic!r}; there are {', '.join(TOPICS)}")
        if len(data) > GOSSIP_BYTES:
            raise MessageTooLarge("gossip", len(data), GOSSIP_BYTES)
        await trio.lowlevel.checkpoint()
        self._counters.add("gossip_published")
        for target in self._reachable():
            target.arrive(self, Gossip(topic, self._own_key, data))

    async def request(self, peer: bytes, data: bytes, timeout_s: float) -> bytes:
        """See Transport."""
        if len(data) > REQUEST_BYTES:
            raise MessageTooLarge("request", len(data), REQUEST_BYTES)
        self._counters.add("requests_sent")
        replies: list[bytes] = []
        with trio.move_on_after(timeout_s):
            await trio.sleep(self._network.delay_s(self._own_key, peer))
            answered = trio.Event()
            server = self._connected.get(peer)
            if server is None:
                raise RequestFailed(peer, "not connected")
            server.ask(self._own_key, data, replies, answered)
            await answered.wait()
            await trio.sleep(self._network.delay_s(peer, self._own_key))
            if not replies or peer not in self._connected:
                raise RequestFailed(peer, "refused or disconnected")
            return replies[0]
        raise RequestFailed(peer, f"no reply within {timeout_s} s")

    def send(self, peer: bytes, frame: bytes) -> bool:
        """See Transport."""
        if len(frame) > FRAME_BYTES:
            raise MessageTooLarge("frame", len(frame), FRAME_BYTES)
        target = self._connected.get(peer)
        if target is None:
            self._counters.add("frames_unsendable")
            return False
        accepted = target.arrive(self, Frame(self._own_key, frame))
        self._counters.add("frames_sent" if accepted else "frames_dropped")
        return accepted

    def broadcast(self, frame: bytes) -> int:
        """See Transport."""
        return sum(self.send(peer, frame) for peer in tuple(self._connected))

    def peers(self) -> frozenset[bytes]:
        """See Transport."""
        return frozenset(self._connected)

    def knows(self, key: bytes) -> bool:
        """Whether the key is one of our members; asked by the network."""
        return key in self._members

    def path_changed(self, other: "MemoryTransport", connected: bool) -> None:
        """Told by the network; the same other end twice changes nothing."""
        current = self._connected.get(other.own_key)
        if connected and current is not other:
            if current is not None:
                self._schedule(PeerDown(other.own_key), 0.0)
            self._connected[other.own_key] = other
            self._counters.add("peers_up")
            self._schedule(PeerUp(other.own_key), 0.0)
        elif not connected and current is other:
            del self._connected[other.own_key]
            self._counters.add("peers_down")
            self._schedule(PeerDown(other.own_key), 0.0)

    def arrive(self, source: "MemoryTransport", event: Gossip | Frame) -> bool:
        """A message from another end; False when our queue for it is full, or it is no member's."""
        if source.own_key not in self._members:
            self._counters.add("gossip_of_strangers")
            return False
        if self._waiting[source.own_key] >= self._queues.frames_per_peer:
            if isinstance(event, Gossip):
                self._counters.add("gossip_dropped")
            return False
        if not self._network.lose(source.own_key, self._own_key):
            self._waiting[source.own_key] += 1
            self._schedule(event, self._network.delay_s(source.own_key, self._own_key))
        return True

    def ask(self, peer: bytes, data: bytes, replies: list[bytes], answered: trio.Event) -> None:
        """A request from another end: the reply is appended, or nothing when it is refused."""
        if self._handler is None or self._nursery is None:
            answered.set()
        elif self._serving[peer] >= self._queues.requests_in_progress_per_peer:
            self._counters.add("requests_refused")
            answered.set()
        else:
            self._nursery.start_soon(self._answer, self._handler, peer, data, replies, answered)

    async def _answer(
        self, handler: RequestHandler, peer: bytes, data: bytes, replies: list[bytes], answered: trio.Event
    ) -> None:
        self._serving[peer] += 1
        try:
            reply = await handler(peer, data)
        except RequestRefused:
            self._counters.add("requests_refused")
        else:
            if len(reply) > REPLY_BYTES:
                raise MessageTooLarge("reply", len(reply), REPLY_BYTES)
            self._counters.add("requests_served")
            replies.append(reply)
        finally:
            self._serving[peer] -= 1
            answered.set()

    def _reachable(self) -> list["MemoryTransport"]:
        """Members connected to us directly or through others: gossip is relayed."""
        found: dict[bytes, MemoryTransport] = {}
        frontier: list[MemoryTransport] = [self]
        while frontier and len(found) < self._network.size - 1:
            for key, transport in frontier.pop()._connected.items():
                if key not in found and key != self._own_key:
                    found[key] = transport
                    frontier.append(transport)
        return [found[key] for key in sorted(found)]

    def _schedule(self, event: TransportEvent, delay_s: float) -> None:
        source = event.author if isinstance(event, Gossip) else event.peer
        due = max(trio.current_time() + delay_s, self._last_due.get(source, 0.0))
        self._last_due[source] = due
        heapq.heappush(self._incoming, (due, next(self._order), event))
        self._arrived.set()

    async def _deliver(self) -> None:
        while True:
            due = self._incoming[0][0] if self._incoming else math.inf
            if due > trio.current_time():
                self._arrived = trio.Event()
                with trio.move_on_at(due):
                    await self._arrived.wait()
                continue
            _due, _order, event = heapq.heappop(self._incoming)
            if isinstance(event, Gossip | Frame):
                source = event.author if isinstance(event, Gossip) else event.peer
                if source in self._members:
                    await self._events_in.send(event)
                    self._counters.add("gossip_received" if isinstance(event, Gossip) else "frames_received")
                self._waiting[source] -= 1
            else:
                await self._events_in.send(event)
