"""The library's own behaviour, put back piece by piece to show what each fix is for."""

from typing import Any

import trio
from libp2p.crypto.ed25519 import create_new_key_pair
from libp2p.network.exceptions import SwarmException
from libp2p.network.swarm import Swarm
from libp2p.peer.id import ID
from libp2p.security.insecure.transport import PLAINTEXT_PROTOCOL_ID, InsecureTransport
from libp2p.security.secio import transport as secio
from libp2p.security.tls.transport import PROTOCOL_ID as TLS
from libp2p.security.tls.transport import TLSTransport
from libp2p.stream_muxer.mplex.mplex import MPLEX_PROTOCOL_ID, Mplex
from libp2p.stream_muxer.muxer_multistream import MuxerMultistream
from libp2p.stream_muxer.yamux.yamux import PROTOCOL_ID as YAMUX
from libp2p.stream_muxer.yamux.yamux import Yamux
from libp2p.transport.upgrader import TransportUpgrader
from multiaddr import Multiaddr
from transport_cells import signing_key

from node.transport.libp2p.swarm import MembersSwarm


class StockYamux(Yamux):
    """The library's multiplexer, made from the arguments of ours."""

    beside = False

    def __init__(self, conn: Any, peer_id: ID, **_bounds: object) -> None:
        super().__init__(conn, peer_id)


def upgrader_of_member_0(noise: dict[Any, Any], muxers: dict[Any, Any]) -> TransportUpgrader:
    """What `new_host` offers by default, Noise last, for the node with the key of member 0."""
    key_pair = create_new_key_pair(bytes(signing_key(0)))
    offers = {
        TLS: TLSTransport(key_pair),
        secio.ID: secio.Transport(key_pair),
        PLAINTEXT_PROTOCOL_ID: InsecureTransport(key_pair),
        **noise,
    }
    return TransportUpgrader(offers, muxers)


def both_muxers(*_bounds: object) -> MuxerMultistream:
    """Yamux and mplex, unbounded."""
    return MuxerMultistream({YAMUX: Yamux, MPLEX_PROTOCOL_ID: Mplex}, 5)


async def dial_by_the_library(swarm: MembersSwarm, address: Multiaddr, peer_id: ID) -> None:
    """With its retries, its penalty of 60 s, and all addresses it was ever told."""
    swarm.peerstore.add_addrs(peer_id, [address], 3600)
    try:
        await Swarm.dial_peer(swarm, peer_id)
    except SwarmException:
        swarm._counters.add("dials_failed")


async def do_nothing(*_arguments: object, **_options: object) -> None:
    """In the place of a step that the library does not take."""
    await trio.lowlevel.checkpoint()
