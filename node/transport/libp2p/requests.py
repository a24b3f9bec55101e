"""Shell: requests and replies, many at a time on one stream per connection and direction.

A request is a frame of a number of four bytes and the data; a reply has one byte between, 0 for an answer and 1 for a
refusal. Opening a stream per request would cost three times as much.
"""

import itertools
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field

import trio
from libp2p.abc import INetStream

from node.constants import REPLY_BYTES, REQUEST_BYTES, Patience, QueueLimits
from node.transport.counters import Counters
from node.transport.errors import MessageTooLarge, RequestFailed, RequestRefused
from node.transport.interface import RequestHandler
from node.transport.libp2p.containment import Contained
from node.transport.libp2p.streams import FrameReader, abandon, encode_frame

_NUMBER_BYTES = 4
_ANSWERED, _REFUSED = b"\0", b"\1"


@dataclass(slots=True)
class _Question:
    answered: trio.Event = field(default_factory=trio.Event)
    reply: bytes | None = None


class RequestClient:
    """Our requests to one peer over one connection; the stream opens with the first."""

    def __init__(
        self,
        peer: bytes,
        open_stream: Callable[[], Awaitable[INetStream]],
        patience: Patience,
        counters: Counters,
    ) -> None:
        self._peer = peer
        self._open_stream = open_stream
        self._patience = patience
        self._counters = counters
        self._numbers = itertools.count()
        self._questions: dict[int, _Question] = {}
        self._stream: INetStream | None = None
        self._opening = trio.Lock()
        self._opened = trio.Event()
        self._ended = False

    async def run(self) -> None:
        """Receive the replies while the link is up."""
        try:
            while True:
                await self._opened.wait()
                self._opened = trio.Event()
                stream = self._stream
                if stream is not None:
                    with Contained(self._counters, "reply_streams_ended"):
                        await self._receive(stream)
                    if self._stream is stream:
                        await self._give_up(stream)
        finally:
            self._ended = True
            await self._give_up(self._stream)

    async def request(self, data: bytes, timeout_s: float) -> bytes:
        """Raises RequestFailed."""
        number = next(self._numbers) % 2 ** (8 * _NUMBER_BYTES)
        question = self._questions[number] = _Question()
        reason = "not connected"
        try:
            with trio.move_on_after(timeout_s) as deadline, Contained(self._counters, "requests_unsendable"):
                stream = await self._usable_stream()
                await self._write(stream, encode_frame(number.to_bytes(_NUMBER_BYTES, "big") + data))
                reason = "refused or disconnected"
                await question.answered.wait()
        finally:
            self._questions.pop(number, None)
        if question.reply is not None:
            return question.reply
        raise RequestFailed(
            self._peer, f"no reply within {timeout_s} s" if deadline.cancelled_caught else reason
        )

    async def _usable_stream(self) -> INetStream:
        async with self._opening:
            if self._ended:
                raise RequestFailed(self._peer, "not connected")
            if self._stream is None:
                self._stream = await self._open_stream()
                self._opened.set()
            return self._stream

    async def _write(self, stream: INetStream, frame: bytes) -> None:
        """After half a frame nothing on the stream makes sense: a write that is stopped ends it."""
        complete = False
        try:
            await stream.write(frame)
            complete = True
        finally:
            if not complete and self._stream is stream:
                await self._give_up(stream)

    async def _receive(self, stream: INetStream) -> None:
        reader = FrameReader(stream, REPLY_BYTES + _NUMBER_BYTES + 1, self._patience)
        while True:
            frame = await reader.read()
            question = self._questions.get(int.from_bytes(frame[:_NUMBER_BYTES], "big"))
            if question is not None:
                if frame[_NUMBER_BYTES : _NUMBER_BYTES + 1] == _ANSWERED:
                    question.reply = frame[_NUMBER_BYTES + 1 :]
                question.answered.set()

    async def _give_up(self, stream: INetStream | None) -> None:
        self._stream = None
        for question in self._questions.values():
            question.answered.set()
        if stream is not None:
            await abandon(stream, self._patience)


class RequestServer:
    """Answers the requests of all peers with one handler, a bounded number at a time."""

    def __init__(
        self,
        *,
        accept: Callable[[bytes, int], bool],
        offend: Callable[[bytes], None],
        queues: QueueLimits,
        patience: Patience,
        counters: Counters,
    ) -> None:
        self.handler: RequestHandler | None = None
        self._accept = accept
        self._offend = offend
        self._queues = queues
        self._patience = patience
        self._counters = counters
        self._in_progress = 0
        self._in_progress_of: dict[bytes, int] = {}
        self._reading: dict[tuple[bytes, object], trio.CancelScope] = {}

    async def serve(self, peer: bytes, stream: INetStream) -> None:
        """Answer the requests of one stream until it ends or the peer opens another on its connection."""
        place = (peer, stream.muxed_conn)
        before = self._reading.get(place)
        if before is not None:
            before.cancel()
        writing = trio.Lock()
        reader = FrameReader(stream, REQUEST_BYTES + _NUMBER_BYTES, self._patience)
        with trio.CancelScope() as scope:
            self._reading[place] = scope
            try:
                async with trio.open_nursery() as nursery:
                    await self._read_requests(peer, reader, stream, writing, nursery)
                    nursery.cancel_scope.cancel()
            finally:
                if self._reading.get(place) is scope:
                    del self._reading[place]
                await abandon(stream, self._patience)

    async def _read_requests(
        self, peer: bytes, reader: FrameReader, stream: INetStream, writing: trio.Lock, nursery: trio.Nursery
    ) -> None:
        while True:
            frame: bytes | None = None
            with Contained(self._counters, "request_streams_ended"):
                frame = await reader.read()
            if frame is None:
                return
            number, data = frame[:_NUMBER_BYTES], frame[_NUMBER_BYTES:]
            accepted = self._accept(peer, len(frame))
            if not accepted:
                self._offend(peer)
            if accepted and self.handler is not None and self._has_room(peer):
                self._in_progress += 1
                self._in_progress_of[peer] = self._in_progress_of.get(peer, 0) + 1
                nursery.start_soon(self._answer, self.handler, peer, number, data, stream, writing)
            else:
                self._counters.add("requests_refused")
                await self._reply(stream, writing, number + _REFUSED)

    async def _answer(
        self,
        handler: RequestHandler,
        peer: bytes,
        number: bytes,
        data: bytes,
        stream: INetStream,
        writing: trio.Lock,
    ) -> None:
        """The handler runs outside of any containment: what it raises, other than a refusal, is our bug."""
        try:
            reply = _REFUSED
            with suppress(RequestRefused):
                answer = await handler(peer, data)
                if len(answer) > REPLY_BYTES:
                    raise MessageTooLarge("reply", len(answer), REPLY_BYTES)
                reply = _ANSWERED + answer
            self._counters.add("requests_served" if reply is not _REFUSED else "requests_refused")
            await self._reply(stream, writing, number + reply)
        finally:
            self._in_progress -= 1
            self._in_progress_of[peer] -= 1

    def _has_room(self, peer: bytes) -> bool:
        return (
            self._in_progress < self._queues.requests_in_progress
            and self._in_progress_of.get(peer, 0) < self._queues.requests_in_progress_per_peer
        )

    async def _reply(self, stream: INetStream, writing: trio.Lock, reply: bytes) -> None:
        with Contained(self._counters, "replies_unsendable"):
            async with writing:
                await stream.write(encode_frame(reply))
