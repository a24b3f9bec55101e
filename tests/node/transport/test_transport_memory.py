"""The hub of the in-memory transport: partitions, loss, delay and many members."""

from collections.abc import AsyncIterator

import pytest
import trio
from transport_cells import MemoryCell, Running, connected, until
from trio.testing import MockClock

from node.transport.interface import RequestFailed


@pytest.fixture
async def cell() -> AsyncIterator[MemoryCell]:
    async with trio.open_nursery() as nursery:
        yield MemoryCell(nursery)
        nursery.cancel_scope.cancel()


async def members_of(cell: MemoryCell, count: int) -> list[Running]:
    members = [await cell.start(number) for number in range(count)]
    cell.introduce(*members)
    await connected(*members)
    return members


async def test_a_partition_takes_peers_down_and_healing_brings_them_up(cell: MemoryCell) -> None:
    members = await members_of(cell, 4)
    left, right = members[:2], members[2:]
    cell.network.partition([member.key for member in left], [member.key for member in right])
    assert members[0].transport.peers() == {members[1].key}
    await members[0].transport.publish("entries", b"left only")
    await until(lambda: len(members[1].gossip()) == 1)
    assert [member.gossip() for member in right] == [[], []]
    with pytest.raises(RequestFailed):
        await members[0].transport.request(members[2].key, b"hello?", 1.0)
    cell.network.heal()
    await connected(*members)
    await until(lambda: members[0].ups(members[2]) == 2)
    assert members[0].downs(members[2]) == 1


async def test_lost_messages_do_not_arrive_and_the_sender_cannot_tell(cell: MemoryCell) -> None:
    one, other = await members_of(cell, 2)
    cell.network.lose = lambda source, _target: source == one.key
    assert one.transport.send(other.key, b"lost")
    await one.transport.publish("entries", b"lost too")
    assert other.transport.send(one.key, b"arrives")
    await until(lambda: one.frames(other) == [b"arrives"])
    assert other.frames(one) == []
    assert other.gossip() == []


async def test_delayed_frames_arrive_late_and_still_in_order(
    cell: MemoryCell, autojump_clock: MockClock
) -> None:
    one, other = await members_of(cell, 2)
    delays = iter([5.0, 1.0, 3.0])
    cell.network.delay_s = lambda _source, _target: next(delays)
    started_s = trio.current_time()
    for frame in (b"first", b"second", b"third"):
        assert one.transport.send(other.key, frame)
    with trio.fail_after(60):
        await autojump_until_received(other, 3, one)
    assert other.frames(one) == [b"first", b"second", b"third"]
    assert trio.current_time() - started_s >= 5.0


async def autojump_until_received(member: Running, count: int, peer: Running) -> None:
    """Let the mock clock jump from one due time to the next."""
    while len(member.frames(peer)) < count:
        with trio.move_on_after(0.5):
            await trio.sleep_forever()


async def test_a_hundred_members_hear_each_other(cell: MemoryCell) -> None:
    members = await members_of(cell, 100)
    for member in members:
        await member.transport.publish("entries", member.key)
        assert member.transport.broadcast(member.key) == 99
    await until(lambda: all(len(member.gossip()) == 99 for member in members))
    assert all(
        {author for author, _ in member.gossip()} | {member.key} == {m.key for m in members}
        for member in members
    )


async def test_gossip_passes_through_members_that_are_connected_to_both(cell: MemoryCell) -> None:
    """The two ends are not connected: one does not know the other yet."""
    left, middle, right = [await cell.start(number) for number in range(3)]
    left.transport.set_members({middle.key: ()})
    middle.transport.set_members({left.key: (), right.key: ()})
    right.transport.set_members({middle.key: (), left.key: ()})
    await until(lambda: len(middle.transport.peers()) == 2)
    await left.transport.publish("entries", b"pass it on")
    await until(lambda: right.gossip() == [(left.key, b"pass it on")])
    assert middle.gossip() == [(left.key, b"pass it on")]
