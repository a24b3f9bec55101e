"""Each trap of the library under its connections, and that our fix is what keeps a node out of it."""

import logging
import threading
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import replace
from typing import Any

import pytest
import trio
from attackers import Attacker
from libp2p.exceptions import BaseLibp2pError
from libp2p.network.swarm import Swarm
from libp2p.rcmgr import new_resource_manager
from libp2p.transport.tcp.tcp import TCP
from stock import StockYamux, both_muxers, dial_by_the_library, do_nothing, upgrader_of_member_0
from transport_cells import (
    CELL_ID,
    IMPATIENT,
    Libp2pCell,
    connected,
    dial_and_leave,
    free_port,
    public_key,
    signing_key,
    until,
)
from wires import Wire

from node.transport.errors import AddressInUse
from node.transport.libp2p import adapter, links, requests, swarm
from node.transport.libp2p.adapter import Libp2pTransport
from node.transport.libp2p.identity import peer_id_of
from node.transport.libp2p.swarm import MembersHost, MembersSwarm
from node.transport.libp2p.yamux import YamuxConnection

FOREIGN = [("plaintext", "yamux"), ("secio", "yamux"), ("tls", "yamux"), ("noise", "mplex")]
STRANGER = 666
REFUSALS = (BaseLibp2pError, trio.TooSlowError)


@pytest.fixture
async def cell() -> AsyncIterator[Libp2pCell]:
    async with trio.open_nursery() as nursery:
        yield Libp2pCell(nursery)
        nursery.cancel_scope.cancel()


async def admitted_with(cell: Libp2pCell, security: str, muxer: str) -> bool:
    """Whether a member gets in with this security and multiplexer."""
    victim = await cell.start(0)
    victim.transport.set_members({public_key(1): ()})
    async with Attacker(1, security, muxer).running() as impostor:
        with suppress(*REFUSALS):
            await impostor.connect(victim)
    return victim.transport.counters["connections"] > 0


@pytest.mark.parametrize(("security", "muxer"), FOREIGN)
async def test_only_noise_and_yamux_are_offered(cell: Libp2pCell, security: str, muxer: str) -> None:
    assert not await admitted_with(cell, security, muxer)


@pytest.mark.parametrize(("security", "muxer"), FOREIGN)
async def test_without_the_fix_other_offers_are_taken(
    cell: Libp2pCell, monkeypatch: pytest.MonkeyPatch, security: str, muxer: str
) -> None:
    if muxer == "yamux":
        monkeypatch.setattr(swarm, "TransportUpgrader", upgrader_of_member_0)
    else:
        monkeypatch.setattr(swarm, "_YamuxOnly", both_muxers)
    assert await admitted_with(cell, security, muxer)


async def stranger_stays(cell: Libp2pCell) -> bool:
    victim = await cell.start(0)
    victim.transport.set_members({public_key(1): ()})
    async with Attacker(STRANGER).running() as stranger:
        with suppress(*REFUSALS):
            await stranger.connect(victim)
            await until(lambda: not stranger.is_connected, 1.0)
        return stranger.is_connected


async def test_a_stranger_is_shut_out_by_its_key(cell: Libp2pCell) -> None:
    assert not await stranger_stays(cell)


async def test_without_the_fix_a_stranger_stays(cell: Libp2pCell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Libp2pTransport, "_admits", lambda _self, _key: True)
    assert await stranger_stays(cell)


async def test_no_breaker_of_the_library_shuts_members_out(cell: Libp2pCell) -> None:
    victim, member = await cell.start(0), await cell.start(1)
    for _ in range(60):
        await dial_and_leave(member, victim, 5.0)
    assert victim.transport.counters["connections"] == 60


async def test_without_the_fix_strangers_use_up_the_connections_that_members_need(cell: Libp2pCell) -> None:
    victim, member = await cell.start(0), await cell.start(1)
    manager = new_resource_manager()
    victim.transport._swarm.set_resource_manager(manager)  # type: ignore[attr-defined]
    while manager.open_connection(None, endpoint_ip="192.0.2.1", direction="inbound") is not None:
        pass
    with pytest.raises(trio.TooSlowError):
        await dial_and_leave(member, victim, 2.0)


async def raise_in_a_stream_handler(cell: Libp2pCell) -> bool:
    """Whether the transport has ended."""

    async def raising(_stream: object) -> None:
        raise ZeroDivisionError

    victim = await cell.start(0)
    victim.transport.set_members({public_key(1): ()})
    victim.transport._host.set_stream_handler("/raises/1", raising)  # type: ignore[attr-defined]
    async with Attacker(1).running() as hostile:
        await hostile.connect(victim)
        with suppress(*REFUSALS):
            await hostile.open_stream("/raises/1")
        await until(lambda: victim.ended.is_set() or victim.transport.counters["streams_failed"] > 0)
    return victim.ended.is_set()


async def test_an_exception_in_a_stream_handler_ends_its_stream_only(cell: Libp2pCell) -> None:
    assert not await raise_in_a_stream_handler(cell)


async def test_without_the_fix_an_exception_in_a_stream_handler_ends_the_process(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(MembersSwarm, "set_stream_handler", Swarm.set_stream_handler)
    with pytest.raises(BaseExceptionGroup):
        async with trio.open_nursery() as nursery:
            await raise_in_a_stream_handler(Libp2pCell(nursery))


async def meet_late(cell: Libp2pCell) -> bool:
    """Whether two members meet when the one that dials was there first, and one address leads nowhere."""
    small, large = sorted((0, 1), key=public_key)
    nowhere = f"/ip4/127.0.0.1/tcp/{free_port()}"
    first = await cell.start(small)
    expected = (nowhere, f"/ip4/127.0.0.1/tcp/{cell.port(large)}")
    first.transport.set_members({public_key(large): expected})
    await until(lambda: first.transport.counters["dials_failed"] >= 2)
    late = await cell.start(large)
    late.transport.set_members({first.key: ()})
    with trio.move_on_after(4):
        await connected(first, late)
    return late.key in first.transport.peers()


async def test_a_member_that_was_not_there_yet_is_dialled_again_soon(cell: Libp2pCell) -> None:
    assert await meet_late(cell)


async def test_without_the_fix_a_failed_dial_blocks_the_member_for_a_minute(
    cell: Libp2pCell, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(MembersSwarm, "dial_once", dial_by_the_library)
    assert not await meet_late(cell)


async def connect_twice(cell: Libp2pCell) -> int:
    """How many connections a member has that reboots without saying goodbye."""
    victim = await cell.start(0)
    victim.transport.set_members({public_key(1): ()})
    async with Attacker(1).running() as before, Attacker(1).running() as after:
        await before.connect(victim)
        await until(lambda: victim.transport.counters["connections"] == 1)
        await after.connect(victim)
        connections = victim.transport._swarm.connections  # type: ignore[attr-defined]
        with trio.move_on_after(1):
            await until(lambda: not before.is_connected)
        return len(connections.get(peer_id_of(public_key(1)), ()))


async def test_the_newest_connection_wins(cell: Libp2pCell) -> None:
    assert await connect_twice(cell) == 1


async def test_without_the_fix_the_old_connection_stays_beside_the_new(
    cell: Libp2pCell, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def admit(self: MembersSwarm, muxed: Any, direction: str) -> Any:
        connection = await Swarm.add_conn(self, muxed, direction)
        self._counters.add("connections")
        return connection

    monkeypatch.setattr(MembersSwarm, "_admit", admit)
    assert await connect_twice(cell) == 2


async def lose_power(cell: Libp2pCell) -> bool:
    """Whether the loss is noticed though no packet comes back."""
    one, other = await cell.start(0), await cell.start(1)
    wire = Wire(lambda: cell.port(1))
    async with trio.open_nursery() as nursery:
        await nursery.start(wire.run)
        one.transport.set_members({other.key: (wire.address,)})
        other.transport.set_members({one.key: ()})
        await connected(one, other)
        wire.cut()
        with trio.move_on_after(5):
            await until(lambda: one.downs(other) >= 1)
        nursery.cancel_scope.cancel()
    return one.downs(other) >= 1


async def test_a_zombie_connection_is_found_by_pings(cell: Libp2pCell) -> None:
    assert await lose_power(cell)


async def test_without_the_fix_a_zombie_connection_stays(
    cell: Libp2pCell, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(YamuxConnection, "_keep_alive", do_nothing)
    assert not await lose_power(cell)


async def threads_left(members: int) -> int:
    """How many threads are left after that many members have run and ended."""
    before = threading.active_count()
    async with trio.open_nursery() as nursery:
        cell = Libp2pCell(nursery)
        for number in range(members):
            await cell.start(number)
        nursery.cancel_scope.cancel()
    return threading.active_count() - before


async def test_the_end_leaves_no_thread() -> None:
    assert await threads_left(3) == 0


async def test_without_the_fix_every_end_leaves_a_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    caches: list[Any] = []
    create = Libp2pTransport._create_pubsub

    def create_unstoppable(self: Libp2pTransport, host: Any, router: Any) -> Any:
        pubsub = create(self, host, router)
        caches.append((pubsub.seen_messages, pubsub.seen_messages.stop))
        pubsub.seen_messages.stop = lambda: None
        return pubsub

    monkeypatch.setattr(Libp2pTransport, "_create_pubsub", create_unstoppable)
    left = await threads_left(3)
    for _cache, stop in caches:
        stop()
    assert left >= 3


async def peer_learns_of_the_end(monkeypatch: pytest.MonkeyPatch | None) -> bool:
    """Whether a peer is told that a member has stopped; pings are off."""
    with pytest.MonkeyPatch.context() as quiet:
        quiet.setattr(YamuxConnection, "_keep_alive", do_nothing_for_ever)
        async with trio.open_nursery() as nursery:
            cell = Libp2pCell(nursery, patience=replace(IMPATIENT, redial_s=60, fallback_dial_s=2))
            if monkeypatch is not None:
                monkeypatch.setattr(swarm, "YamuxConnection", StockYamux)
            stays, goes = await cell.start(0), await cell.start(1)
            cell.introduce(stays, goes)
            await connected(stays, goes)
            if monkeypatch is not None:
                monkeypatch.setattr(MembersHost, "close", do_nothing)
            held = goes.transport._swarm  # type: ignore[attr-defined]  # or its sockets are closed as garbage
            await goes.stop()
            with trio.move_on_after(2):
                await until(lambda: not stays.transport.peers())
            told = not stays.transport.peers()
            del held
            if monkeypatch is not None:
                monkeypatch.undo()
            nursery.cancel_scope.cancel()
    return told


async def do_nothing_for_ever(_self: object) -> None:
    await trio.sleep_forever()


async def test_the_end_is_told_to_the_peers() -> None:
    assert await peer_learns_of_the_end(None)


async def test_without_the_fix_the_end_leaves_zombies(monkeypatch: pytest.MonkeyPatch) -> None:
    # Now and then the sockets of the one that goes are closed as garbage all the same; not five times in a row.
    for _ in range(5):
        if not await peer_learns_of_the_end(monkeypatch):
            return
    pytest.fail("five peers were told of the end")


async def test_one_port_belongs_to_one_node(cell: Libp2pCell) -> None:
    await cell.start(0)
    with pytest.raises(AddressInUse):
        await Libp2pTransport(*member_1_at(cell.port(0))).run()


async def test_without_the_fix_two_nodes_share_a_port(
    cell: Libp2pCell, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(swarm, "TcpTransport", lambda _counters: TCP())
    one, other = await cell.start(0), await cell.start(0)
    assert one.addresses == other.addresses


def member_1_at(port: int) -> tuple[Any, bytes, list[str]]:
    return signing_key(1), CELL_ID, [f"/ip4/127.0.0.1/tcp/{port}"]


async def streams_left_by_half_requests(cell: Libp2pCell) -> int:
    victim = await cell.start(0)
    victim.transport.set_members({public_key(1): ()})
    async with Attacker(1).running() as hostile:
        await hostile.connect(victim)
        await until(lambda: public_key(1) in victim.transport.peers())
        (connection,) = victim.transport._swarm.connections[peer_id_of(public_key(1))]  # type: ignore[attr-defined]
        before = len(connection.muxed_conn._streams)
        for _ in range(12):
            stream = await hostile.open_stream(victim.transport._requests_protocol)  # type: ignore[attr-defined]
            await stream.write(b"\0\0\0\x20half")
        with trio.move_on_after(3):
            await until(lambda: len(connection.muxed_conn._streams) <= before)
        return len(connection.muxed_conn._streams) - before


async def test_a_stream_left_half_open_is_reset(cell: Libp2pCell) -> None:
    assert await streams_left_by_half_requests(cell) <= 0


async def test_without_the_fix_half_open_streams_pile_up(
    cell: Libp2pCell, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(requests, "abandon", do_nothing)
    monkeypatch.setattr(links, "abandon", do_nothing)
    assert await streams_left_by_half_requests(cell) >= 10


async def lines_written_about_strangers(cell: Libp2pCell, caplog: pytest.LogCaptureFixture) -> int:
    victim = await cell.start(0)
    caplog.set_level(logging.WARNING)
    victim.transport.set_members({public_key(1): ()})
    for _ in range(3):
        async with Attacker(1, muxer="mplex").running() as impostor:
            with suppress(*REFUSALS):
                await impostor.connect(victim)
    return sum("fail to upgrade mux" in record.getMessage() for record in caplog.records)


async def test_attacks_write_no_log(cell: Libp2pCell, caplog: pytest.LogCaptureFixture) -> None:
    assert await lines_written_about_strangers(cell, caplog) == 0


async def test_without_the_fix_attacks_flood_the_log(
    cell: Libp2pCell, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(adapter, "quiet_library", lambda: logging.getLogger("libp2p").setLevel(logging.ERROR))
    assert await lines_written_about_strangers(cell, caplog) >= 3
