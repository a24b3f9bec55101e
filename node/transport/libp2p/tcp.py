"""Shell: TCP for libp2p, with buffered reads and a port that belongs to one process.

The library's own TCP reads a Noise message with several system calls and opens its port with SO_REUSEPORT, so that
two daemons on one port share the connections without an error.
"""

import errno

import trio
from libp2p.abc import IListener, IRawConnection, ITransport
from libp2p.custom_types import THandler
from libp2p.io.abc import ReadWriteCloser
from libp2p.io.exceptions import ConnectionClosedError
from libp2p.network.connection.raw_connection import RawConnection
from libp2p.transport.exceptions import OpenConnectionError
from multiaddr import Multiaddr  # type: ignore[import-untyped]  # no stubs

from node.transport.counters import Counters

_READ_BYTES = 64 * 1024
_HOST_PROTOCOLS = ("ip4", "ip6", "dns", "dns4", "dns6")


class BufferedTcpStream(ReadWriteCloser):
    """A TCP connection that reads what is there and hands it out in the pieces asked for; every byte is counted."""

    def __init__(self, stream: trio.SocketStream, counters: Counters) -> None:
        self._stream = stream
        self._counters = counters
        self._buffer = bytearray()
        self._writing = trio.Lock()
        self.left_by_peer = False
        """Whether the other end has closed or reset the connection."""
        peer = stream.socket.getpeername()
        self._remote = (str(peer[0]), int(peer[1]))

    async def read(self, n: int | None = None) -> bytes:
        """Up to `n` bytes, or all there are; nothing at the end."""
        if not self._buffer:
            try:
                received = await self._stream.receive_some(_READ_BYTES)
            except trio.BrokenResourceError as error:
                self.left_by_peer = True
                raise ConnectionClosedError(str(error), transport="tcp") from error
            except trio.ClosedResourceError:
                return b""
            self.left_by_peer = not received
            self._counters.add("bytes_received", len(received))
            self._buffer += received
        size = len(self._buffer) if n is None else n
        data = bytes(self._buffer[:size])
        del self._buffer[:size]
        return data

    async def write(self, data: bytes) -> None:
        """All of `data`. Raises ConnectionClosedError."""
        async with self._writing:
            try:
                await self._stream.send_all(data)
            except (trio.BrokenResourceError, trio.ClosedResourceError) as error:
                raise ConnectionClosedError(str(error), transport="tcp") from error
        self._counters.add("bytes_sent", len(data))

    async def close(self) -> None:
        """Close at once."""
        await self._stream.aclose()

    def get_remote_address(self) -> tuple[str, int]:
        """Host and port of the other end."""
        return self._remote


class TcpTransport(ITransport):
    """Dials and listens on /ip4, /ip6 and /dns addresses with /tcp."""

    def __init__(self, counters: Counters) -> None:
        self._counters = counters
        self.absent: set[str] = set()
        """Addresses to listen on that no interface of this machine had when it was tried last."""

    async def dial(self, maddr: Multiaddr) -> IRawConnection:
        """Connect. Raises OpenConnectionError."""
        host, port = _host_and_port(maddr)
        try:
            stream = await trio.open_tcp_stream(host, port)
        except OSError as error:
            raise OpenConnectionError(f"{maddr}: {error}") from error
        try:
            return RawConnection(BufferedTcpStream(stream, self._counters), True)
        except OSError as error:
            raise OpenConnectionError(f"{maddr}: {error}") from error

    def create_listener(self, handler_function: THandler) -> IListener:
        """A listener that is not listening yet."""
        return TcpListener(handler_function, self._counters, self.absent)

    def can_dial(self, maddr: Multiaddr) -> bool:
        """Whether the address is TCP and nothing on top."""
        return [protocol.name for protocol in maddr.protocols()][1:2] == ["tcp"]

    def can_listen(self, maddr: Multiaddr) -> bool:
        """Whether the address is TCP and nothing on top."""
        return self.can_dial(maddr)

    def protocols(self) -> list[str]:
        """What the library filters addresses by."""
        return ["tcp"]


class TcpListener(IListener):
    """Accepts connections in the nursery that the swarm sets before it calls `listen`."""

    background_nursery: trio.Nursery

    def __init__(self, handler: THandler, counters: Counters, absent: set[str]) -> None:
        self._handler = handler
        self._counters = counters
        self._absent = absent
        self._addresses: tuple[Multiaddr, ...] = ()
        self._serving = trio.CancelScope()

    async def listen(self, maddr: Multiaddr) -> None:
        """Bind, without sharing the port, and accept from now on. Raises OpenConnectionError."""
        host, port = _host_and_port(maddr)
        self._absent.discard(str(maddr))
        try:
            listeners = await trio.open_tcp_listeners(port, host=host)
        except OSError as error:
            if error.errno == errno.EADDRNOTAVAIL:
                self._absent.add(str(maddr))
            raise OpenConnectionError(f"{maddr}: {error}") from error
        self._addresses = tuple(_address_of(listener) for listener in listeners)
        self.background_nursery.start_soon(self._serve, listeners)

    def get_addrs(self) -> tuple[Multiaddr, ...]:
        """The addresses bound, with the real port where zero was asked for."""
        return self._addresses

    async def close(self) -> None:
        """Stop accepting, and end what was accepted here."""
        self._serving.cancel()
        await trio.lowlevel.checkpoint()

    async def _serve(self, listeners: list[trio.SocketListener]) -> None:
        with self._serving:
            await trio.serve_listeners(self._accept, listeners)

    async def _accept(self, stream: trio.SocketStream) -> None:
        try:
            buffered = BufferedTcpStream(stream, self._counters)
        except OSError:
            return  # gone before it was accepted
        await self._handler(buffered)


def _host_and_port(address: Multiaddr) -> tuple[str, int]:
    for protocol in address.protocols():
        if protocol.name in _HOST_PROTOCOLS:
            host = address.value_for_protocol(protocol.name)
            port = address.value_for_protocol("tcp")
            return str(host), int(str(port))
    raise OpenConnectionError(f"{address} names no host")


def _address_of(listener: trio.SocketListener) -> Multiaddr:
    name = listener.socket.getsockname()
    family = "ip6" if listener.socket.family == trio.socket.AF_INET6 else "ip4"
    return Multiaddr(f"/{family}/{name[0]}/tcp/{name[1]}")
