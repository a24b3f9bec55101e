"""Hostile peers, built from the unhardened library, that act at every layer a packet can reach."""

import struct
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import trio
from libp2p import new_host
from libp2p.crypto.ed25519 import create_new_key_pair
from libp2p.crypto.x25519 import create_new_key_pair as create_noise_key_pair
from libp2p.host.basic_host import BasicHost
from libp2p.network.stream.net_stream import NetStream
from libp2p.peer.peerinfo import PeerInfo
from libp2p.pubsub.gossipsub import PROTOCOL_ID_V11
from libp2p.pubsub.pb import rpc_pb2
from libp2p.security.insecure.transport import PLAINTEXT_PROTOCOL_ID, InsecureTransport
from libp2p.security.noise.transport import PROTOCOL_ID as NOISE
from libp2p.security.noise.transport import Transport as NoiseTransport
from libp2p.security.secio import transport as secio
from libp2p.security.tls.transport import PROTOCOL_ID as TLS
from libp2p.security.tls.transport import TLSTransport
from libp2p.stream_muxer.mplex.mplex import MPLEX_PROTOCOL_ID, Mplex
from libp2p.stream_muxer.yamux.yamux import PROTOCOL_ID as YAMUX
from libp2p.stream_muxer.yamux.yamux import Yamux
from libp2p.utils import encode_varint_prefixed
from multiaddr import Multiaddr
from transport_cells import CELL_ID, Running, signing_key

from node.transport.libp2p.identity import peer_id_of

ENTRIES = f"{CELL_ID.hex()}/entries"
FRAMES = f"/wattswarm/{CELL_ID.hex()}/frames/2"
REQUESTS = f"/wattswarm/{CELL_ID.hex()}/requests/1"
SECURITY = ("noise", "plaintext", "secio", "tls")
MUXERS = ("yamux", "mplex")


def _security(name: str, key_pair: Any) -> Mapping[Any, Any]:
    if name == "plaintext":
        return {PLAINTEXT_PROTOCOL_ID: InsecureTransport(key_pair)}
    if name == "secio":
        return {secio.ID: secio.Transport(key_pair)}
    if name == "tls":
        return {TLS: TLSTransport(key_pair)}
    return {NOISE: NoiseTransport(key_pair, noise_privkey=create_noise_key_pair().private_key)}


class Attacker:
    """A peer with the key of a test member, connected or not, that can send anything."""

    def __init__(self, number: int, security: str = "noise", muxer: str = "yamux") -> None:
        key_pair = create_new_key_pair(bytes(signing_key(number)))
        self.signing_key = signing_key(number)
        self.peer_id = peer_id_of(bytes(self.signing_key.verify_key))
        self.host: BasicHost = new_host(  # type: ignore[assignment]
            key_pair=key_pair,
            sec_opt=_security(security, key_pair),
            muxer_opt={YAMUX: Yamux} if muxer == "yamux" else {MPLEX_PROTOCOL_ID: Mplex},
        )
        self.victim = self.peer_id
        self.host.set_stream_handler(FRAMES, _never_read)  # type: ignore[arg-type]  # or the victim would leave

    @asynccontextmanager
    async def running(self) -> AsyncIterator["Attacker"]:
        """Run without listening, and leave nothing behind."""
        async with self.host.run([]):
            try:
                yield self
            finally:
                with trio.CancelScope(shield=True, deadline=trio.current_time() + 2):
                    await self.host.close()

    async def connect(self, victim: Running) -> None:
        """Raises what the library raises when the victim refuses."""
        self.victim = peer_id_of(victim.key)
        self.host.get_network()._negative_peer_cache.evict(str(self.victim))  # type: ignore[attr-defined]
        with trio.fail_after(5):
            await self.host.connect(PeerInfo(self.victim, [Multiaddr(victim.addresses[0])]))

    @property
    def is_connected(self) -> bool:
        """Whether the attacker still sees its connection open."""
        return any(not connection.is_closed for connection in self._connections())

    @property
    def multiplexer(self) -> Yamux:
        """The attacker's own, whose frames can be forged."""
        return self._connections()[0].muxed_conn  # type: ignore[return-value]

    async def open_stream(self, protocol: str) -> NetStream:
        """A negotiated stream to the victim."""
        return await self.host.new_stream(self.victim, [protocol])  # type: ignore[list-item,return-value]

    async def open_gossip(self) -> NetStream:
        """A gossip stream, subscribed to the entries."""
        stream = await self.open_stream(PROTOCOL_ID_V11)
        hello = rpc_pb2.RPC(subscriptions=[rpc_pb2.RPC.SubOpts(subscribe=True, topicid=ENTRIES)])
        await stream.write(packet(hello))
        return stream

    async def send_yamux(self, kind: int, flags: int, stream_id: int, length: int, body: bytes = b"") -> None:
        """Any frame, whether or not it makes sense."""
        await self.multiplexer._write_frame(struct.pack("!BBHII", 0, kind, flags, stream_id, length) + body)

    def message(self, sequence: int, data: bytes = b"tiny", topic: str = ENTRIES) -> rpc_pb2.Message:
        """A correctly signed gossip message."""
        message = rpc_pb2.Message(
            data=data,
            topicIDs=[topic],
            from_id=self.peer_id.to_bytes(),
            seqno=sequence.to_bytes(8, "big"),
        )
        message.signature = self.signing_key.sign(b"libp2p-pubsub:" + message.SerializeToString()).signature
        return message

    def _connections(self) -> list[Any]:
        return self.host.get_network().get_connections(self.victim)


async def _never_read(_stream: object) -> None:
    await trio.sleep_forever()


def packet(rpc: rpc_pb2.RPC) -> bytes:
    """A gossip packet as it goes over the stream."""
    return encode_varint_prefixed(rpc.SerializeToString())
