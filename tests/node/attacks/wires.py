"""A wire that can be cut without either end noticing, as when a peer loses power."""

from collections.abc import Callable

import trio


class Wire:
    """Forwards TCP to a port that may change; what passed before `cut` stays open and silent.

    While it is `dead`, new connections are taken and stay silent too.
    """

    def __init__(self, target: Callable[[], int]) -> None:
        self._target = target
        self._cut = trio.Event()
        self.dead = False
        self.port = 0

    @property
    def address(self) -> str:
        return f"/ip4/127.0.0.1/tcp/{self.port}"

    def cut(self) -> None:
        """From now on nothing passes on the present connections; new ones work."""
        self._cut.set()
        self._cut = trio.Event()

    def die(self) -> None:
        """From now on nothing passes, and nobody is told."""
        self.dead = True
        self.cut()

    def mend(self) -> None:
        """New connections work again."""
        self.dead = False

    async def run(self, *, task_status: trio.TaskStatus[None]) -> None:
        listeners = await trio.open_tcp_listeners(0, host="127.0.0.1")
        self.port = listeners[0].socket.getsockname()[1]
        task_status.started()
        await trio.serve_listeners(self._forward, listeners)

    async def _forward(self, near: trio.SocketStream) -> None:
        if self.dead:
            await trio.sleep_forever()
        cut = self._cut
        try:
            far = await trio.open_tcp_stream("127.0.0.1", self._target())
        except OSError:
            return
        async with far, trio.open_nursery() as nursery:
            nursery.start_soon(_copy, near, far, cut)
            nursery.start_soon(_copy, far, near, cut)


async def _copy(source: trio.SocketStream, sink: trio.SocketStream, cut: trio.Event) -> None:
    try:
        async for data in source:
            if cut.is_set():
                await trio.sleep_forever()
            await sink.send_all(data)
        if cut.is_set():
            await trio.sleep_forever()
        await sink.send_eof()
    except (trio.BrokenResourceError, trio.ClosedResourceError):
        if cut.is_set():
            await trio.sleep_forever()
        await sink.aclose()
