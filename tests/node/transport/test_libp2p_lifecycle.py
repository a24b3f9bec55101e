"""Connections over their whole life: several addresses, reboots, power cuts, stopped processes, and the end."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import trio
from multiaddr import Multiaddr
from transport_cells import (
    CELL_ID,
    IMPATIENT,
    Libp2pCell,
    connected,
    free_port,
    public_key,
    signing_key,
    until,
)
from wires import Wire

from node.constants import Patience
from node.transport.errors import UnsupportedLibrary
from node.transport.interface import RequestFailed
from node.transport.libp2p import gossip, swarm
from node.transport.libp2p.adapter import Libp2pTransport
from node.transport.libp2p.identity import NotAMemberKeyError, peer_id_of, public_key_of

MEMBER_PROCESS = Path(__file__).parents[1] / "attacks" / "member_process.py"


@pytest.fixture
async def cell() -> AsyncIterator[Libp2pCell]:
    async with trio.open_nursery() as nursery:
        yield Libp2pCell(nursery)
        nursery.cancel_scope.cancel()


def test_another_version_of_the_library_is_refused_with_the_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(swarm, "version", lambda _name: "0.9.0")
    with pytest.raises(UnsupportedLibrary, match=r"pip install libp2p==0\.8\.1"):
        Libp2pTransport(signing_key(0), CELL_ID, [])


def test_a_ledger_key_and_a_peer_id_are_one() -> None:
    assert public_key_of(peer_id_of(public_key(0)).to_bytes()) == public_key(0)
    with pytest.raises(NotAMemberKeyError):
        public_key_of(b"\x12\x20" + bytes(32))


async def test_the_addresses_of_a_member_are_tried_in_turn(cell: Libp2pCell) -> None:
    one, other = await cell.start(0), await cell.start(1)
    nobody = f"/ip4/127.0.0.1/tcp/{free_port()}"
    for member, peer in ((one, other), (other, one)):
        member.transport.set_members({peer.key: ("not an address", nobody, *peer.addresses)})
    await connected(one, other)
    assert one.transport.counters["addresses_invalid"] + other.transport.counters["addresses_invalid"] > 0


@pytest.mark.parametrize("reachable", [0, 1])
async def test_one_reachable_end_is_enough(cell: Libp2pCell, reachable: int) -> None:
    members = [await cell.start(0), await cell.start(1)]
    members[reachable].transport.set_members({members[1 - reachable].key: ()})
    members[1 - reachable].transport.set_members({members[reachable].key: members[reachable].addresses})
    await connected(*members)
    assert members[reachable].transport.counters["connections"] == 1


async def test_of_two_simultaneous_dials_one_connection_remains(cell: Libp2pCell) -> None:
    one, other = await cell.start(0), await cell.start(1)
    one.transport._addresses = {other.key: ()}  # type: ignore[attr-defined]
    other.transport._addresses = {one.key: ()}  # type: ignore[attr-defined]
    async with trio.open_nursery() as nursery:
        for member, peer in ((one, other), (other, one)):
            dial = member.transport._swarm.dial_once  # type: ignore[attr-defined]
            nursery.start_soon(dial, Multiaddr(peer.addresses[0]), peer_id_of(peer.key))
    await connected(one, other)
    for member, peer in ((one, other), (other, one)):
        connections = member.transport._swarm.connections[peer_id_of(peer.key)]  # type: ignore[attr-defined]
        assert len(connections) == 1
        assert member.transport.send(peer.key, b"hello")
        await until(lambda member=member, peer=peer: peer.frames(member) == [b"hello"])


@pytest.mark.parametrize("cut_off", [0, 1])
async def test_a_member_that_lost_power_is_back_within_ten_seconds_of_its_return(cut_off: int) -> None:
    """With the real settings; each of the two ends once, as the keys decide who dials first."""
    async with trio.open_nursery() as nursery:
        cell = Libp2pCell(nursery, patience=Patience())
        stays, goes = await cell.start(1 - cut_off), await cell.start(cut_off)
        port_of = {member.key: int(member.addresses[0].rsplit("/", 1)[1]) for member in (stays, goes)}
        wires = {member.key: Wire(lambda member=member: port_of[member.key]) for member in (stays, goes)}
        for wire in wires.values():
            await nursery.start(wire.run)
        members = {key: (wire.address,) for key, wire in wires.items()}
        for member in (stays, goes):
            member.transport.set_members(members)
        await connected(stays, goes)

        for wire in wires.values():
            wire.cut()
        await goes.stop()
        assert stays.transport.peers() == {goes.key}  # a zombie: nothing has told
        again = await cell.start(cut_off)
        started_s = trio.current_time()
        again.transport.set_members(members)
        await until(lambda: stays.ups(goes) == 2 and stays.key in again.transport.peers(), 10.0)
        assert stays.transport.send(goes.key, b"welcome back")
        await until(lambda: again.frames(stays) == [b"welcome back"])
        assert trio.current_time() - started_s < 10.0
        nursery.cancel_scope.cancel()


async def test_a_dead_peer_that_does_not_come_back_is_noticed(cell: Libp2pCell) -> None:
    one, other = await cell.start(0), await cell.start(1)
    wire = Wire(lambda: int(other.addresses[0].rsplit("/", 1)[1]))
    async with trio.open_nursery() as nursery:
        await nursery.start(wire.run)
        one.transport.set_members({other.key: (wire.address,)})
        other.transport.set_members({one.key: ()})
        await connected(one, other)
        wire.cut()
        await until(lambda: one.downs(other) >= 1 and other.downs(one) >= 1)
        nursery.cancel_scope.cancel()
    assert one.transport.counters["pings_unanswered"] >= 1


async def test_a_stopped_process_is_noticed_and_healed_when_it_continues(cell: Libp2pCell) -> None:
    one = await cell.start(0)
    port = free_port()
    arguments = [sys.executable, str(MEMBER_PROCESS), "1", str(port), "0", one.addresses[0]]
    path = os.pathsep.join([str(MEMBER_PROCESS.parent), *sys.path])
    environment = {**os.environ, "PYTHONPATH": path}
    with subprocess.Popen(arguments, env=environment) as process:
        try:
            one.transport.set_members({public_key(1): (f"/ip4/127.0.0.1/tcp/{port}",)})
            await until(lambda: public_key(1) in one.transport.peers(), 30.0)
            process.send_signal(signal.SIGSTOP)
            await until(lambda: public_key(1) not in one.transport.peers())
            process.send_signal(signal.SIGCONT)
            await until(lambda: public_key(1) in one.transport.peers())
            assert one.transport.send(public_key(1), b"are you there?")
            await until(
                lambda: any(getattr(event, "data", b"") == b"are you there?" for event in one.received)
            )
        finally:
            process.kill()


async def test_a_member_removed_in_the_middle_of_its_handshake_is_not_let_in(
    cell: Libp2pCell, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, other = await cell.start(0), await cell.start(1)
    admit = swarm.MembersSwarm._admit

    async def remove_meanwhile(self: swarm.MembersSwarm, muxed: Any, direction: str) -> Any:
        one.transport.set_members({})
        return await admit(self, muxed, direction)

    monkeypatch.setattr(swarm.MembersSwarm, "_admit", remove_meanwhile)
    one.transport.set_members({other.key: ()})
    other.transport.set_members({one.key: one.addresses})
    await until(lambda: one.transport.counters["connections"] >= 1)
    await until(lambda: not one.transport._swarm.connections)  # type: ignore[attr-defined]
    await until(lambda: one.transport.peers() == frozenset())
    await until(lambda: other.transport.peers() == frozenset())
    assert one.transport.counters["strangers_refused"] >= 1


async def test_a_member_whose_connection_was_replaced_is_dialled_again_when_the_new_one_ends(
    cell: Libp2pCell,
) -> None:
    small, large = sorted((0, 1), key=public_key)
    dials, waits = await cell.start(small), await cell.start(large)
    dials.transport.set_members({waits.key: waits.addresses})
    waits.transport.set_members({dials.key: ()})
    await connected(dials, waits)
    own = dials.transport._swarm  # type: ignore[attr-defined]
    await own.dial_once(Multiaddr(waits.addresses[0]), peer_id_of(waits.key))
    await until(lambda: dials.transport.counters["connections"] == 2)
    await connected(dials, waits)
    own.disconnect(peer_id_of(waits.key))
    await until(lambda: dials.transport.counters["connections"] >= 3)
    await connected(dials, waits)
    assert dials.transport.send(waits.key, b"there again")
    await until(lambda: b"there again" in waits.frames(dials))


async def test_a_member_that_drops_every_connection_is_not_dialled_without_end(cell: Libp2pCell) -> None:
    """As one whose software knows another version of the frames' protocol does."""
    small, large = sorted((0, 1), key=public_key)
    dials, drops = await cell.start(small), await cell.start(large)
    drops.transport._host.get_mux().handlers.pop(drops.transport._frames_protocol)  # type: ignore[attr-defined]
    drops.transport.set_members({dials.key: ()})
    dials.transport.set_members({drops.key: drops.addresses})
    with trio.move_on_after(4):
        await until(lambda: dials.transport.counters["dials"] > 40)
    assert 3 <= dials.transport.counters["dials"] <= 15
    assert dials.transport.counters["peers_up"] == 0


async def publish_before_and_after_a_restart(cell: Libp2pCell) -> int:
    """How many of 40 messages arrive, of which 20 are published right after a restart."""
    one, other = await cell.start(0), await cell.start(1)
    cell.introduce(one, other)
    await connected(one, other)
    await until(lambda: len(one.gossip()) >= 0)
    for number in range(20):
        await other.transport.publish("entries", b"before %d" % number)
    await until(lambda: len(one.gossip()) == 20)
    await other.stop()
    again = await cell.start(1)
    cell.introduce(one, again)
    await connected(one, again)
    for number in range(20):
        await again.transport.publish("entries", b"after %d" % number)
    with trio.move_on_after(4):
        await until(lambda: len(one.gossip()) == 40)
    return len(one.gossip())


async def test_messages_after_a_restart_are_not_taken_for_old_ones(cell: Libp2pCell) -> None:
    assert await publish_before_and_after_a_restart(cell) == 40


async def test_without_the_fix_a_restarted_member_is_not_heard(
    cell: Libp2pCell, monkeypatch: pytest.MonkeyPatch
) -> None:
    start = int(time.time())
    monkeypatch.setattr(gossip.time, "time_ns", lambda: start)
    assert await publish_before_and_after_a_restart(cell) < 40


async def test_a_burst_of_gossip_arrives_whole(cell: Libp2pCell) -> None:
    one, other = await cell.start(0), await cell.start(1)
    cell.introduce(one, other)
    await connected(one, other)
    for number in range(150):
        await one.transport.publish("entries", b"%d" % number)
    await until(lambda: len(other.gossip()) == 150)
    assert {data for _, data in other.gossip()} == {b"%d" % number for number in range(150)}


async def test_the_mesh_of_a_cell_carries_every_message_to_everybody(cell: Libp2pCell) -> None:
    members = [await cell.start(number) for number in range(8)]
    cell.introduce(*members)
    await connected(*members)
    for number in range(5):
        for member in members:
            await member.transport.publish("entries", member.key + b"%d" % number)
    await until(lambda: all(len(member.gossip()) >= 35 for member in members))
    assert all(len(set(member.gossip())) == len(member.gossip()) == 35 for member in members)


async def test_a_request_given_up_half_way_does_not_garble_the_connection(cell: Libp2pCell) -> None:
    async def echo(_peer: bytes, request: bytes) -> bytes:
        return request

    one, other = await cell.start(0), await cell.start(1)
    other.transport.serve(echo)
    cell.introduce(one, other)
    await connected(one, other)

    async def give_up_soon(number: int) -> None:
        with pytest.raises(RequestFailed):
            await one.transport.request(other.key, bytes(60_000), number * 1e-5)

    async with trio.open_nursery() as nursery:
        for number in range(100):
            nursery.start_soon(give_up_soon, number)
    await until(lambda: other.transport.counters["requests_served"] >= 0)
    assert one.transport.send(other.key, b"still in step")
    await until(lambda: other.frames(one) == [b"still in step"])
    assert await one.transport.request(other.key, b"me too", 5.0) == b"me too"
    assert one.transport.counters["violations"] == other.transport.counters["violations"] == 0


def open_sockets() -> int:
    links = [link for link in Path("/proc/self/fd").iterdir() if link.is_symlink()]
    return sum(str(link.readlink()).startswith("socket:") for link in links)


async def test_after_the_end_no_thread_and_no_socket_is_left() -> None:
    threads, sockets = threading.active_count(), open_sockets()
    async with trio.open_nursery() as nursery:
        cell = Libp2pCell(nursery, patience=replace(IMPATIENT))
        members = [await cell.start(number) for number in range(4)]
        cell.introduce(*members)
        await connected(*members)
        for member in members:
            member.transport.broadcast(bytes(10_000))
        nursery.cancel_scope.cancel()
    assert all(member.ended.is_set() for member in members)
    assert threading.active_count() == threads
    assert open_sockets() == sockets
