"""Shell: the persistent stream of frames to each neighbour, one link per connection."""

from collections import deque
from collections.abc import Callable

import trio
from libp2p.abc import INetStream
from libp2p.custom_types import TProtocol
from libp2p.host.basic_host import BasicHost
from libp2p.network.connection.swarm_connection import SwarmConn

from node.constants import FRAME_BYTES, Patience, QueueLimits
from node.transport.counters import Counters
from node.transport.interface import Frame, PeerDown, PeerUp, TransportEvent
from node.transport.libp2p.containment import Contained
from node.transport.libp2p.requests import RequestClient
from node.transport.libp2p.streams import FrameReader, abandon, encode_frame, open_stream

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
    """What we send over one connection to a member: frames, and requests."""

    def __init__(
        self,
        peer: bytes,
        connection: SwarmConn,
        host: BasicHost,
        *,
        frames: TProtocol,
        requests: TProtocol,
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
        self._protocol = frames
        self._queue = FrameQueue(queues)
        self._patience = patience
        self._counters = counters

    def send(self, frame: bytes) -> bool:
        """Queue a frame; False when the link is not up or its queue is full."""
        accepted = self.is_up and self._queue.put(frame)
        if not accepted:
            self._counters.add("frames_dropped" if self.is_up else "frames_unsendable")
        return accepted

    async def run(self, events: trio.MemorySendChannel[TransportEvent]) -> None:
        """Serve the connection until it ends, then see that it is closed."""
        stream: INetStream | None = None
        with Contained(self._counters, "links_failed"):
            stream = await open_stream(self._host, self.connection, self._protocol, self._patience)
        if stream is not None:
            self.is_up = True
            self._counters.add("peers_up")
            await events.send(PeerUp(self.peer))
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._write, stream, nursery.cancel_scope)
                nursery.start_soon(self.requests.run)
                await self.connection.event_closed.wait()
                nursery.cancel_scope.cancel()
            self.is_up = False
            self._counters.add("peers_down")
            await events.send(PeerDown(self.peer))
        with Contained(self._counters, "closes_failed"):
            await self.connection.close()

    async def _write(self, stream: INetStream, link: trio.CancelScope) -> None:
        with Contained(self._counters, "links_failed"):
            while True:
                batch, count = await self._queue.take()
                await stream.write(batch)
                self._counters.add("frames_sent", count)
                self._counters.add("frame_bytes_sent", len(batch))
        link.cancel()


class FrameServer:
    """Reads the frames that peers send: one stream per connection, the newest."""

    def __init__(
        self,
        *,
        accept: Callable[[bytes, int], bool],
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
        self._reading: dict[bytes, trio.CancelScope] = {}

    async def serve(self, peer: bytes, stream: INetStream) -> None:
        """Deliver the frames of one stream until it ends or the peer opens another."""
        before = self._reading.get(peer)
        if before is not None:
            before.cancel()
        reader = FrameReader(stream, FRAME_BYTES, self._patience)
        with trio.CancelScope() as scope:
            self._reading[peer] = scope
            try:
                await self._deliver(peer, reader)
            finally:
                if self._reading.get(peer) is scope:
                    del self._reading[peer]
                await abandon(stream, self._patience)

    async def _deliver(self, peer: bytes, reader: FrameReader) -> None:
        while True:
            data: bytes | None = None
            with Contained(self._counters, "frame_streams_ended"):
                data = await reader.read()
            if data is None:
                return
            if self._accept(peer, len(data)):
                self._counters.add("frames_received")
                await self._events.send(Frame(peer, data))
            else:
                self._counters.add("frames_over_limit")
                self._offend(peer)
