"""The links of a chaos run, over real sockets of loopback: whole, cut, reset, slow, and healed."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
import trio

from sim.testnet.links import LOOPBACK, Break, Condition, Flow, Link

PATIENCE_S = 30.0
"""For what must come, on a busy machine."""
SILENCE_S = 0.2
"""For what must not come; far longer than loopback takes."""


@asynccontextmanager
async def linked() -> AsyncIterator[Link]:
    """A link from `a`, who only dials, to `b`, who sends everything back; it ends with its connections."""

    async def echo(stream: trio.SocketStream) -> None:
        try:
            async for data in stream:
                await stream.send_all(data)
            await stream.send_eof()
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            await stream.aclose()

    async with trio.open_nursery() as nursery:
        (listener,) = await trio.open_tcp_listeners(0, host=LOOPBACK)
        nursery.start_soon(trio.serve_listeners, echo, [listener])
        link = Link(("a", "b"), (1, listener.socket.getsockname()[1]))
        await nursery.start(link.run)
        yield link
        nursery.cancel_scope.cancel()


async def dial(link: Link) -> trio.SocketStream:
    """A connection from `a` to `b`."""
    return await trio.open_tcp_stream(LOOPBACK, link.entrance("a"))


async def echoed(stream: trio.SocketStream, data: bytes, within_s: float = PATIENCE_S) -> bool:
    """Whether the data come back; False where nothing comes for so long or the connection ends."""
    received = b""
    with trio.move_on_after(within_s):
        await stream.send_all(data)
        while len(received) < len(data):
            some = await stream.receive_some()
            if not some:
                return False
            received += some
    return received == data


async def test_a_whole_link_carries_both_ways_and_passes_on_an_end() -> None:
    with trio.fail_after(PATIENCE_S):
        async with linked() as link, await dial(link) as stream:
            data = bytes(range(256)) * 2_000
            async with trio.open_nursery() as nursery:
                nursery.start_soon(stream.send_all, data)
                received = b""
                while len(received) < len(data):
                    received += await stream.receive_some()
            assert received == data
            await stream.send_eof()
            assert await stream.receive_some() == b""


async def test_cut_silently_nothing_passes_and_nobody_is_told_and_after_healing_only_new_ones_work() -> None:
    with trio.fail_after(PATIENCE_S):
        async with linked() as link, await dial(link) as before:
            assert await echoed(before, b"before")
            link.impose("cut", Condition(Break.SILENT))
            assert not await echoed(before, b"lost", SILENCE_S)
            async with await dial(link) as during:
                assert not await echoed(during, b"lost too", SILENCE_S)
                link.lift("cut")
                for stream in (before, during):
                    with trio.move_on_after(SILENCE_S) as waited:
                        await stream.receive_some()
                    assert waited.cancelled_caught, "the connection stays open and silent"
            async with await dial(link) as after:
                assert await echoed(after, b"after")


async def test_reset_both_ends_are_told_and_new_connections_are_refused_until_it_heals() -> None:
    with trio.fail_after(PATIENCE_S):
        async with linked() as link, await dial(link) as before:
            assert await echoed(before, b"before")
            link.impose("reset", Condition(Break.RESET))
            with pytest.raises(trio.BrokenResourceError):
                await before.receive_some()
            async with await dial(link) as during:
                with pytest.raises(trio.BrokenResourceError):
                    await during.receive_some()
            link.lift("reset")
            async with await dial(link) as after:
                assert await echoed(after, b"after")


async def test_each_direction_has_its_own_delay_and_nothing_is_lost_or_reordered() -> None:
    with trio.fail_after(PATIENCE_S):
        async with linked() as link, await dial(link) as stream:
            assert await echoed(stream, b"at once")
            link.impose("slow", Condition(None, (Flow(delay_s=0.1), Flow(delay_s=0.25))))
            began = trio.current_time()
            received = b""
            for data in (b"first ", b"second"):
                await stream.send_all(data)
            while len(received) < 12:
                received += await stream.receive_some()
            assert received == b"first second"
            assert 0.35 <= trio.current_time() - began < PATIENCE_S / 2
            link.lift("slow")
            assert await echoed(stream, b"at once again")


async def test_bandwidth_is_limited_in_the_direction_that_was_named() -> None:
    with trio.fail_after(PATIENCE_S):
        async with linked() as link, await dial(link) as stream:
            link.impose("slow", Condition(None, (Flow(), Flow(bytes_per_s=100_000))))
            began, count = trio.current_time(), 0
            await stream.send_all(bytes(40_000))
            while count < 40_000:
                count += len(await stream.receive_some())
            assert 0.35 <= trio.current_time() - began < PATIENCE_S / 2


async def test_what_is_imposed_together_adds_up_and_is_lifted_one_by_one() -> None:
    async with linked() as link:
        link.impose(1, Condition(None, (Flow(0.1, 500), Flow())))
        link.impose(2, Condition(None, (Flow(0.2, 900), Flow(0.3, None))))
        link.impose(3, Condition(Break.SILENT))
        link.impose(4, Condition(Break.RESET))
        assert link.flow(0) == Flow(0.2, 500)
        assert link.flow(1) == Flow(0.3, None)
        assert link.broken is Break.RESET
        link.lift(4)
        assert link.broken is Break.SILENT
        for key in (3, 2):
            link.lift(key)
        assert link.broken is None
        assert link.flow(0) == Flow(0.1, 500)


async def test_a_node_that_does_not_listen_resets_whoever_dials_it() -> None:
    with trio.fail_after(PATIENCE_S):
        async with linked() as link:
            link.ports = (1, 1)
            async with await dial(link) as stream:
                with pytest.raises(trio.BrokenResourceError):
                    await stream.receive_some()
