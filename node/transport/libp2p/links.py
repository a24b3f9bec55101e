"""Shell: the persistent stream of frames to each neighbour, one link per connection.

A stream begins with the number of the sender's run, and each frame with its own, which grows: so a frame that comes
over two paths is taken once, from whichever brings it first.
"""

from collections import deque
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass

import trio
from libp2p.abc import INetStream
from libp2p.custom_types import TProtocol
from libp2p.host.basic_host import BasicHost
from libp2p.network.connection.swarm_connection import SwarmConn

from node.constants import FRAME_BYTES, Patience, QueueLimits
from node.transport.counters import Counters
from node.transport.interface import Frame, TransportEvent
from node.transport.libp2p.containment import Contained
from node.transport.libp2p.requests import RequestClient
from node.transport.libp2p.streams import FrameReader, abandon, encode_frame, open_stream

NUMBER_BYTES = 8
"""Of the number of a run, and of the number before each frame."""

WINDOW_FRAMES = 1024
"""Frames of a peer by which one path may be behind the other without losing any: what a queue holds."""

_BATCH_BYTES = 63 * 1024
"""bytes of queued frames written at once; one frame of the multiplexer."""


class FrameQueue:
    """Frames that wait for a peer to read; what does not fit is refused."""

    def __init__(self, limits: QueueLimits) -> None:
        self._limits = limits
        self._frames: deque[bytes] = deque()
        self._size = 0
        self._filled = trio.Event()

    def put(self, frame: bytes) -> bool:
        """Add a frame; False when there is no room."""
        if (
            len(self._frames) >= self._limits.frames_per_peer
            or self._size + len(frame) > self._limits.frame_bytes_per_peer
        ):
            return False
        self._frames.append(encode_frame(frame))
        self._size += len(frame)
        self._filled.set()
        return True

    async def take(self) -> tuple[bytes, int]:
        """As many frames as are worth one write, joined, and their number; waits for the first."""
        if not self._frames:
            self._filled = trio.Event()
            await self._filled.wait()
        batch = [self._frames.popleft()]
        size = len(batch[0])
        while self._frames and size + len(self._frames[0]) <= _BATCH_BYTES:
            size += len(self._frames[0])
            batch.append(self._frames.popleft())
        self._size = sum(map(len, self._frames)) if self._frames else 0
        return b"".join(batch), len(batch)


class Link:
    """What we send over one connection to a member: frames, requests, and over a second one copies of gossip."""

    def __init__(
        self,
        peer: bytes,
        connection: SwarmConn,
        host: BasicHost,
        *,
        run: bytes,
        frames: TProtocol,
        requests: TProtocol,
        gossip: TProtocol | None,
        queues: QueueLimits,
        patience: Patience,
        counters: Counters,
    ) -> None:
        self.peer = peer
        self.connection = connection
        self.is_up = False
        self.requests = RequestClient(
            peer, lambda: open_stream(host, connection, requests, patience), patience, counters
        )
        self._host = host
        self._run = run
        self._protocol = frames
        self._gossip_protocol = gossip
        self._queue = FrameQueue(queues)
        self._gossip_in, self._gossip = trio.open_memory_channel[bytes](queues.gossip_copies)
        self._patience = patience
        self._counters = counters

    def send(self, number: int, frame: bytes) -> bool:
        """Queue a frame; False when the link is not up or its queue is full."""
        return self.is_up and self._queue.put(number.to_bytes(NUMBER_BYTES, "big") + frame)

    def copy_gossip(self, packet: bytes) -> None:
        """Queue a packet of gossip that goes over the other connection as well."""
        if self.is_up and self._gossip_protocol is not None:
            with suppress(trio.WouldBlock):
                self._gossip_in.send_nowait(packet)

    async def run(
        self, up: Callable[["Link"], Awaitable[None]], down: Callable[["Link"], Awaitable[None]]
    ) -> None:
        """Serve the connection until it ends, then see that it is closed; tells `up` and `down` in between."""
        stream: INetStream | None = None
        with Contained(self._counters, "links_failed"):
            stream = await open_stream(self._host, self.connection, self._protocol, self._patience)
        if stream is not None:
            self.is_up = True
            await up(self)
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._write, stream, nursery.cancel_scope)
                nursery.start_soon(self._write_gossip)
                nursery.start_soon(self.requests.run)
                await self.connection.event_closed.wait()
                nursery.cancel_scope.cancel()
            self.is_up = False
            await down(self)
        with Contained(self._counters, "closes_failed"):
            await self.connection.close()

    async def _write(self, stream: INetStream, link: trio.CancelScope) -> None:
        with Contained(self._counters, "links_failed"):
            await stream.write(encode_frame(self._run))
            while True:
                batch, count = await self._queue.take()
                await stream.write(batch)
                self._counters.add("frames_sent", count)
                self._counters.add("frame_bytes_sent", len(batch))
        link.cancel()

    async def _write_gossip(self) -> None:
        """Only copies: when this fails, nothing is lost that the other connection carries."""
        if self._gossip_protocol is None:
            return
        with Contained(self._counters, "gossip_copies_failed"):
            first = await self._gossip.receive()
            stream = await open_stream(self._host, self.connection, self._gossip_protocol, self._patience)
            await stream.write(first)
            async for packet in self._gossip:
                await stream.write(packet)
                self._counters.add("gossip_copied")


@dataclass(slots=True)
class _Heard:
    """Which frames of a peer's run have come over any of its connections: the anti-replay window of RFC 4303."""

    run: bytes
    highest: int = -1
    window: int = 0

    def is_new(self, number: int) -> bool:
        """Note a frame; False for one that was noted before, or is so old that it may have been."""
        ahead = number - self.highest
        if ahead > 0:
            kept = self.window << ahead if ahead < WINDOW_FRAMES else 0
            self.window = (kept | 1) & ((1 << WINDOW_FRAMES) - 1)
            self.highest = number
            return True
        if -ahead >= WINDOW_FRAMES or self.window >> -ahead & 1:
            return False
        self.window |= 1 << -ahead
        return True


class FrameServer:
    """Reads the frames that peers send: one stream per connection, the newest; a frame that came before is dropped.

    `accept(peer, size, new)` says whether a peer may send so much now, of what is new or a copy.
    """

    def __init__(
        self,
        *,
        accept: Callable[[bytes, int, bool], bool],
        offend: Callable[[bytes], None],
        events: trio.MemorySendChannel[TransportEvent],
        patience: Patience,
        counters: Counters,
    ) -> None:
        self._accept = accept
        self._offend = offend
        self._events = events
        self._patience = patience
        self._counters = counters
        self._reading: dict[tuple[bytes, object], trio.CancelScope] = {}
        self._heard: dict[bytes, _Heard] = {}

    def forget(self, peer: bytes) -> None:
        """The peer is not a member any more."""
        self._heard.pop(peer, None)

    async def serve(self, peer: bytes, stream: INetStream) -> None:
        """Deliver the frames of one stream until it ends or the peer opens another on its connection."""
        place = (peer, stream.muxed_conn)
        before = self._reading.get(place)
        if before is not None:
            before.cancel()
        reader = FrameReader(stream, NUMBER_BYTES + FRAME_BYTES, self._patience)
        with trio.CancelScope() as scope:
            self._reading[place] = scope
            try:
                await self._deliver(peer, reader)
            finally:
                if self._reading.get(place) is scope:
                    del self._reading[place]
                await abandon(stream, self._patience)

    async def _deliver(self, peer: bytes, reader: FrameReader) -> None:
        run = await self._read(reader)
        if run is None or len(run) != NUMBER_BYTES:
            return
        if peer not in self._heard or self._heard[peer].run != run:
            self._heard[peer] = _Heard(run)
        while (data := await self._read(reader)) is not None:
            number, frame = int.from_bytes(data[:NUMBER_BYTES], "big"), data[NUMBER_BYTES:]
            heard = self._heard.get(peer)
            new = heard is not None and heard.run == run and heard.is_new(number)
            if len(data) < NUMBER_BYTES or not self._accept(peer, len(frame), new):
                self._counters.add("frames_over_limit")
                self._offend(peer)
            elif new:
                self._counters.add("frames_received")
                await self._events.send(Frame(peer, frame))
            else:
                self._counters.add("frame_copies_received")

    async def _read(self, reader: FrameReader) -> bytes | None:
        with Contained(self._counters, "frame_streams_ended"):
            return await reader.read()
        return None
