"""What every transport does, whatever carries it."""

from collections.abc import AsyncIterator

import pytest
import trio
from transport_cells import Cell, Libp2pCell, MemoryCell, connected, public_key, until

from node.constants import FRAME_BYTES, GOSSIP_BYTES, REPLY_BYTES, REQUEST_BYTES, QueueLimits
from node.transport.interface import (
    AddressInUse,
    MessageTooLarge,
    PeerUp,
    RequestFailed,
    RequestRefused,
)


@pytest.fixture(params=["memory", "libp2p"])
async def cell(request: pytest.FixtureRequest) -> AsyncIterator[Cell]:
    async with trio.open_nursery() as nursery:
        yield MemoryCell(nursery) if request.param == "memory" else Libp2pCell(nursery)
        nursery.cancel_scope.cancel()


async def echo(peer: bytes, request: bytes) -> bytes:
    return peer + request


async def test_gossip_reaches_every_member_once_and_never_its_author(cell: Cell) -> None:
    members = [await cell.start(number) for number in range(4)]
    cell.introduce(*members)
    await connected(*members)
    for number in range(20):
        await members[0].transport.publish("entries", b"message %d" % number)
    await until(lambda: all(len(member.gossip()) >= 20 for member in members[1:]))
    for member in members[1:]:
        assert {author for author, _ in member.gossip()} == {members[0].key}
        assert sorted(data for _, data in member.gossip()) == sorted(b"message %d" % n for n in range(20))
    assert members[0].gossip() == []


async def test_gossip_keeps_its_topic(cell: Cell) -> None:
    one, other = await cell.start(0), await cell.start(1)
    cell.introduce(one, other)
    await connected(one, other)
    await one.transport.publish("capacity", b"2 kW until noon")
    await until(lambda: len(other.gossip()) == 1)
    assert [event.topic for event in other.received if hasattr(event, "topic")] == ["capacity"]


async def test_what_is_too_large_is_our_own_error(cell: Cell) -> None:
    one, other = await cell.start(0), await cell.start(1)
    cell.introduce(one, other)
    await connected(one, other)
    with pytest.raises(MessageTooLarge):
        await one.transport.publish("entries", bytes(GOSSIP_BYTES + 1))
    with pytest.raises(MessageTooLarge):
        one.transport.send(other.key, bytes(FRAME_BYTES + 1))
    with pytest.raises(MessageTooLarge):
        await one.transport.request(other.key, bytes(REQUEST_BYTES + 1), 1.0)
    with pytest.raises(ValueError, match="no topic"):
        await one.transport.publish("gossip", b"")


async def test_requests_are_answered_with_the_asking_peer_known(cell: Cell) -> None:
    one, other = await cell.start(0), await cell.start(1)
    other.transport.serve(echo)
    cell.introduce(one, other)
    await connected(one, other)
    assert await one.transport.request(other.key, b"heads?", 5.0) == one.key + b"heads?"


async def test_the_largest_request_and_reply_pass(cell: Cell) -> None:
    async def answer_all(_peer: bytes, request: bytes) -> bytes:
        return request[:1] * REPLY_BYTES

    one, other = await cell.start(0), await cell.start(1)
    other.transport.serve(answer_all)
    cell.introduce(one, other)
    await connected(one, other)
    assert await one.transport.request(other.key, b"x" * REQUEST_BYTES, 10.0) == b"x" * REPLY_BYTES


async def test_many_requests_at_once_each_get_their_own_reply(cell: Cell) -> None:
    one, other = await cell.start(0), await cell.start(1)
    other.transport.serve(echo)
    cell.introduce(one, other)
    await connected(one, other)
    replies: dict[int, bytes] = {}

    async def ask(number: int) -> None:
        replies[number] = await one.transport.request(other.key, b"%d" % number, 5.0)

    async with trio.open_nursery() as nursery:
        for number in range(8):
            nursery.start_soon(ask, number)
    assert replies == {number: one.key + b"%d" % number for number in range(8)}


async def test_a_request_without_reply_fails_in_time_and_the_next_works(cell: Cell) -> None:
    async def answer_some(_peer: bytes, request: bytes) -> bytes:
        if request == b"silence":
            await trio.sleep_forever()
        return request

    one, other = await cell.start(0), await cell.start(1)
    other.transport.serve(answer_some)
    cell.introduce(one, other)
    await connected(one, other)
    with trio.fail_after(2.0), pytest.raises(RequestFailed, match="no reply"):
        await one.transport.request(other.key, b"silence", 0.2)
    assert await one.transport.request(other.key, b"word", 5.0) == b"word"


async def test_a_refused_request_fails_at_once(cell: Cell) -> None:
    async def refuse(_peer: bytes, _request: bytes) -> bytes:
        raise RequestRefused

    one, other = await cell.start(0), await cell.start(1)
    other.transport.serve(refuse)
    cell.introduce(one, other)
    await connected(one, other)
    with trio.fail_after(2.0), pytest.raises(RequestFailed):
        await one.transport.request(other.key, b"please", 30.0)


async def test_requests_and_frames_to_nobody_fail(cell: Cell) -> None:
    one = await cell.start(0)
    with pytest.raises(RequestFailed):
        await one.transport.request(public_key(9), b"anyone?", 1.0)
    assert not one.transport.send(public_key(9), b"anyone?")
    assert one.transport.broadcast(b"anyone?") == 0


async def test_frames_of_a_peer_arrive_in_order(cell: Cell) -> None:
    members = [await cell.start(number) for number in range(3)]
    cell.introduce(*members)
    await connected(*members)
    sent = [b"frame %d" % number for number in range(500)]
    for frame in sent:
        assert members[0].transport.send(members[2].key, frame)
        assert members[1].transport.broadcast(frame) == 2
    await until(lambda: len(members[2].frames(members[0])) == len(members[2].frames(members[1])) == len(sent))
    assert members[2].frames(members[0]) == members[2].frames(members[1]) == sent


async def test_a_peer_that_stops_goes_down_and_comes_up_again_after_its_restart(cell: Cell) -> None:
    one, other = await cell.start(0), await cell.start(1)
    cell.introduce(one, other)
    await connected(one, other)
    await other.stop()
    await until(lambda: one.downs(other) == 1)
    assert one.transport.peers() == frozenset()
    again = await cell.start(1)
    cell.introduce(one, again)
    await connected(one, again)
    await until(lambda: one.ups(other) == 2)
    assert again.transport.send(one.key, b"back")
    await until(lambda: b"back" in one.frames(again))
    await again.transport.publish("entries", b"back too")
    await until(lambda: (again.key, b"back too") in one.gossip())


async def test_a_removed_member_is_disconnected_and_refused(cell: Cell) -> None:
    members = [await cell.start(number) for number in range(3)]
    cell.introduce(*members)
    await connected(*members)
    cell.introduce(*members[:2])
    await until(lambda: all(members[2].key not in member.transport.peers() for member in members[:2]))
    with pytest.raises(RequestFailed):
        await members[2].transport.request(members[0].key, b"let me in", 0.5)
    await until(lambda: members[2].transport.peers() == frozenset())
    await until(lambda: members[0].downs(members[2]) == 1)
    assert members[0].key in members[1].transport.peers()


async def test_a_removed_member_is_not_heard_through_others_either(cell: Cell) -> None:
    members = [await cell.start(number) for number in range(3)]
    cell.introduce(*members)
    await connected(*members)
    one, relay, removed = members
    one.transport.set_members({relay.key: relay.addresses})
    await until(lambda: removed.key not in one.transport.peers())
    await removed.transport.publish("entries", b"of the removed")
    await until(lambda: relay.gossip() != [])
    await relay.transport.publish("entries", b"of the relay")
    await until(lambda: one.gossip() != [])
    assert one.gossip() == [(relay.key, b"of the relay")]


async def test_a_member_that_is_added_later_is_met_by_all_though_it_was_refused_before(cell: Cell) -> None:
    one, other, newcomer = members = [await cell.start(number) for number in range(3)]
    cell.introduce(one, other)
    newcomer.transport.set_members({one.key: one.addresses, other.key: other.addresses})
    await connected(one, other)
    assert newcomer.transport.peers() == frozenset()
    cell.introduce(*members)
    await connected(*members)
    assert one.downs(other) == other.downs(one) == 0
    await newcomer.transport.publish("entries", b"here I am")
    await until(lambda: one.gossip() == other.gossip() == [(newcomer.key, b"here I am")])


async def test_a_member_that_is_removed_and_added_again_is_up_again(cell: Cell) -> None:
    one, other = members = [await cell.start(number) for number in range(2)]
    cell.introduce(*members)
    await connected(*members)
    for _ in range(3):
        one.transport.set_members({})
        one.transport.set_members({other.key: other.addresses})
    await until(lambda: one.ups(other) >= 2)
    await connected(*members)
    assert other.transport.send(one.key, b"again")
    await until(lambda: b"again" in one.frames(other))


async def test_a_stranger_is_never_up(cell: Cell) -> None:
    one, other, stranger = [await cell.start(number) for number in range(3)]
    cell.introduce(one, other)
    stranger.transport.set_members({one.key: one.addresses, other.key: other.addresses})
    await connected(one, other)
    with trio.move_on_after(0.5):
        await until(lambda: PeerUp(stranger.key) in one.received)
    assert PeerUp(stranger.key) not in one.received + other.received
    assert stranger.transport.broadcast(b"let me in") == 0


async def test_a_peer_that_does_not_read_fills_a_bounded_queue_and_nothing_waits(cell: Cell) -> None:
    queues = QueueLimits(events=8, frames_per_peer=32)
    one, deaf = await cell.start(0, queues=queues), await cell.start(1, reading=False, queues=queues)
    cell.introduce(one, deaf)
    await until(lambda: deaf.key in one.transport.peers())
    accepted = [one.transport.send(deaf.key, bytes(FRAME_BYTES)) for _ in range(100)]
    assert accepted[0]
    assert not accepted[-1]
    assert one.transport.counters["frames_dropped"] > 0


async def test_gossip_that_nobody_reads_is_dropped_and_counted(cell: Cell) -> None:
    one = await cell.start(0)
    deaf = await cell.start(1, reading=False, queues=QueueLimits(events=8, frames_per_peer=8))
    cell.introduce(one, deaf)
    await until(lambda: deaf.key in one.transport.peers())

    async def publish_for_ever() -> None:
        while True:
            await one.transport.publish("entries", b"news")
            await trio.testing.wait_all_tasks_blocked(0.001)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(publish_for_ever)
        await until(lambda: deaf.transport.counters["gossip_dropped"] > 0)
        nursery.cancel_scope.cancel()
    assert deaf.transport.counters["gossip_received"] <= 8


async def test_a_bug_in_the_request_handler_ends_the_transport(cell: Cell) -> None:
    async def buggy(_peer: bytes, _request: bytes) -> bytes:
        raise ZeroDivisionError

    with pytest.raises(BaseException) as raised:
        async with trio.open_nursery() as nursery:
            own_cell = type(cell)(nursery)  # type: ignore[call-arg]
            one, other = await own_cell.start(0), await own_cell.start(1)
            other.transport.serve(buggy)
            own_cell.introduce(one, other)
            await connected(one, other)
            with pytest.raises(RequestFailed):
                await one.transport.request(other.key, b"divide", 5.0)
    error: BaseException = raised.value
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    assert isinstance(error, ZeroDivisionError)


async def test_two_transports_do_not_share_one_address(cell: Cell) -> None:
    await cell.start(0)
    with pytest.raises(BaseException) as raised:
        await cell.start(0)
    error: BaseException = raised.value
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    assert isinstance(error, AddressInUse)
