"""The changes to the library's gossip, each with what happens without it, and what is switched off."""

import logging
from collections.abc import AsyncIterator

import pytest
import trio
from libp2p.pubsub.gossipsub import GossipSub
from libp2p.pubsub.pubsub import Pubsub
from transport_cells import Libp2pCell, Running, connected, until

from node.transport.libp2p.adapter import Libp2pTransport
from node.transport.libp2p.gossip import MembersGossip, MembersPubsub
from node.transport.libp2p.identity import peer_id_of


@pytest.fixture
async def cell() -> AsyncIterator[Libp2pCell]:
    async with trio.open_nursery() as nursery:
        yield Libp2pCell(nursery)
        nursery.cancel_scope.cancel()


def adapter(member: Running) -> Libp2pTransport:
    assert isinstance(member.transport, Libp2pTransport)
    return member.transport


async def meshed_pair(cell: Libp2pCell) -> tuple[Running, Running]:
    one, other = await cell.start(0), await cell.start(1)
    cell.introduce(one, other)
    await connected(one, other)
    for member in (one, other):
        pubsub = adapter(member)._pubsub
        assert pubsub is not None
        await until(lambda pubsub=pubsub: all(pubsub.router.mesh.values()))
    return one, other


async def deliver_outside_the_mesh(cell: Libp2pCell) -> bool:
    """Whether a message reaches a peer that was pruned and must not be grafted again for long."""
    one, other = await meshed_pair(cell)
    for member, peer in ((one, other), (other, one)):
        pubsub = adapter(member)._pubsub
        assert pubsub is not None
        for topic, mesh in pubsub.router.mesh.items():
            mesh.clear()
            pubsub.router._add_back_off(peer_id_of(peer.key), topic, False, 3600)
    await one.transport.publish("entries", b"for everybody")
    with trio.move_on_after(5):
        await until(lambda: bool(other.gossip()))
    return bool(other.gossip())


async def test_a_peer_in_back_off_still_hears_of_messages(cell: Libp2pCell) -> None:
    assert await deliver_outside_the_mesh(cell)


async def test_without_the_fix_a_peer_in_back_off_hears_nothing(
    cell: Libp2pCell, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(MembersGossip, "gossip_heartbeat", GossipSub.gossip_heartbeat)
    assert not await deliver_outside_the_mesh(cell)


async def deliver_burst(cell: Libp2pCell) -> int:
    one, other = await meshed_pair(cell)
    pubsub = adapter(one)._pubsub
    assert pubsub is not None
    pubsub.router.heartbeat_interval = 3600
    for number in range(150):
        await pubsub.publish(next(iter(adapter(one)._topic_names)), b"%d" % number)
    with trio.move_on_after(3):
        await until(lambda: len(other.gossip()) == 150)
    return len(other.gossip())


async def test_a_burst_fits_the_queue_of_a_peer(cell: Libp2pCell) -> None:
    assert await deliver_burst(cell) == 150


async def test_without_the_fix_most_of_a_burst_is_dropped(
    cell: Libp2pCell, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(MembersPubsub, "handle_sending_messages", Pubsub.handle_sending_messages)
    assert await deliver_burst(cell) < 150


async def test_the_library_neither_dials_nor_collects_addresses_of_its_own(cell: Libp2pCell) -> None:
    one, other = await meshed_pair(cell)
    swarm = adapter(one)._swarm
    assert swarm is not None
    assert peer_id_of(other.key) not in swarm.peerstore.peers_with_addrs()
    assert swarm._resource_manager is None
    before = one.transport.counters["connections"]
    await swarm.auto_connector.maybe_connect()
    assert one.transport.counters["connections"] == before


async def test_the_library_writes_no_log_that_a_peer_could_flood(cell: Libp2pCell) -> None:
    await cell.start(0)
    assert not logging.getLogger("libp2p.network.swarm").isEnabledFor(logging.ERROR)
