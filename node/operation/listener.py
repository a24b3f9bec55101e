"""Shell: a small HTTP server for the pages of operation, on loopback, over h11 and trio.

It serves GET and HEAD, one request a connection, a few at a time, each within seconds: nothing here may hold up the
node, and whoever needs more asks the web server.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

import h11
import trio

from node.operation.pages import PLAIN, Answer, answer
from node.operation.status import NodeStatus
from node.transport.errors import AddressInUse

if TYPE_CHECKING:
    from trio_typing import TaskStatus  # the stubs the checker sees lack trio.TaskStatus

CONNECTIONS: Final = 8
"""At one time: one scraper, one probe, somebody who looks."""

REQUEST_S: Final = 5.0
"""Real seconds for a request to come and its answer to go, both on this machine."""

READ_BYTES: Final = 4096
"""A request has a line and a few headers; h11 refuses more than 16 KiB of them."""


class OperationServer:
    """Serves `answer` of the status that `status()` gives at the moment of a request."""

    def __init__(self, address: str, status: Callable[[], NodeStatus]) -> None:
        """`address` is `host:port`; port 0 takes a free one."""
        host, _, port = address.rpartition(":")
        self._host, self._port = host.strip("[]"), int(port)
        self._status = status
        self._places = trio.Semaphore(CONNECTIONS)

    async def run(self, *, task_status: "TaskStatus[str]" = trio.TASK_STATUS_IGNORED) -> None:
        """Serve until cancelled; `started` gets the address. Raises AddressInUse."""
        try:
            listeners = await trio.open_tcp_listeners(self._port, host=self._host)
        except OSError as fault:
            raise AddressInUse(
                f"metrics.listen: cannot listen on {self._host}:{self._port}: {fault.strerror or fault}"
            ) from fault
        host, port = listeners[0].socket.getsockname()[:2]
        task_status.started(f"{host}:{port}" if ":" not in host else f"[{host}]:{port}")
        await trio.serve_listeners(self._serve, listeners)

    async def _serve(self, stream: trio.SocketStream) -> None:
        async with stream:
            try:
                self._places.acquire_nowait()
            except trio.WouldBlock:
                return
            try:
                with trio.move_on_after(REQUEST_S):
                    await self._one_request(stream)
            except (trio.BrokenResourceError, trio.ClosedResourceError, h11.RemoteProtocolError):
                pass
            finally:
                self._places.release()

    async def _one_request(self, stream: trio.SocketStream) -> None:
        connection = h11.Connection(h11.SERVER)
        request: h11.Request | None = None
        while True:
            event = connection.next_event()
            if event is h11.NEED_DATA:
                connection.receive_data(await stream.receive_some(READ_BYTES))
            elif isinstance(event, h11.Request):
                request = event
            elif isinstance(event, h11.EndOfMessage | h11.ConnectionClosed):
                break
        if request is not None:
            await stream.send_all(self._reply(connection, request))

    def _reply(self, connection: h11.Connection, request: h11.Request) -> bytes:
        if request.method not in (b"GET", b"HEAD"):
            told = Answer(405, PLAIN, b"only GET\n")
        else:
            told = answer(request.target.decode("ascii", "replace"), self._status())
        head = h11.Response(
            status_code=told.code,
            headers=[
                ("content-type", told.content_type),
                ("content-length", str(len(told.body))),
                ("cache-control", "no-store"),
                ("connection", "close"),
            ],
        )
        body = b"" if request.method == b"HEAD" else told.body
        parts = [connection.send(head), connection.send(h11.Data(data=body)) if body else b""]
        return b"".join(part for part in parts if part)
