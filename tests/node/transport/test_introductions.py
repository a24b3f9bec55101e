"""Members that nobody has configured find each other through those they are connected to."""

from collections.abc import AsyncIterator

import pytest
import trio
from transport_cells import Libp2pCell, Running, connected, until

from node.constants import ADDRESSES
from node.transport import introductions
from node.transport.address_book import AddressBook
from node.transport.interface import Gossip, PeerUp
from node.transport.introductions import Introductions


@pytest.fixture
async def nursery(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[trio.Nursery]:
    monkeypatch.setattr(introductions, "ADDRESSES_SOON_S", 0.3)
    async with trio.open_nursery() as nursery:
        yield nursery
        nursery.cancel_scope.cancel()


class Introduced:
    """A running transport with its introductions; `cell` is the list of members, which tests change."""

    def __init__(
        self, running: Running, cell: list[tuple[bytes, str]], configured: dict[str, tuple[str, ...]]
    ) -> None:
        self.running = running
        self._cell = cell
        self._seen = 0
        self.member = member_of(running)
        self.book = AddressBook(configured, running.addresses)
        self.introductions = Introductions(
            self.book,
            running.transport,
            self.book.own(self.member[1], ()),
            lambda: int(trio.current_time() * 1e9),
        )

    def look_around(self) -> None:
        self.introductions.set_members(member for member in self._cell if member != self.member)

    async def run(self) -> None:
        """As the daemon does it: events are read once, by one task."""
        self.look_around()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self.introductions.run)
            while True:
                await until(lambda: self._seen < len(self.running.received), 3600)
                for event in self.running.received[self._seen :]:
                    self._seen += 1
                    if isinstance(event, Gossip) and event.topic == ADDRESSES:
                        self.introductions.hear(event)
                    if isinstance(event, PeerUp):
                        self.introductions.met()


def member_of(running: Running) -> tuple[bytes, str]:
    return running.key, running.key.hex()[:8]


async def test_two_newcomers_meet_though_both_know_only_a_founder(nursery: trio.Nursery) -> None:
    cell = Libp2pCell(nursery)
    founder, left, right = everybody = [await cell.start(number) for number in range(3)]
    members = [member_of(each) for each in everybody]
    known = {members[0][1]: founder.addresses}
    for each in everybody:
        nursery.start_soon(Introduced(each, members, known).run)
    await connected(*everybody)
    assert right.key in left.transport.peers()


async def test_a_newcomer_is_reached_by_those_who_did_not_know_it(nursery: trio.Nursery) -> None:
    cell = Libp2pCell(nursery)
    one, other, newcomer = everybody = [await cell.start(number) for number in range(3)]
    members = [member_of(each) for each in everybody[:2]]
    founders = [
        Introduced(each, members, {m[1]: r.addresses})
        for each, m, r in (
            (one, members[1], other),
            (other, members[0], one),
        )
    ]
    for founder in founders:
        nursery.start_soon(founder.run)
    await connected(one, other)
    members.append(member_of(newcomer))
    for founder in founders:
        founder.look_around()
    nursery.start_soon(Introduced(newcomer, members, {members[0][1]: one.addresses}).run)
    await connected(*everybody)
    await until(lambda: all(newcomer.key in founder.book.learned for founder in founders))
    assert founders[1].book.of(members)[newcomer.key] == newcomer.addresses


async def test_what_is_no_address_is_counted_and_changes_nothing(nursery: trio.Nursery) -> None:
    one = await Libp2pCell(nursery).start(0)
    introduced = Introduced(one, [], {})
    introduced.introductions.hear(Gossip(ADDRESSES, bytes(32), b"\xff"))
    assert (introduced.introductions.refused, introduced.book.learned) == (1, {})
