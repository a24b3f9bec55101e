"""Two paths between members that list two addresses: when one dies silently, nothing is lost and nobody waits."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import pytest
import trio
from multiaddr import Multiaddr
from stock import do_nothing
from transport_cells import CELL_ID, IMPATIENT, Libp2pCell, Running, connected, signing_key, until
from wires import Wire

from node.constants import Patience
from node.transport.errors import AddressInUse
from node.transport.libp2p.adapter import Libp2pTransport
from node.transport.libp2p.identity import peer_id_of
from node.transport.libp2p.links import WINDOW_FRAMES, _Heard
from node.transport.libp2p.supervisor import Supervisor

HOSTS = ("127.0.0.1", "127.0.0.2")
SOON_S = 2.5
"""Far below the eight seconds after which pings find a dead path with the real settings."""

IN_THE_END_S = 25.0
"""Where it matters that things arrive and not how soon: paths are replaced meanwhile, and the machine may be busy."""


@dataclass
class Scene:
    """Two members; the first address of each leads through a wire."""

    members: list[Running]
    wires: list[Wire]

    def die(self) -> None:
        for wire in self.wires:
            wire.die()

    def count(self, name: str) -> list[int]:
        return [member.transport.counters[name] for member in self.members]


async def answer(peer: bytes, request: bytes) -> bytes:
    return peer + request


@asynccontextmanager
async def two_members(patience: Patience) -> AsyncIterator[Scene]:
    async with trio.open_nursery() as nursery:
        cell = Libp2pCell(nursery, patience=patience)
        members = [await cell.start(number, hosts=HOSTS) for number in range(2)]
        wires = [Wire(lambda number=number: cell.port(number)) for number in range(2)]  # type: ignore[misc]
        for wire in wires:
            await nursery.start(wire.run)
        places = {
            member.key: (wire.address, member.addresses[1])
            for member, wire in zip(members, wires, strict=True)
        }
        for member in members:
            member.transport.serve(answer)
            member.transport.set_members(places)
        await connected(*members)
        yield Scene(members, wires)
        nursery.cancel_scope.cancel()


@pytest.fixture
async def scene() -> AsyncIterator[Scene]:
    """With the real settings, so that what is quick is not quick by impatient pings."""
    async with two_members(Patience()) as scene:
        await until(lambda: min(scene.count("links_up")) >= 2)
        yield scene


async def test_of_two_addresses_each_has_a_connection_and_a_frame_arrives_once(scene: Scene) -> None:
    one, other = scene.members
    sent = [b"frame %d" % number for number in range(300)]
    for frame in sent:
        assert one.transport.send(other.key, frame)
    await until(lambda: other.transport.counters["frame_copies_received"] == len(sent))
    assert sorted(other.frames(one)) == sorted(sent)
    assert (one.ups(other), one.downs(other)) == (1, 0)


async def everything_passes(one: Running, other: Running, name: bytes, within_s: float = SOON_S) -> None:
    """A frame, a request, and gossip each way. TooSlowError when one does not arrive within so many seconds."""
    for sender, receiver in ((one, other), (other, one)):
        assert sender.transport.send(receiver.key, b"frame " + name)
        await sender.transport.publish("entries", b"entry " + name)
    assert await one.transport.request(other.key, name, within_s) == one.key + name
    for sender, receiver in ((one, other), (other, one)):
        await until(
            lambda sender=sender, receiver=receiver: (  # type: ignore[misc]
                receiver.frames(sender).count(b"frame " + name) == 1
                and (sender.key, b"entry " + name) in receiver.gossip()
            ),
            within_s,
        )


async def meshed(scene: Scene) -> None:
    """Wait until gossip passes, which begins a moment after a connection."""
    one, other = scene.members
    await one.transport.publish("entries", b"hello")
    await other.transport.publish("entries", b"hello")
    await until(lambda: one.gossip() != [] != other.gossip())


async def test_a_path_that_dies_without_a_word_delays_nothing(scene: Scene) -> None:
    one, other = scene.members
    await meshed(scene)
    await everything_passes(one, other, b"before")
    scene.die()
    for number in range(2):
        await everything_passes(one, other, b"after %d" % number)
    assert scene.count("pings_unanswered") == [0, 0]
    assert (one.downs(other), other.downs(one)) == (0, 0)


async def test_without_the_second_path_what_is_sent_meanwhile_is_lost(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(Supervisor, "_keep_beside", do_nothing)
    async with two_members(Patience()) as scene:
        one, other = scene.members
        await meshed(scene)
        scene.die()
        with pytest.raises(BaseException) as raised:
            await everything_passes(one, other, b"after")
        assert type(raised.value).__name__ in ("TooSlowError", "RequestFailed")


async def test_a_dead_path_is_replaced_and_taken_again_when_it_is_back() -> None:
    async with two_members(IMPATIENT) as scene:
        one, other = scene.members
        await until(lambda: min(scene.count("links_up")) >= 2)
        scene.die()
        await until(lambda: sum(scene.count("pings_unanswered")) >= 1)
        await until(lambda: min(scene.count("connections")) >= 2)
        await everything_passes(one, other, b"over one address", IN_THE_END_S)
        assert (one.downs(other), other.downs(one)) == (0, 0)
        before = scene.count("connections_beside")
        for wire in scene.wires:
            wire.mend()
        await until(
            lambda: all(
                now > then for now, then in zip(scene.count("connections_beside"), before, strict=True)
            )
        )
        await meshed(scene)
        await everything_passes(one, other, b"over both again", IN_THE_END_S)


async def test_of_connections_beside_a_member_has_one_and_a_stranger_none() -> None:
    async with trio.open_nursery() as nursery:
        cell = Libp2pCell(nursery, patience=IMPATIENT)
        victim, member, stranger = [await cell.start(number) for number in range(3)]
        victim.transport.set_members({member.key: ()})
        member.transport._addresses = {victim.key: ()}  # type: ignore[attr-defined]
        stranger.transport._addresses = {victim.key: ()}  # type: ignore[attr-defined]
        for dialler in (member, member, member, stranger):
            await dialler.transport._swarm.dial_once(  # type: ignore[attr-defined]
                Multiaddr(victim.addresses[0]), peer_id_of(victim.key), beside=True
            )
        await until(lambda: victim.transport.counters["connections_beside"] == 3)
        await until(lambda: victim.transport.counters["strangers_refused"] >= 1)
        await until(lambda: victim.transport.peers() == {member.key})
        assert member.transport.send(victim.key, b"over this one alone")
        await until(lambda: b"over this one alone" in victim.frames(member))
        assert len(victim.transport._swarm._beside) == 1  # type: ignore[attr-defined]
        victim.transport.set_members({})
        await until(lambda: victim.transport.peers() == member.transport.peers() == frozenset())
        nursery.cancel_scope.cancel()


async def test_a_node_starts_while_one_of_its_interfaces_is_down_and_listens_there_later(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    listen = trio.open_tcp_listeners
    down = True

    async def some_host_is_down(port: int, *, host: str) -> list[trio.SocketListener]:
        return await listen(port, host="192.0.2.1" if down and host == HOSTS[1] else host)

    monkeypatch.setattr(trio, "open_tcp_listeners", some_host_is_down)
    async with trio.open_nursery() as nursery:
        cell = Libp2pCell(nursery, patience=IMPATIENT)
        member = await cell.start(0, hosts=HOSTS)
        assert [address.split("/")[2] for address in member.addresses] == [HOSTS[0]]
        await until(lambda: member.transport.counters["addresses_absent"] >= 1)
        down = False
        swarm = member.transport._swarm  # type: ignore[attr-defined]
        await until(lambda: len(swarm.listeners) == 2)
        nursery.cancel_scope.cancel()


async def test_a_node_without_any_of_its_addresses_does_not_start() -> None:
    transport = Libp2pTransport(signing_key(0), CELL_ID, ["/ip4/192.0.2.1/tcp/9400"])
    with pytest.raises(AddressInUse, match=r"no interface of this machine has it"):
        await transport.run()


def test_a_frame_is_new_once_in_any_order_within_the_window() -> None:
    heard = _Heard(b"run")
    order = [5, 3, 4, 9, 3, 5, 9, 8, WINDOW_FRAMES + 9, 9, 10, 10]
    expected = [True, True, True, True, False, False, False, True, True, False, True, False]
    assert [heard.is_new(number) for number in order] == expected
    assert heard.is_new(2**64 - 1)
    assert not heard.is_new(0)
    assert heard.window < 1 << WINDOW_FRAMES
