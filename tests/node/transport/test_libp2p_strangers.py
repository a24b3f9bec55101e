"""What somebody who is not a member can do to a node: nothing that lasts."""

import contextlib
import os
import threading
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
import trio
from attackers import Attacker
from libp2p.exceptions import BaseLibp2pError
from libp2p.network.swarm import Swarm
from transport_cells import IMPATIENT, Libp2pCell, Running, connected, dial_and_leave, until

from node.constants import ConnectionLimits
from node.transport.interface import PeerUp
from node.transport.libp2p.swarm import MembersSwarm

STRANGER = 666
SOON_S = 5.0
"""within which a node under attack serves a member."""
LIMITS = ConnectionLimits(handshakes=24, handshakes_per_address=16)
REFUSALS = (BaseLibp2pError, trio.TooSlowError)


@dataclass
class Pair:
    victim: Running
    friend: Running

    async def works(self) -> None:
        """The victim still talks to its friend."""
        before = len(self.victim.frames(self.friend))
        with trio.fail_after(SOON_S):
            await connected(self.victim, self.friend)
            assert self.friend.transport.send(self.victim.key, b"still there?")
            await until(lambda: len(self.victim.frames(self.friend)) > before)
        assert not self.victim.ended.is_set()


@pytest.fixture
async def pair() -> AsyncIterator[Pair]:
    async with trio.open_nursery() as nursery:
        cell = Libp2pCell(nursery, patience=replace(IMPATIENT, handshake_timeout_s=1.5))
        victim, friend = await cell.start(0, limits=LIMITS), await cell.start(1)
        cell.introduce(victim, friend)
        await connected(victim, friend)
        yield Pair(victim, friend)
        nursery.cancel_scope.cancel()


async def open_tcp(victim: Running) -> trio.SocketStream:
    return await trio.open_tcp_stream("127.0.0.1", int(victim.addresses[0].rsplit("/", 1)[1]))


async def closed_by_peer(stream: trio.SocketStream) -> bool:
    try:
        while await stream.receive_some(65536):
            pass
    except trio.BrokenResourceError:
        return True
    return True


async def test_a_fresh_key_is_refused_after_the_handshake(pair: Pair) -> None:
    async with Attacker(STRANGER).running() as stranger:
        with trio.move_on_after(5):
            with contextlib.suppress(*REFUSALS):
                await stranger.connect(pair.victim)
            await until(lambda: not stranger.is_connected)
        assert not stranger.is_connected
    counters = pair.victim.transport.counters
    assert counters["strangers_refused"] >= 1
    assert counters["handshakes_failed"] == counters["handshakes_abandoned"] == 0
    assert {event for event in pair.victim.received if isinstance(event, PeerUp)} == {PeerUp(pair.friend.key)}
    await pair.works()


@pytest.mark.parametrize(
    ("security", "muxer"), [("plaintext", "yamux"), ("secio", "yamux"), ("tls", "yamux"), ("noise", "mplex")]
)
async def test_whoever_offers_anything_but_noise_and_yamux_is_refused(
    pair: Pair, security: str, muxer: str
) -> None:
    friends_number = 1
    async with Attacker(friends_number, security, muxer).running() as impostor:
        with pytest.raises(REFUSALS):
            await impostor.connect(pair.victim)
        assert not impostor.is_connected
    counters = pair.victim.transport.counters
    await until(lambda: counters["handshakes_failed"] + counters["handshakes_abandoned"] >= 1)
    await pair.works()


async def test_garbage_on_the_port_is_dropped(pair: Pair) -> None:
    openings = [
        os.urandom(2000),
        b"GET / HTTP/1.1\r\n\r\n",
        b"\x13/multistream/1.0.0\n\x07/noise\n" + os.urandom(500),
        b"\x13/multistream/1.0.0\n\x07/noise\n\xff\xff" + os.urandom(70000),
        b"\xff" * 64,
        b"",
    ]
    for opening in openings * 5:
        stream = await open_tcp(pair.victim)
        with trio.move_on_after(1):
            with contextlib.suppress(trio.BrokenResourceError):
                await stream.send_all(opening)
        await stream.aclose()
    counters = pair.victim.transport.counters
    await until(lambda: counters["handshakes_failed"] + counters["handshakes_abandoned"] == len(openings) * 5)
    assert counters["handshakes_failed"] >= 10
    assert counters["handshakes_abandoned"] >= 5
    await pair.works()


async def test_silent_connections_are_few_and_short_lived(pair: Pair) -> None:
    silent = [await open_tcp(pair.victim) for _ in range(80)]
    await pair.works()
    with trio.fail_after(5):
        for stream in silent:
            assert await closed_by_peer(stream)
    counters = pair.victim.transport.counters
    await until(lambda: counters["handshakes_expired"] == 80)
    await pair.works()


async def test_a_friend_gets_in_while_silent_connections_hold_every_slot(pair: Pair) -> None:
    await pair.friend.stop()
    await until(lambda: not pair.victim.transport.peers())
    silent = [await open_tcp(pair.victim) for _ in range(80)]
    before = pair.victim.transport.counters["connections"]
    async with Attacker(1).running() as friend_again:
        await friend_again.connect(pair.victim)
        await until(lambda: pair.victim.transport.counters["connections"] > before)
    for stream in silent:
        await stream.aclose()
    assert not pair.victim.ended.is_set()


async def open_and_close_many(pair: Pair, count: int) -> int:
    """How many of that many connections a member can make, one after the other, and end properly."""
    await pair.friend.stop()
    successes = 0
    for _ in range(count):
        async with Attacker(1).running() as member:
            with contextlib.suppress(*REFUSALS):
                await member.connect(pair.victim)
                successes += 1
    return successes


async def test_300_sockets_opened_and_closed_and_it_still_listens(pair: Pair) -> None:
    for _ in range(300):
        stream = await open_tcp(pair.victim)
        await stream.aclose()
    await pair.works()


def tasks() -> int:
    """How many trio tasks there are."""

    def count(task: trio.lowlevel.Task) -> int:
        return 1 + sum(count(child) for nursery in task.child_nurseries for child in nursery.child_tasks)

    root = trio.lowlevel.current_root_task()
    return count(root) if root is not None else 0


def descriptors() -> int:
    """How many files and sockets this process holds open."""
    return len(list(Path("/proc/self/fd").iterdir()))


async def test_100_connections_of_a_member_leave_no_task_no_descriptor_and_no_thread() -> None:
    async with trio.open_nursery() as nursery:
        cell = Libp2pCell(nursery)
        victim, member = await cell.start(0), await cell.start(1)
        await dial_and_leave(member, victim, SOON_S)
        held = (tasks(), descriptors(), threading.active_count())
        for _ in range(100):
            await dial_and_leave(member, victim, SOON_S)
        await until(lambda: tasks() <= held[0] and descriptors() <= held[1])
        assert threading.active_count() <= held[2]
        cell.introduce(victim, member)
        with trio.fail_after(SOON_S):
            await connected(victim, member)
        nursery.cancel_scope.cancel()


async def test_connections_give_back_their_slots(pair: Pair) -> None:
    assert await open_and_close_many(pair, 12) == 12


async def test_without_the_fix_the_slots_of_connections_are_never_given_back(
    pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(MembersSwarm, "_handle_inbound_connection", Swarm._handle_inbound_connection)
    pair.victim.transport._swarm._inbound_limiter = trio.CapacityLimiter(8)  # type: ignore[attr-defined]
    assert await open_and_close_many(pair, 12) == 8
