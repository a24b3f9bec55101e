"""Shell: the node's transport on libp2p: TCP, Noise, Yamux, GossipSub 1.1, and three protocols of our own.

entries, capacity   GossipSub topics `<cell>/entries`, `<cell>/capacity`
frames              one persistent stream per connection and direction, `/wattswarm/<cell>/frames/2`
requests            one persistent stream per connection and direction, `/wattswarm/<cell>/requests/1`
"""

import secrets
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

import trio
from libp2p.abc import INetStream
from libp2p.custom_types import TProtocol
from libp2p.host.basic_host import BasicHost
from libp2p.network.connection.swarm_connection import SwarmConn
from libp2p.peer.id import ID
from libp2p.pubsub.gossipsub import PROTOCOL_ID_V11
from libp2p.tools.anyio_service import background_trio_service
from nacl.signing import SigningKey

from node.constants import (
    FRAME_BYTES,
    GOSSIP_BYTES,
    REQUEST_BYTES,
    TOPICS,
    ConnectionLimits,
    Patience,
    QueueLimits,
    RateLimits,
)
from node.transport.counters import Counters
from node.transport.errors import AddressInUse, MessageTooLarge
from node.transport.interface import Gossip, RequestHandler, TransportEvent
from node.transport.libp2p.containment import quiet_library
from node.transport.libp2p.gossip import MembersGossip, MembersPubsub
from node.transport.libp2p.identity import peer_id_of, public_key_of
from node.transport.libp2p.links import NUMBER_BYTES, FrameServer, Link
from node.transport.libp2p.paths import Paths
from node.transport.libp2p.requests import RequestServer
from node.transport.libp2p.supervisor import Supervisor
from node.transport.libp2p.swarm import MembersHost, MembersSwarm, check_library
from node.transport.libp2p.yamux import YamuxConnection
from node.transport.rates import PeerRates, TokenBucket

if TYPE_CHECKING:
    from trio_typing import TaskStatus

_ServeStream = Callable[[bytes, INetStream], Awaitable[None]]


class Libp2pTransport:
    """A Transport over the network. `listen` are multiaddresses such as /ip4/0.0.0.0/tcp/4001; port 0 is any.

    Raises UnsupportedLibrary when another version of the library is installed.
    """

    def __init__(
        self,
        signing_key: SigningKey,
        cell_id: bytes,
        listen: Sequence[str],
        *,
        rates: RateLimits | None = None,
        queues: QueueLimits | None = None,
        limits: ConnectionLimits | None = None,
        patience: Patience | None = None,
    ) -> None:
        check_library()
        quiet_library()
        self._signing_key = signing_key
        self._own_key = bytes(signing_key.verify_key)
        self._listen = tuple(listen)
        self._rates = rates or RateLimits()
        self._queues = queues or QueueLimits()
        self._limits = limits or ConnectionLimits()
        self._patience = patience or Patience()
        self._topic_names = {f"{cell_id.hex()}/{topic}": topic for topic in TOPICS}
        self._frames_protocol = TProtocol(f"/wattswarm/{cell_id.hex()}/frames/2")
        self._requests_protocol = TProtocol(f"/wattswarm/{cell_id.hex()}/requests/1")
        self._counters = Counters()
        self._addresses: dict[bytes, tuple[str, ...]] = {}
        self._peer_rates: dict[bytes, PeerRates] = {}
        self._author_rates: dict[bytes, TokenBucket] = {}
        self._events_in, self._events = trio.open_memory_channel[TransportEvent](self._queues.events)
        self._run_number = secrets.token_bytes(NUMBER_BYTES)
        self._paths = Paths(self._events_in, self._link_ended, self._patience, self._counters)
        self._frame_server = FrameServer(
            accept=self._accept_frame,
            offend=self._offend,
            events=self._events_in,
            patience=self._patience,
            counters=self._counters,
        )
        self._request_server = RequestServer(
            accept=self._accept_request,
            offend=self._offend,
            queues=self._queues,
            patience=self._patience,
            counters=self._counters,
        )
        self._nursery: trio.Nursery | None = None
        self._swarm: MembersSwarm | None = None
        self._host: BasicHost | None = None
        self._pubsub: MembersPubsub | None = None
        self._supervisor: Supervisor | None = None

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
        swarm = self._create_swarm()
        host = MembersHost(swarm)
        router = MembersGossip(self._counters, self._limits, self._copy_gossip)
        pubsub = self._create_pubsub(host, router)
        supervisor = Supervisor(
            swarm, self._own_key, may_dial=self._is_welcome, patience=self._patience, counters=self._counters
        )
        supervisor.set_members(self._addresses)
        host.set_stream_handler(self._frames_protocol, self._serving(self._frame_server.serve))
        host.set_stream_handler(self._requests_protocol, self._serving(self._request_server.serve))
        self._swarm, self._host, self._pubsub, self._supervisor = swarm, host, pubsub, supervisor
        in_use: AddressInUse | None = None  # raised at the end, outside of the library's exception groups
        try:
            async with background_trio_service(swarm), trio.open_nursery() as self._nursery:
                try:
                    async with background_trio_service(pubsub), background_trio_service(router):
                        await pubsub.wait_until_ready()
                        for topic in self._topic_names:
                            await pubsub.subscribe(topic)
                        try:
                            task_status.started(await self._start_listening(swarm))
                        except AddressInUse as error:
                            in_use = error
                        else:
                            await supervisor.run()
                finally:
                    deadline = trio.current_time() + self._patience.close_timeout_s
                    with trio.CancelScope(shield=True, deadline=deadline):
                        await host.close()
        finally:
            pubsub.seen_messages.stop()
            self._nursery = self._swarm = self._host = self._pubsub = self._supervisor = None
            self._paths.clear()
        if in_use is not None:
            raise in_use

    def set_members(self, addresses: Mapping[bytes, tuple[str, ...]]) -> None:
        """See Transport."""
        self._addresses = {key: tuple(places) for key, places in addresses.items() if key != self._own_key}
        for known in (self._peer_rates, self._author_rates):
            for key in known.keys() - self._addresses.keys():
                del known[key]
                self._frame_server.forget(key)
        if self._supervisor is not None:
            self._supervisor.set_members(self._addresses)

    def serve(self, handler: RequestHandler) -> None:
        """See Transport."""
        self._request_server.handler = handler

    async def publish(self, topic: str, data: bytes) -> None:
        """See Transport."""
        if topic not in TOPICS:
            raise ValueError(f"no topic {topic!r}; there are {', '.join(TOPICS)}")
        if len(data) > GOSSIP_BYTES:
            raise MessageTooLarge("gossip", len(data), GOSSIP_BYTES)
        await trio.lowlevel.checkpoint()
        if self._pubsub is not None:
            self._counters.add("gossip_published")
            await self._pubsub.publish(self._full_topic(topic), data)

    async def request(self, peer: bytes, data: bytes, timeout_s: float) -> bytes:
        """See Transport."""
        if len(data) > REQUEST_BYTES:
            raise MessageTooLarge("request", len(data), REQUEST_BYTES)
        return await self._paths.request(peer, data, timeout_s)

    def send(self, peer: bytes, frame: bytes) -> bool:
        """See Transport."""
        if len(frame) > FRAME_BYTES:
            raise MessageTooLarge("frame", len(frame), FRAME_BYTES)
        return self._paths.send(peer, frame)

    def broadcast(self, frame: bytes) -> int:
        """See Transport."""
        return sum(self.send(peer, frame) for peer in self.peers())

    def peers(self) -> frozenset[bytes]:
        """See Transport."""
        return self._paths.peers()

    def _create_swarm(self) -> MembersSwarm:
        return MembersSwarm(
            self._signing_key,
            allowed=lambda peer_id: self._admits(public_key_of(peer_id.to_bytes())),
            on_connection=self._connected,
            on_replaced=self._replaced,
            limits=self._limits,
            patience=self._patience,
            counters=self._counters,
        )

    def _create_pubsub(self, host: BasicHost, router: MembersGossip) -> MembersPubsub:
        return MembersPubsub(
            host,
            router,
            topics=frozenset(self._topic_names),
            allow=self._accept_gossip,
            offend=lambda peer_id: self._offend(public_key_of(peer_id.to_bytes())),
            deliver=self._deliver_gossip,
            limits=self._limits,
            counters=self._counters,
        )

    async def _start_listening(self, swarm: MembersSwarm) -> tuple[str, ...]:
        absent = await swarm.listen_at(self._listen)
        if absent:
            assert self._nursery is not None
            self._nursery.start_soon(self._listen_later, swarm, absent)
        return tuple(
            str(address) for listener in swarm.listeners.values() for address in listener.get_addrs()
        )

    async def _listen_later(self, swarm: MembersSwarm, absent: tuple[str, ...]) -> None:
        """An interface that was down at the start may come up, and what is taken by then is left alone."""
        while absent:
            self._counters.add("addresses_absent", len(absent))
            await trio.sleep(self._patience.redial_longest_s)
            with suppress(AddressInUse):
                absent = await swarm.listen_at(absent)

    def _serving(self, serve: _ServeStream) -> Callable[[INetStream], Awaitable[None]]:
        """A handler for the library that runs ours where its exceptions end the transport, not the stream."""

        async def handler(stream: INetStream) -> None:
            peer = public_key_of(stream.muxed_conn.peer_id.to_bytes())
            ended = trio.Event()

            async def run() -> None:
                await serve(peer, stream)
                ended.set()

            if self._nursery is not None:
                self._nursery.start_soon(run)
                await ended.wait()

        return handler

    def _connected(self, connection: SwarmConn) -> None:
        assert self._host is not None and self._nursery is not None and self._supervisor is not None
        peer = public_key_of(connection.muxed_conn.peer_id.to_bytes())
        beside = isinstance(connection.muxed_conn, YamuxConnection) and connection.muxed_conn.beside
        link = Link(
            peer,
            connection,
            self._host,
            run=self._run_number,
            frames=self._frames_protocol,
            requests=self._requests_protocol,
            gossip=TProtocol(PROTOCOL_ID_V11) if beside else None,
            queues=self._queues,
            patience=self._patience,
            counters=self._counters,
        )
        self._paths.add(link, beside=beside)
        self._supervisor.connected(peer, connection, beside=beside)
        self._nursery.start_soon(self._paths.run, link)

    def _link_ended(self, peer: bytes, beside: bool) -> None:
        if self._supervisor is not None:
            self._supervisor.disconnected(peer, beside=beside)

    def _copy_gossip(self, peer_id: ID, packet: bytes) -> None:
        self._paths.copy_gossip(public_key_of(peer_id.to_bytes()), packet)

    def _replaced(self, peer_id: ID) -> None:
        if self._pubsub is not None:
            self._pubsub.forget_peer(peer_id)

    def _admits(self, key: bytes) -> bool:
        welcome = self._is_welcome(key)
        if not welcome:
            self._counters.add("banned_refused" if key in self._addresses else "strangers_refused")
        return welcome

    def _is_welcome(self, key: bytes) -> bool:
        return key in self._addresses and trio.current_time() >= self._rates_of(key).banned_until_s

    def _accept_frame(self, peer: bytes, size: int, new: bool) -> bool:
        rates, now_s = self._rates_of(peer), trio.current_time()
        frames = rates.frames if new else rates.copies
        return peer in self._addresses and frames.take(1, now_s) and rates.size.take(size, now_s)

    def _accept_request(self, peer: bytes, size: int) -> bool:
        rates, now_s = self._rates_of(peer), trio.current_time()
        return peer in self._addresses and rates.requests.take(1, now_s) and rates.size.take(size, now_s)

    def _accept_gossip(self, forwarder: ID, author: bytes | None) -> bool:
        now_s = trio.current_time()
        if author is None:
            peer = public_key_of(forwarder.to_bytes())
            accepted = peer in self._addresses and self._rates_of(peer).gossip.take(1, now_s)
            if not accepted:
                self._counters.add("gossip_over_limit")
                self._offend(peer)
            return accepted
        if author not in self._addresses:
            self._counters.add("gossip_of_strangers")
            return False
        bucket = self._author_rates.get(author)
        if bucket is None:
            bucket = TokenBucket(self._rates.gossip_per_author, self._rates.gossip_burst, now_s)
            self._author_rates[author] = bucket
        accepted = bucket.take(1, now_s)
        if not accepted:
            self._counters.add("gossip_over_limit")
        return accepted

    def _deliver_gossip(self, topic: str, author: bytes, data: bytes) -> None:
        try:
            self._events_in.send_nowait(Gossip(self._topic_names[topic], author, data))
            self._counters.add("gossip_received")
        except trio.WouldBlock:
            self._counters.add("gossip_dropped")

    def _offend(self, peer: bytes) -> None:
        self._counters.add("offences")
        if self._rates_of(peer).offend(trio.current_time()):
            self._counters.add("bans")
            if self._swarm is not None:
                self._swarm.disconnect(peer_id_of(peer))

    def _rates_of(self, peer: bytes) -> PeerRates:
        rates = self._peer_rates.get(peer)
        if rates is None:
            rates = PeerRates(self._rates, self._patience, trio.current_time())
            if peer in self._addresses:
                self._peer_rates[peer] = rates
        return rates

    def _full_topic(self, topic: str) -> str:
        return next(full for full, short in self._topic_names.items() if short == topic)
