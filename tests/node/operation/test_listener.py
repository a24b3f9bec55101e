"""The small HTTP server of operation: what it answers, and what it does with clients that are no good."""

import httpx
import trio
from example_status import status

from node.operation.listener import CONNECTIONS, OperationServer
from node.transport.errors import AddressInUse


async def serve(nursery: trio.Nursery) -> str:
    """A server of the example's status; its address."""
    address: str = await nursery.start(OperationServer("127.0.0.1:0", status).run)
    return address


async def test_it_serves_the_pages_to_an_ordinary_client() -> None:
    async with trio.open_nursery() as nursery, httpx.AsyncClient(trust_env=False) as client:
        address = await serve(nursery)
        page = await client.get(f"http://{address}/metrics")
        assert page.status_code == 200
        assert "wattswarm_height 4.0" in page.text
        assert page.headers["content-type"].startswith("text/plain")
        assert (await client.get(f"http://{address}/healthz")).text == "ok\n"
        assert (await client.get(f"http://{address}/other")).status_code == 404
        assert (await client.post(f"http://{address}/metrics", content=b"x")).status_code == 405
        head = await client.head(f"http://{address}/metrics")
        assert (head.content, int(head.headers["content-length"]) > 1000) == (b"", True)
        nursery.cancel_scope.cancel()


async def test_clients_that_never_speak_are_few_and_leave(autojump_clock: trio.testing.MockClock) -> None:
    async with trio.open_nursery() as nursery:
        host, _, port = (await serve(nursery)).rpartition(":")
        silent = [await trio.open_tcp_stream(host, int(port)) for _ in range(CONNECTIONS)]
        await trio.testing.wait_all_tasks_blocked()
        refused = await trio.open_tcp_stream(host, int(port))
        assert await refused.receive_some() == b""
        for each in silent:
            assert await each.receive_some() == b""
        served = await trio.open_tcp_stream(host, int(port))
        await served.send_all(b"GET /healthz HTTP/1.1\r\nHost: here\r\n\r\n")
        assert (await served.receive_some()).startswith(b"HTTP/1.1 200")
        nursery.cancel_scope.cancel()


async def test_garbage_ends_its_own_connection_only() -> None:
    async with trio.open_nursery() as nursery:
        address = await serve(nursery)
        host, _, port = address.rpartition(":")
        for garbage in (b"\x16\x03\x01\x00\x00", b"GET / HTTP/1.1\r\n" + b"a: b\r\n" * 5000):
            stream = await trio.open_tcp_stream(host, int(port))
            with trio.fail_after(5):
                try:
                    await stream.send_all(garbage + b"\r\n\r\n")
                    assert b"200" not in await stream.receive_some()
                except trio.BrokenResourceError:
                    pass
        async with httpx.AsyncClient(trust_env=False) as client:
            assert (await client.get(f"http://{address}/readyz")).status_code == 200
        nursery.cancel_scope.cancel()


async def test_a_port_in_use_is_named() -> None:
    async with trio.open_nursery() as nursery:
        address = await serve(nursery)
        try:
            await OperationServer(address, status).run()
        except AddressInUse as fault:
            assert "metrics.listen" in str(fault)
            assert address in str(fault)
        else:
            raise AssertionError("two servers on one port")
        nursery.cancel_scope.cancel()
