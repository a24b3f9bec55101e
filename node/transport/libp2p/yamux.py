"""Shell: the Yamux multiplexer with a bound on everything a peer can make us hold.

The library's own accepts any number of streams and keeps whatever a peer sends beyond its window. This one speaks the
same protocol (https://github.com/hashicorp/yamux/blob/master/spec.md) and closes the connection of a peer that opens
too many streams, sends beyond a window, or leaves our pings unanswered.
"""

import random
import struct
from collections.abc import Awaitable, Callable
from contextlib import suppress
from types import TracebackType

import trio
from libp2p.abc import IMuxedConn, IMuxedStream, ISecureConn
from libp2p.connection_types import ConnectionType
from libp2p.io.exceptions import IOException
from libp2p.peer.id import ID
from libp2p.stream_muxer.exceptions import (
    MuxedConnUnavailable,
    MuxedStreamClosed,
    MuxedStreamEOF,
    MuxedStreamError,
    MuxedStreamReset,
)
from multiaddr import Multiaddr  # type: ignore[import-untyped]  # no stubs

from node.constants import ConnectionLimits, Patience
from node.transport.counters import Counters
from node.transport.libp2p.containment import Contained
from node.transport.rates import TokenBucket

_HEADER = struct.Struct("!BBHII")
_DATA, _WINDOW_UPDATE, _PING, _GO_AWAY = range(4)
_SYN, _ACK, _FIN, _RST = 1, 2, 4, 8
_INITIAL_WINDOW = 256 * 1024
_FRAME_BYTES = 63 * 1024
"""bytes of data per frame: with its header it fits one Noise message of 65,519 bytes."""

_OWN_STALL_S = 0.5
"""seconds to find an answer that came in time while this process itself was held up."""


class YamuxViolationError(Exception):
    """The peer's fault: it broke the protocol or one of our bounds; its connection is closed."""


class _ConnectionEndedError(Exception):
    """The peer closed its side, which is nobody's fault."""


class YamuxStream(IMuxedStream):
    """One stream of a connection."""

    muxed_conn: "YamuxConnection"

    def __init__(self, connection: "YamuxConnection", stream_id: int) -> None:
        self.muxed_conn = connection
        self.stream_id = stream_id
        self.write_closed = False
        self.read_closed = False
        self.was_reset = False
        self.unread = bytearray()
        self._send_window = _INITIAL_WINDOW
        self._receive_window = connection.limits.stream_window
        self._uncredited = 0
        self._changed = trio.Event()
        self._writing = trio.Lock()

    async def read(self, n: int | None = None) -> bytes:
        """Up to `n` bytes as soon as there are any. Raises MuxedStreamEOF at the end, or MuxedStreamReset."""
        while not self.unread:
            if self.was_reset:
                raise MuxedStreamReset("stream was reset")
            if self.read_closed:
                raise MuxedStreamEOF("stream has ended")
            await self._changed.wait()
        size = len(self.unread) if n is None or n < 0 else n
        data = bytes(self.unread[:size])
        del self.unread[:size]
        self.muxed_conn.unread_bytes -= len(data)
        self._uncredited += len(data)
        if self._uncredited >= self.muxed_conn.limits.stream_window // 2 and not self.read_closed:
            credit, self._uncredited = self._uncredited, 0
            self._receive_window += credit
            await self.muxed_conn.write_frame(_WINDOW_UPDATE, 0, self.stream_id, credit)
        return data

    async def write(self, data: bytes) -> None:
        """All of `data`. Raises MuxedStreamError when closed, reset, or the peer does not read for too long."""
        rest = memoryview(data)
        async with self._writing:
            while rest:
                if self._send_window == 0 or self.write_closed:
                    await self._wait_for_window()
                size = min(len(rest), self._send_window, _FRAME_BYTES)
                self._send_window -= size
                await self.muxed_conn.write_frame(_DATA, 0, self.stream_id, size, rest[:size])
                rest = rest[size:]

    async def close(self) -> None:
        """No more writing; the peer may still send until it closes too."""
        if not self.write_closed:
            self.write_closed = True
            if self.read_closed:
                self.muxed_conn.forget(self)
            await self.muxed_conn.write_frame(_WINDOW_UPDATE, _FIN, self.stream_id, 0)

    async def reset(self) -> None:
        """End both directions at once."""
        if not self.was_reset:
            finished = self.write_closed and self.read_closed
            self.ended(reset=True)
            if not finished:
                self.muxed_conn.forget(self)
                await self.muxed_conn.write_frame(_WINDOW_UPDATE, _RST, self.stream_id, 0)

    def received(self, data: bytes) -> None:
        """Data arrived. Raises YamuxViolationError when it is more than we allowed."""
        self._receive_window -= len(data)
        if self._receive_window < 0:
            raise YamuxViolationError(f"{-self._receive_window} bytes beyond the window")
        if not self.read_closed:
            self.unread += data
            self.muxed_conn.unread_bytes += len(data)
            self._wake()

    def credited(self, size: int) -> None:
        """The peer allows more data."""
        self._send_window += size
        self._wake()

    def ended(self, *, reset: bool) -> None:
        """The peer, or the end of the connection, closed its direction or reset both."""
        self.read_closed = True
        if reset:
            self.was_reset = True
            self.write_closed = True
            self.muxed_conn.unread_bytes -= len(self.unread)
            self.unread.clear()
        self._wake()

    def set_deadline(self, ttl: int) -> None:
        """Not offered; use a cancel scope."""
        raise NotImplementedError

    def get_remote_address(self) -> tuple[str, int] | None:
        """Host and port of the other end."""
        return self.muxed_conn.get_remote_address()

    async def __aenter__(self) -> "YamuxStream":
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def _wait_for_window(self) -> None:
        with trio.move_on_after(self.muxed_conn.patience.stall_s) as stalled:
            while self._send_window == 0 and not self.write_closed:
                await self._changed.wait()
        if self.was_reset:
            raise MuxedStreamReset("stream was reset")
        if self.write_closed:
            raise MuxedStreamClosed("stream is closed for writing")
        if stalled.cancelled_caught:
            self.muxed_conn.counters.add("streams_stalled")
            raise MuxedStreamError("the peer does not read")

    def _wake(self) -> None:
        self._changed.set()
        self._changed = trio.Event()


class YamuxConnection(IMuxedConn):
    """All streams over one secured connection to one peer; `dialled` is the address, None if the peer dialled us."""

    def __init__(
        self,
        conn: ISecureConn,
        peer_id: ID,
        *,
        limits: ConnectionLimits | None = None,
        patience: Patience | None = None,
        counters: Counters | None = None,
        beside: bool = False,
    ) -> None:
        self.beside = beside
        self.dialled: str | None = None
        self.secured_conn = conn
        self.peer_id = peer_id
        self.limits = limits or ConnectionLimits()
        self.patience = patience or Patience()
        self.counters = counters or Counters()
        self.event_started = trio.Event()
        self.event_closed = trio.Event()
        self.on_close: Callable[[], Awaitable[None]] | None = None
        self.unread_bytes = 0
        self._initiator = conn.is_initiator
        self._next_stream_id = 1 if self._initiator else 2
        self._streams: dict[int, YamuxStream] = {}
        self._opened = TokenBucket(self.limits.streams_per_s, self.limits.streams_burst, trio.current_time())
        self._accepted_in, self._accepted = trio.open_memory_channel[YamuxStream](self.limits.streams)
        self._answers_in, self._answers = trio.open_memory_channel[bytes](self.limits.control_frames)
        self._input = bytearray()
        self._writing = trio.Lock()
        self._pong = trio.Event()
        self._closing = False

    @property
    def is_initiator(self) -> bool:
        """Whether we dialled."""
        return self._initiator

    @property
    def is_established(self) -> bool:
        """Whether streams can be opened."""
        return self.event_started.is_set() and not self._closing

    @property
    def is_closed(self) -> bool:
        """Whether it is over."""
        return self.event_closed.is_set()

    async def start(self) -> None:
        """Serve the connection until it ends; never raises because of the peer."""
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._keep_alive)
                nursery.start_soon(self._send_answers)
                self.event_started.set()
                with Contained(self.counters, "violations"), suppress(_ConnectionEndedError, IOException):
                    await self._receive()
                nursery.cancel_scope.cancel()
        finally:
            await self._end()

    async def close(self) -> None:
        """Say goodbye and close; safe to call again."""
        if not self._closing:
            self._closing = True
            with trio.move_on_after(self.patience.close_timeout_s), suppress(IOException):
                await self._write(_HEADER.pack(0, _GO_AWAY, 0, 0, 0), interruptible=True)
        await self._end()

    async def open_stream(self) -> YamuxStream:
        """A new stream to the peer. Raises MuxedConnUnavailable."""
        if self._closing or len(self._streams) >= self.limits.streams:
            raise MuxedConnUnavailable("connection is closed or full")
        stream = YamuxStream(self, self._next_stream_id)
        self._next_stream_id += 2
        self._streams[stream.stream_id] = stream
        await self.write_frame(_WINDOW_UPDATE, _SYN, stream.stream_id, 0)
        return stream

    async def accept_stream(self) -> YamuxStream:
        """The next stream that the peer opened. Raises MuxedConnUnavailable at the end."""
        try:
            return await self._accepted.receive()
        except trio.EndOfChannel:
            raise MuxedConnUnavailable("connection is closed") from None

    def forget(self, stream: YamuxStream) -> None:
        """Both directions of the stream have ended."""
        self._streams.pop(stream.stream_id, None)

    async def write_frame(
        self, kind: int, flags: int, stream_id: int, length: int, body: bytes | memoryview = b""
    ) -> None:
        """Send one frame. Raises MuxedStreamReset when the connection is gone."""
        try:
            await self._write(_HEADER.pack(0, kind, flags, stream_id, length) + body)
        except IOException as error:
            raise MuxedStreamReset("connection is gone") from error

    def get_transport_addresses(self) -> list[Multiaddr]:
        """Where the peer is."""
        return self.secured_conn.get_transport_addresses()

    def get_connection_type(self) -> ConnectionType:
        """Direct, as nothing else is built in."""
        return self.secured_conn.get_connection_type()

    def get_remote_address(self) -> tuple[str, int] | None:
        """Host and port of the other end."""
        return self.secured_conn.get_remote_address()

    async def _write(self, data: bytes, *, interruptible: bool = False) -> None:
        """Half a message garbles all that follows: only a caller that gives up the connection may be stopped."""
        async with self._writing:
            with trio.CancelScope(shield=not interruptible):
                await self.secured_conn.write(data)

    async def _receive(self) -> None:
        while True:
            version, kind, flags, stream_id, length = _HEADER.unpack(await self._take(_HEADER.size))
            if version != 0 or kind > _GO_AWAY:
                raise YamuxViolationError(f"frame of version {version}, type {kind}")
            if kind == _GO_AWAY:
                return
            if kind == _PING:
                self._received_ping(flags, length)
                continue
            if flags & _SYN:
                self._accept(stream_id)
            stream = self._streams.get(stream_id)
            if kind == _DATA:
                await self._received_data(stream, length)
            elif stream is not None:
                stream.credited(length)
            if stream is not None and flags & (_FIN | _RST):
                stream.ended(reset=bool(flags & _RST))
                if stream.write_closed:
                    self.forget(stream)

    async def _received_data(self, stream: YamuxStream | None, length: int) -> None:
        """Data of a stream we have just reset is read and thrown away."""
        if length > self.limits.stream_window or self.unread_bytes + length > self.limits.unread_bytes:
            raise YamuxViolationError(f"{length} bytes beyond what may wait unread")
        data = await self._take(length)
        if stream is not None:
            stream.received(data)

    def _received_ping(self, flags: int, value: int) -> None:
        if flags & _SYN:
            self._answer(_PING, _ACK, 0, value)
        else:
            self._pong.set()

    def _accept(self, stream_id: int) -> None:
        if stream_id in self._streams or stream_id % 2 == self._next_stream_id % 2:
            raise YamuxViolationError(f"stream {stream_id} opened twice or from the wrong side")
        if len(self._streams) >= self.limits.streams or not self._opened.take(1, trio.current_time()):
            self.counters.add("streams_refused")
            raise YamuxViolationError("too many streams")
        stream = YamuxStream(self, stream_id)
        self._streams[stream_id] = stream
        try:
            self._accepted_in.send_nowait(stream)
        except trio.WouldBlock:
            raise YamuxViolationError("too many streams at once") from None
        self._answer(_WINDOW_UPDATE, _ACK, stream_id, 0)

    def _answer(self, kind: int, flags: int, stream_id: int, length: int) -> None:
        """Never waits: a reader that waits for its own writer deadlocks when both ends do."""
        try:
            self._answers_in.send_nowait(_HEADER.pack(0, kind, flags, stream_id, length))
        except trio.WouldBlock:
            raise YamuxViolationError("the peer does not read our answers") from None

    async def _send_answers(self) -> None:
        with suppress(IOException):
            async for header in self._answers:
                await self._write(header)

    async def _keep_alive(self) -> None:
        """Find a peer that lost power or hangs: nothing else tells when no packet comes back."""
        while True:
            await trio.sleep(self.patience.ping_every_s * random.uniform(0.8, 1.2))
            self._pong = trio.Event()
            with trio.move_on_after(self.patience.ping_timeout_s), suppress(IOException):
                await self._write(_HEADER.pack(0, _PING, _SYN, 0, 0), interruptible=True)
                await self._pong.wait()
            with trio.move_on_after(_OWN_STALL_S):
                await self._pong.wait()
            if not self._pong.is_set():
                self.counters.add("pings_unanswered")
                await self._end()
                return

    async def _take(self, size: int) -> bytes:
        while len(self._input) < size:
            data = await self.secured_conn.read()
            if not data:
                raise _ConnectionEndedError
            self._input += data
        data = bytes(self._input[:size])
        del self._input[:size]
        return data

    async def _end(self) -> None:
        self._closing = True
        self._accepted_in.close()
        self._answers_in.close()
        for stream in tuple(self._streams.values()):
            stream.ended(reset=True)
        self._streams.clear()
        first = not self.event_closed.is_set()
        self.event_closed.set()
        with suppress(IOException):
            await self.secured_conn.close()
        if first and self.on_close is not None:
            await self.on_close()
