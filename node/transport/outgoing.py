"""Shell: hands a turn's messages to the transport without ever waiting for it."""

from collections.abc import Sequence

import trio

from node import events as ev
from node.constants import PUBLISH_WAITING, REQUEST_TIMEOUT_S, REQUESTS_OPEN
from node.transport.errors import MessageTooLarge, RequestFailed
from node.transport.interface import Transport
from node.transport.introductions import Introductions


class Outgoing:
    """Bounded queues before a transport: what does not fit is lost, and repaired by replication."""

    def __init__(
        self,
        transport: Transport,
        inputs: trio.MemorySendChannel[ev.Input],
        nursery: trio.Nursery,
        introductions: Introductions,
    ) -> None:
        self._transport = transport
        self._introductions = introductions
        self._inputs = inputs
        self._nursery = nursery
        self._open_requests = 0
        self._gossip_in, self._gossip = trio.open_memory_channel[tuple[str, bytes]](PUBLISH_WAITING)

    async def run(self) -> None:
        """Publish what was queued, in order, until cancelled."""
        async for topic, data in self._gossip:
            await self._transport.publish(topic, data)

    def publish(self, topic: str, data: bytes) -> None:
        """Queue a message for gossip."""
        try:
            self._gossip_in.send_nowait((topic, data))
        except trio.WouldBlock:
            return

    def broadcast(self, frame: bytes) -> None:
        """Send a frame to every neighbour."""
        self._transport.broadcast(frame)

    def send(self, peer: bytes, frame: bytes) -> None:
        """Send a frame to one neighbour; to one that is gone it is lost."""
        self._transport.send(peer, frame)

    def request(self, peer: bytes, tag: str, data: bytes) -> None:
        """Ask a peer; the reply, or None for a failure, comes back as an input."""
        self._nursery.start_soon(self._request, peer, tag, data)

    def set_members(self, members: Sequence[tuple[bytes, str]]) -> None:
        """Exactly these feed keys, with the names of their members, may connect."""
        self._introductions.set_members(members)

    async def _request(self, peer: bytes, tag: str, data: bytes) -> None:
        reply: bytes | None = None
        if self._open_requests < REQUESTS_OPEN:
            self._open_requests += 1
            try:
                reply = await self._transport.request(peer, data, REQUEST_TIMEOUT_S)
            except (RequestFailed, MessageTooLarge):
                reply = None
            finally:
                self._open_requests -= 1
        await self._inputs.send(ev.ReplyReceived(peer, tag, reply))
