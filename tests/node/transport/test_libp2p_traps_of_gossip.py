"""Each trap of the library's gossip, and that our fix is what keeps a node out of it.

Back-off and the queues are in `test_libp2p_gossip`, sequence numbers in `test_libp2p_lifecycle`, and packets that end
the process in `test_libp2p_hostile_members`, each with what happens without the fix.
"""

import hashlib
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Any

import pytest
import trio
from attackers import ENTRIES, Attacker, packet
from libp2p.exceptions import BaseLibp2pError
from libp2p.pubsub.gossipsub import GossipSub
from libp2p.pubsub.pb import rpc_pb2
from libp2p.pubsub.pubsub import Pubsub
from transport_cells import Libp2pCell, Running, connected, public_key, until

from node.constants import GOSSIP_BYTES, ConnectionLimits
from node.transport.interface import MessageTooLarge
from node.transport.libp2p import adapter, gossip
from node.transport.libp2p.gossip import MembersGossip, MembersPubsub
from node.transport.libp2p.identity import peer_id_of


@pytest.fixture
async def cell() -> AsyncIterator[Libp2pCell]:
    async with trio.open_nursery() as nursery:
        yield Libp2pCell(nursery)
        nursery.cancel_scope.cancel()


def pubsub_of(member: Running) -> Any:
    return member.transport._pubsub  # type: ignore[attr-defined]


async def meshed(cell: Libp2pCell, count: int) -> list[Running]:
    members = [await cell.start(number) for number in range(count)]
    cell.introduce(*members)
    await connected(*members)
    await until(lambda: all(len(pubsub_of(m).peer_topics.get(ENTRIES, ())) == count - 1 for m in members))
    await until(lambda: all(pubsub_of(member).router.mesh[ENTRIES] for member in members))
    return members


async def raise_in_a_check(cell: Libp2pCell) -> Running:
    """A packet whose check raises what nobody thought of."""

    def raising(*_arguments: object) -> bool:
        raise ZeroDivisionError

    victim = await cell.start(0)
    victim.transport.set_members({public_key(1): ()})
    pubsub = pubsub_of(victim)
    pubsub._allow = raising
    pubsub.set_topic_validator(ENTRIES, raising, False)
    async with Attacker(1).running() as hostile:
        await hostile.connect(victim)
        stream = await hostile.open_gossip()
        with suppress(BaseLibp2pError):
            await stream.write(packet(rpc_pb2.RPC(publish=[hostile.message(1)])))
        await until(lambda: victim.ended.is_set() or victim.transport.counters["gossip_malformed"] > 0)
    return victim


async def test_a_check_that_raises_ends_its_stream_only(cell: Libp2pCell) -> None:
    assert not (await raise_in_a_check(cell)).ended.is_set()


async def test_without_the_fix_a_validator_that_raises_ends_the_process(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(MembersPubsub, "continuously_read_stream", Pubsub.continuously_read_stream)
    monkeypatch.setattr(MembersPubsub, "push_msg", Pubsub.push_msg)
    with pytest.raises(BaseExceptionGroup):
        async with trio.open_nursery() as nursery:
            await raise_in_a_check(Libp2pCell(nursery))


async def deliveries_of_two_copies(cell: Libp2pCell, monkeypatch: pytest.MonkeyPatch, *, stock: bool) -> int:
    """How often a message is delivered that arrives from two peers at the same time."""
    victim = await cell.start(0)
    victim.transport.set_members({public_key(1): (), public_key(2): ()})
    pubsub, deliveries = pubsub_of(victim), 0

    async def looks_it_up(*_arguments: object) -> bool:
        await trio.testing.wait_all_tasks_blocked()
        return True

    def note(*_arguments: object) -> None:
        nonlocal deliveries
        deliveries += 1

    monkeypatch.setattr(pubsub, "_deliver", note)
    monkeypatch.setattr(pubsub, "notify_subscriptions", note)
    pubsub.set_topic_validator(ENTRIES, looks_it_up, True)
    message = Attacker(1).message(1)
    push = Pubsub.push_msg if stock else MembersPubsub.push_msg
    async with trio.open_nursery() as nursery:
        for number in (1, 2):
            nursery.start_soon(push, pubsub, peer_id_of(public_key(number)), message)
    return deliveries


async def test_two_copies_at_once_are_delivered_once(
    cell: Libp2pCell, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert await deliveries_of_two_copies(cell, monkeypatch, stock=False) == 1


async def test_without_the_fix_two_copies_at_once_are_delivered_twice(
    cell: Libp2pCell, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert await deliveries_of_two_copies(cell, monkeypatch, stock=True) == 2


async def mesh_after_heartbeats(cell: Libp2pCell) -> int:
    """How large a mesh of three is after ten heartbeats."""
    one, *others = await meshed(cell, 6)
    router = pubsub_of(one).router
    router.heartbeat_interval = 3600
    router.back_off.clear()
    router.mesh[ENTRIES] = {peer_id_of(other.key) for other in others[:3]}
    for _ in range(10):
        router.mesh_heartbeat()
    return len(router.mesh[ENTRIES])


async def test_a_mesh_that_is_large_enough_does_not_grow(cell: Libp2pCell) -> None:
    assert await mesh_after_heartbeats(cell) == 3


async def test_without_the_fix_opportunistic_grafting_grows_every_mesh(
    cell: Libp2pCell, monkeypatch: pytest.MonkeyPatch
) -> None:
    stock = GossipSub._perform_opportunistic_grafting
    monkeypatch.setattr(MembersGossip, "_perform_opportunistic_grafting", stock)
    assert await mesh_after_heartbeats(cell) > 3


async def requested_again(cell: Libp2pCell, monkeypatch: pytest.MonkeyPatch, *, custom_ids: bool) -> int:
    """How many messages a member asks for although it has them."""
    one, other = await meshed(cell, 2)
    asked: list[Any] = []

    async def note(wanted: list[Any], _peer: object) -> None:
        asked.extend(wanted)

    if custom_ids:
        for member in (one, other):
            monkeypatch.setattr(
                pubsub_of(member), "_msg_id_constructor", lambda m: hashlib.sha256(m.data).digest()
            )
    monkeypatch.setattr(pubsub_of(other).router, "emit_iwant", note)
    for number in range(5):
        await one.transport.publish("entries", b"%d" % number)
    await until(lambda: len(other.gossip()) == 5)
    recent = [
        str(each) if isinstance(each, str) else each for each in pubsub_of(one).router.mcache.window(ENTRIES)
    ]
    announcement = rpc_pb2.ControlIHave(topicID=ENTRIES, messageIDs=recent)
    await pubsub_of(other).router.handle_ihave(announcement, peer_id_of(one.key))
    return len(asked)


async def test_messages_with_the_default_id_are_not_requested_again(
    cell: Libp2pCell, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert await requested_again(cell, monkeypatch, custom_ids=False) == 0


async def test_without_the_default_id_every_message_is_requested_again(
    cell: Libp2pCell, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert await requested_again(cell, monkeypatch, custom_ids=True) == 5


async def test_a_giant_message_is_refused_to_its_author(cell: Libp2pCell) -> None:
    one, _other = await meshed(cell, 2)
    with pytest.raises(MessageTooLarge):
        await one.transport.publish("entries", bytes(GOSSIP_BYTES + 1))


async def test_without_the_fix_a_giant_message_is_lost_without_a_word(
    cell: Libp2pCell, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(adapter, "GOSSIP_BYTES", 4 << 20)
    monkeypatch.setattr(gossip, "GOSSIP_BYTES", 4 << 20)
    monkeypatch.setattr(MembersPubsub, "handle_sending_messages", Pubsub.handle_sending_messages)
    monkeypatch.setattr(MembersPubsub, "continuously_read_stream", Pubsub.continuously_read_stream)
    monkeypatch.setattr(MembersGossip, "publish", GossipSub.publish)
    one, other = await meshed(cell, 2)
    for member in (one, other):
        pubsub_of(member).max_inbound_rpc_size = 1 << 20
    await one.transport.publish("entries", bytes(1_100_000))
    with trio.move_on_after(2):
        await until(lambda: bool(other.gossip()))
    assert not other.gossip()


async def checks_of_one_packet(
    cell: Libp2pCell, monkeypatch: pytest.MonkeyPatch, limits: ConnectionLimits
) -> int:
    """How many signatures a member makes us check, and everybody wait for, with one packet."""
    victim = await cell.start(0, limits=limits)
    victim.transport.set_members({public_key(1): ()})
    pubsub, checks = pubsub_of(victim), 0

    def count(_forwarder: object, _message: object) -> None:
        nonlocal checks
        checks += 1

    monkeypatch.setattr(pubsub, "_check", count)
    async with Attacker(1).running() as hostile:
        await hostile.connect(victim)
        stream = await hostile.open_gossip()
        tiny = [rpc_pb2.Message(topicIDs=[ENTRIES], seqno=bytes([n % 256, n // 256])) for n in range(1500)]
        with suppress(BaseLibp2pError):
            await stream.write(packet(rpc_pb2.RPC(publish=tiny)))
        await until(lambda: checks == 1500 or victim.transport.counters["gossip_malformed"] > 0)
    return checks


async def test_a_packet_of_thousands_of_messages_costs_nothing(
    cell: Libp2pCell, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert await checks_of_one_packet(cell, monkeypatch, ConnectionLimits()) == 0


async def test_without_the_fix_all_messages_of_a_packet_are_checked(
    cell: Libp2pCell, monkeypatch: pytest.MonkeyPatch
) -> None:
    unlimited = ConnectionLimits(gossip_batch_messages=1 << 30)
    assert await checks_of_one_packet(cell, monkeypatch, unlimited) == 1500
