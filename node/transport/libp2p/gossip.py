"""Shell: the library's GossipSub 1.1, made to survive any packet, to keep its mesh, and to cost less.

What is kept of the library is the protocol: subscriptions, mesh, heartbeat, IHAVE and IWANT. What is replaced is what a
peer's bytes touch first (reading, checking) and the path of a message, which the library walks once per peer with a
task, a copy and a signed address record each.
"""

import time
from collections.abc import Callable

import trio
from libp2p.abc import IHost, INetStream
from libp2p.custom_types import TProtocol
from libp2p.network.stream.exceptions import StreamError
from libp2p.peer.id import ID
from libp2p.pubsub.gossipsub import PROTOCOL_ID_V11, GossipSub
from libp2p.pubsub.pb import rpc_pb2
from libp2p.pubsub.pubsub import Pubsub
from libp2p.pubsub.rpc_queue import RpcQueue
from libp2p.pubsub.validators import PUBSUB_SIGNING_PREFIX
from libp2p.utils import encode_varint_prefixed
from nacl.exceptions import BadSignatureError
from nacl.signing import VerifyKey

from node.constants import GOSSIP_BYTES, ConnectionLimits
from node.transport.counters import Counters
from node.transport.errors import TransportError
from node.transport.libp2p.containment import Contained
from node.transport.libp2p.identity import NotAMemberKeyError, public_key_of

_SIGNED_PREFIX = PUBSUB_SIGNING_PREFIX.encode()
_SEQUENCE_BYTES = 8
_VARINT_BYTES = 5
_BATCH_BYTES = 32 * 1024
"""bytes of queued packets written at once; one frame of the multiplexer."""


class BadGossipError(TransportError):
    """The peer's fault: a packet or message that no correct member sends."""


class MembersPubsub(Pubsub):
    """Delivers each message once to `deliver(topic, author, data)`, which returns at once and may refuse it.

    `allow(peer, author)` says whether this peer may relay, and this author write, one more message now; it is asked
    with author None before the signature is checked and with the author after that, so that nobody can use up the
    allowance of another.
    """

    def __init__(
        self,
        host: IHost,
        router: "MembersGossip",
        *,
        topics: frozenset[str],
        allow: Callable[[ID, bytes | None], bool],
        offend: Callable[[ID], None],
        deliver: Callable[[str, bytes, bytes], None],
        limits: ConnectionLimits,
        counters: Counters,
    ) -> None:
        super().__init__(host, router, allowed_topics=topics, max_inbound_rpc_size=limits.gossip_batch_bytes)
        self.counter = time.time_ns()  # the library's seconds repeat after a restart: everything looks seen
        self._topics = topics
        self._allow = allow
        self._offend = offend
        self._deliver = deliver
        self._limits = limits
        self._counters = counters

    async def continuously_read_stream(self, stream: INetStream) -> None:
        """Read packets until the stream ends or the peer sends garbage."""
        peer = stream.muxed_conn.peer_id
        buffer = bytearray()
        with Contained(self._counters, "gossip_malformed") as outcome:
            while True:
                packet = await _read_packet(stream, buffer, self._limits.gossip_batch_bytes)
                if packet is None:
                    break
                await self._receive(peer, rpc_pb2.RPC.FromString(packet))
        if outcome.failed:
            self._offend(peer)
            await stream.reset()

    async def push_msg(self, msg_forwarder: ID, msg: rpc_pb2.Message) -> None:
        """Deliver and relay a message that is new and correct."""
        if self._is_msg_seen(msg):
            return
        if msg_forwarder != self.my_id:
            author = self._check(msg_forwarder, msg)
            if author is None:
                return
            self._deliver(msg.topicIDs[0], author, msg.data)
        self._mark_msg_seen(msg)
        await self.router.publish(msg_forwarder, msg)

    async def handle_sending_messages(self, peer_id: ID, stream: INetStream, queue: RpcQueue) -> None:
        """Called by the library for each peer: a longer queue, and what has gathered in it goes out at once."""
        queue._queue.max_size = self._limits.gossip_queue
        while (packet := await queue.pop()) is not None:
            batch = bytearray(_encode(packet))
            while len(batch) < _BATCH_BYTES and (packet := queue._queue.pop()) is not None:
                batch += _encode(packet)
            if not await self.write_msg(stream, bytes(batch)):
                return

    async def write_msg(self, stream: INetStream, rpc_msg: rpc_pb2.RPC | bytes) -> bool:
        """Send a packet, or the bytes of one that goes to several peers."""
        if isinstance(rpc_msg, rpc_pb2.RPC):
            return await super().write_msg(stream, rpc_msg)
        with Contained(self._counters, "gossip_unsendable"):
            await stream.write(rpc_msg)
            return True
        self._handle_dead_peer(stream.muxed_conn.peer_id)
        return False

    def forget_peer(self, peer_id: ID) -> None:
        """The peer's connection is gone or replaced; its streams with it."""
        self._handle_dead_peer(peer_id)

    async def _handle_new_peer(self, peer_id: ID) -> None:
        """Open our stream to the peer; again, if its connection was replaced meanwhile."""
        await super()._handle_new_peer(peer_id)
        stream = self.peers.get(peer_id)
        current = [connection.muxed_conn for connection in self.host.get_network().get_connections(peer_id)]
        if stream is not None and stream.muxed_conn not in current:
            self._handle_dead_peer(peer_id)

    async def _receive(self, peer: ID, packet: rpc_pb2.RPC) -> None:
        """Signed address records are left alone: addresses come from the cell, and each check costs a signature."""
        if len(packet.publish) > self._limits.gossip_batch_messages:
            raise BadGossipError(f"packet of {len(packet.publish)} messages")
        if len(packet.subscriptions) > len(self._topics) * 4:
            raise BadGossipError(f"packet of {len(packet.subscriptions)} subscriptions")
        for message in packet.publish:
            if self._is_subscribed_to_msg(message):
                await self.push_msg(peer, message)
                await trio.lowlevel.checkpoint()
        for subscription in packet.subscriptions:
            self.handle_subscription(peer, subscription)
        if packet.HasField("control"):
            await self.router.handle_rpc(packet, peer)

    def _check(self, forwarder: ID, message: rpc_pb2.Message) -> bytes | None:
        """The author, or None when a limit is reached. Raises BadGossipError."""
        if len(message.topicIDs) != 1 or message.topicIDs[0] not in self._topics:
            raise BadGossipError(f"message for {len(message.topicIDs)} topics")
        if len(message.data) > GOSSIP_BYTES or len(message.seqno) != _SEQUENCE_BYTES:
            raise BadGossipError(f"message of {len(message.data)} bytes, sequence of {len(message.seqno)}")
        if message.from_id == self.my_id.to_bytes() or not self._allow(forwarder, None):
            return None
        signed = rpc_pb2.Message(
            data=message.data, topicIDs=message.topicIDs, from_id=message.from_id, seqno=message.seqno
        )
        try:
            author = public_key_of(message.from_id)
            VerifyKey(author).verify(_SIGNED_PREFIX + signed.SerializeToString(), message.signature)
        except (NotAMemberKeyError, BadSignatureError, ValueError) as error:
            raise BadGossipError(f"message without a valid signature: {error}") from error
        return author if self._allow(forwarder, author) else None


class MembersGossip(GossipSub):
    """The router: a mesh of four per topic that does not collapse, and gossip to everybody outside it.

    `copy(peer, packet)` is given what is published to a peer, to be sent over its second connection too.
    """

    def __init__(
        self, counters: Counters, limits: ConnectionLimits, copy: Callable[[ID, bytes], None]
    ) -> None:
        super().__init__(
            protocols=[TProtocol(PROTOCOL_ID_V11)],
            degree=4,
            degree_low=3,
            degree_high=16,
            heartbeat_interval=1,
            prune_back_off=10,
            do_px=False,
            adaptive_gossip_enabled=False,
            spam_protection_enabled=False,
            eclipse_protection_enabled=False,
        )
        self._counters = counters
        self._limits = limits
        self._copy = copy

    async def publish(self, msg_forwarder: ID, pubsub_msg: rpc_pb2.Message) -> None:
        """Queue a message for the mesh, encoded once for all of it."""
        assert self.pubsub is not None
        self.mcache.put(pubsub_msg)
        packet: bytes | None = None
        author = ID(pubsub_msg.from_id)
        for topic in pubsub_msg.topicIDs:
            for peer in self.mesh.get(topic, ()):
                queue = self.pubsub.peer_queues.get(peer)
                if queue is None or peer in (msg_forwarder, author):
                    continue
                if packet is None:
                    packet = encode_varint_prefixed(rpc_pb2.RPC(publish=[pubsub_msg]).SerializeToString())
                if not queue.push(packet):  # type: ignore[arg-type]  # write_msg takes both
                    self._counters.add("gossip_queue_full")
                self._copy(peer, packet)

    async def handle_rpc(self, rpc: rpc_pb2.RPC, sender_peer_id: ID) -> None:
        """Act on control messages about our topics; never connect to peers that others recommend."""
        control = rpc.control
        for ihave in control.ihave:
            if ihave.topicID in self.mesh:
                await self.handle_ihave(ihave, sender_peer_id)
        for iwant in control.iwant:
            await self.handle_iwant(iwant, sender_peer_id)
        for graft in control.graft:
            if graft.topicID in self.mesh:
                await self.handle_graft(graft, sender_peer_id)
        for prune in control.prune:
            if prune.topicID in self.mesh:
                prune.ClearField("peers")
                await self.handle_prune(prune, sender_peer_id)

    async def handle_iwant(self, iwant_msg: rpc_pb2.ControlIWant, sender_peer_id: ID) -> None:
        """Send what is asked for in packets that the other end accepts."""
        wanted = list(dict.fromkeys(iwant_msg.messageIDs))
        step = self._limits.gossip_batch_bytes // (2 * GOSSIP_BYTES)
        for start in range(0, len(wanted), step):
            await super().handle_iwant(
                rpc_pb2.ControlIWant(messageIDs=wanted[start : start + step]), sender_peer_id
            )

    def gossip_heartbeat(self) -> dict[ID, dict[str, list[bytes]]]:  # type: ignore[override]  # its reader needs no default
        """Tell all peers outside the mesh what we have; the library leaves out those in back-off."""
        assert self.pubsub is not None
        announcements: dict[ID, dict[str, list[bytes]]] = {}
        for topic, meshed in self.mesh.items():
            recent = list(self.mcache.window(topic))
            if recent:
                for peer in self.pubsub.peer_topics.get(topic, set()) - meshed:
                    announcements.setdefault(peer, {})[topic] = recent
        return announcements

    def _perform_opportunistic_grafting(self, topic: str, peers_to_graft: dict[ID, list[str]]) -> int:
        """Not done: without scores it grows every mesh until it is pruned, and back-off then isolates nodes."""
        return 0


def _encode(packet: rpc_pb2.RPC | bytes) -> bytes:
    return packet if isinstance(packet, bytes) else encode_varint_prefixed(packet.SerializeToString())


async def _read_packet(stream: INetStream, buffer: bytearray, limit: int) -> bytes | None:
    """The next length-prefixed packet, or None at the end of the stream. Raises BadGossipError."""
    while True:
        size = shift = 0
        for index, byte in enumerate(buffer[:_VARINT_BYTES]):
            size |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                end = index + 1 + size
                if size > limit:
                    raise BadGossipError(f"packet of {size} bytes")
                if len(buffer) < end:
                    break
                packet = bytes(buffer[index + 1 : end])
                del buffer[:end]
                return packet
        else:
            if len(buffer) >= _VARINT_BYTES:
                raise BadGossipError("packet without a length")
        try:
            buffer += await stream.read()
        except StreamError:
            return None
