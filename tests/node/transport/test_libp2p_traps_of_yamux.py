"""The library's multiplexer has no bounds; ours has, and without it a single member takes all memory."""

from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Any

import pytest
import trio
from attackers import Attacker
from libp2p.exceptions import BaseLibp2pError
from libp2p.stream_muxer.yamux.yamux import Yamux
from stock import StockYamux
from transport_cells import Libp2pCell, Running, connected, public_key, until

from node.constants import FRAME_BYTES, ConnectionLimits
from node.transport.libp2p import swarm
from node.transport.libp2p.identity import peer_id_of
from node.transport.libp2p.yamux import YamuxConnection

DATA, WINDOW_UPDATE, SYN = 0, 1, 1
UNREAD = "/unread/1"


@pytest.fixture
async def cell() -> AsyncIterator[Libp2pCell]:
    async with trio.open_nursery() as nursery:
        yield Libp2pCell(nursery)
        nursery.cancel_scope.cancel()


@pytest.fixture
async def victim(cell: Libp2pCell) -> Running:
    """With a protocol whose handler never reads."""

    async def never_read(_stream: object) -> None:
        await trio.sleep_forever()

    running = await cell.start(0)
    running.transport.set_members({public_key(1): (), public_key(2): ()})
    running.transport._host.set_stream_handler(UNREAD, never_read)  # type: ignore[attr-defined]
    return running


@pytest.fixture
def stock_yamux(monkeypatch: pytest.MonkeyPatch) -> None:
    """The library's multiplexer in the place of ours."""
    monkeypatch.setattr(swarm, "YamuxConnection", StockYamux)


def multiplexer(victim: Running) -> Any:
    connections = victim.transport._swarm.connections  # type: ignore[attr-defined]
    return connections[peer_id_of(public_key(1))][0].muxed_conn


async def most_streams(victim: Running) -> int:
    """How many streams a member holds open at most when it opens 300."""
    most = 0
    async with Attacker(1).running() as hostile:
        await hostile.connect(victim)
        held = multiplexer(victim)
        with suppress(BaseLibp2pError):
            for number in range(300):
                await hostile.send_yamux(WINDOW_UPDATE, SYN, 100_001 + 2 * number, 0)
        with trio.move_on_after(1.5):
            while not held.is_closed:
                most = max(most, len(getattr(held, "_streams", None) or getattr(held, "streams", ())))
                await trio.testing.wait_all_tasks_blocked(0.005)
    return most


async def test_a_peer_opens_64_streams_at_most(victim: Running) -> None:
    assert await most_streams(victim) <= ConnectionLimits().streams


async def test_without_the_fix_a_peer_opens_any_number_of_streams(stock_yamux: None, victim: Running) -> None:
    assert await most_streams(victim) > ConnectionLimits().streams * 2


def unread(held: Any) -> int:
    if isinstance(held, YamuxConnection):
        return held.unread_bytes
    return sum(map(len, held.stream_buffers.values()))


async def most_unread(victim: Running, streams: int, size: int) -> int:
    """How many bytes wait unread at most when a member sends `size` on each of so many streams."""
    most = 0
    async with Attacker(1).running() as hostile:
        await hostile.connect(victim)
        held = multiplexer(victim)
        with suppress(BaseLibp2pError):
            for _ in range(streams):
                stream = await hostile.open_stream(UNREAD)
                number = stream.muxed_stream.stream_id  # type: ignore[attr-defined]
                for start in range(0, size, 50_000):
                    piece = min(50_000, size - start)
                    await hostile.send_yamux(DATA, 0, number, piece, bytes(piece))
                    most = max(most, unread(held))
        with trio.move_on_after(1):
            while not held.is_closed and most < streams * size:
                await trio.testing.wait_all_tasks_blocked(0.005)
                most = max(most, unread(held))
    return most


async def test_256_kib_of_a_stream_wait_unread_at_most(victim: Running) -> None:
    assert await most_unread(victim, 1, 3_000_000) <= ConnectionLimits().stream_window


async def test_without_the_fix_whatever_a_peer_sends_beyond_its_window_is_kept(
    stock_yamux: None, victim: Running
) -> None:
    assert await most_unread(victim, 1, 3_000_000) > 2_500_000


async def test_4_mib_of_a_connection_wait_unread_at_most(victim: Running) -> None:
    most = await most_unread(victim, 24, 250_000)
    assert 3_000_000 < most <= ConnectionLimits().unread_bytes
    assert victim.transport.counters["violations"] == 1


async def test_without_the_fix_all_streams_of_a_connection_may_wait_unread(
    stock_yamux: None, victim: Running
) -> None:
    assert await most_unread(victim, 24, 250_000) > ConnectionLimits().unread_bytes


async def test_a_member_over_the_bounds_costs_the_others_nothing(cell: Libp2pCell, victim: Running) -> None:
    friend = await cell.start(2)
    friend.transport.set_members({victim.key: victim.addresses})
    await connected(victim, friend)
    await most_unread(victim, 24, 250_000)
    with trio.fail_after(5):
        assert friend.transport.send(victim.key, b"still there?")
        await until(lambda: victim.frames(friend) == [b"still there?"])


async def window_updates(cell: Libp2pCell, frames: int) -> int:
    one, other = await cell.start(0), await cell.start(1)
    cell.introduce(one, other)
    await connected(one, other)
    connection = other.transport._swarm.connections[peer_id_of(one.key)][0].muxed_conn  # type: ignore[attr-defined]
    sent = 0
    name = "write_frame" if isinstance(connection, YamuxConnection) else "_write_frame"
    write = getattr(connection, name)

    async def count(*arguments: Any) -> None:
        nonlocal sent
        kind = arguments[0] if isinstance(connection, YamuxConnection) else arguments[0][1]
        sent += kind == WINDOW_UPDATE
        await write(*arguments)

    setattr(connection, name, count)
    for number in range(frames):
        one.transport.send(other.key, bytes(FRAME_BYTES // 8))
        await until(lambda number=number: len(other.frames(one)) > number)
    return sent


async def test_credit_for_a_window_is_given_in_halves(cell: Libp2pCell) -> None:
    assert await window_updates(cell, 20) <= 2


async def test_without_the_fix_every_read_sends_a_window_update(stock_yamux: None, cell: Libp2pCell) -> None:
    assert issubclass(StockYamux, Yamux)
    assert await window_updates(cell, 20) >= 15
