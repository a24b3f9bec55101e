"""Shell: server-sent events with resume: numbered, kept for a while, and never a burden: slow readers are dropped.

An event id is `RUN-NUMBER`. A reader that says the last id it saw gets what it missed; one that missed more than is
kept, or comes from another run of the server, gets a `reset` first and reads everything anew.
"""

import json
import secrets
import time
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import trio
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

EVENTS_KEPT = 512
"""events told again to who comes back: some minutes."""
EVENTS_WAITING = 128
"""events that may wait for one reader; above this it is disconnected and may resume."""
READERS = 256
"""streams at one time; the next one is refused."""
SEND_S = 10.0
"""real seconds that one write may take; a client that does not read is disconnected then."""
KEEP_ALIVE_S = 15.0
"""real seconds without an event after which a comment shows that the connection lives."""
RETRY_MS = 1000
"""ms after which a browser tries again."""


@dataclass(frozen=True, slots=True)
class Event:
    """One event, encoded. `state` events replace each other: only the newest of a name is told again."""

    number: int
    name: str
    state: bool
    data: bytes


@dataclass(eq=False, slots=True)
class EventHub:
    """Where events are published and read. `begin` says what a fresh reader must know first."""

    begin: Callable[[], list[tuple[str, Any]]]
    run: str = field(default_factory=lambda: secrets.token_hex(4))
    _number: int = 0
    _kept: deque[Event] = field(default_factory=lambda: deque(maxlen=EVENTS_KEPT))
    _states: dict[str, Event] = field(default_factory=dict)
    _readers: set[trio.MemorySendChannel[Event]] = field(default_factory=set)
    dropped: int = 0

    @property
    def readers(self) -> int:
        """How many read now."""
        return len(self._readers)

    def publish(self, name: str, value: Any, *, state: bool = False) -> None:
        """Tell every reader; nobody is waited for."""
        self._number += 1
        event = Event(self._number, name, state, self._encoded(self._number, name, value))
        if state:
            self._states[name] = event
        else:
            self._kept.append(event)
        for reader in list(self._readers):
            try:
                reader.send_nowait(event)
            except (trio.WouldBlock, trio.BrokenResourceError):
                self.dropped += 1
                self._readers.discard(reader)
                reader.close()

    async def read(self, last_id: str) -> AsyncIterator[bytes]:
        """The stream for one reader, from the event after `last_id` on. Ends when the reader is too slow."""
        inward, outward = trio.open_memory_channel[Event](EVENTS_WAITING)
        missed = self._missed(last_id)
        self._readers.add(inward)
        try:
            yield f"retry: {RETRY_MS}\n\n".encode()
            if missed is None:
                for name, value in [("reset", {}), *self.begin()]:
                    yield self._encoded(self._number, name, value)
            else:
                for event in missed:
                    yield event.data
            while True:
                news: Event | None = None
                with trio.move_on_after(KEEP_ALIVE_S):
                    try:
                        news = await outward.receive()
                    except trio.EndOfChannel:
                        return
                yield b": alive\n\n" if news is None else news.data + _waiting(outward)
        finally:
            self._readers.discard(inward)
            inward.close()
            outward.close()

    def _missed(self, last_id: str) -> list[Event] | None:
        """What came after an id, states only as they are now; None when it cannot be said."""
        run, _, number = last_id.partition("-")
        if run != self.run or not number.isdecimal() or int(number) > self._number:
            return None
        last = int(number)
        if self._kept and len(self._kept) == EVENTS_KEPT and self._kept[0].number > last + 1:
            return None
        found = [event for event in self._kept if event.number > last]
        found += [event for event in self._states.values() if event.number > last]
        return sorted(found, key=lambda event: event.number)

    def _encoded(self, number: int, name: str, value: Any) -> bytes:
        data = json.dumps(value, separators=(",", ":"))
        return f"id: {self.run}-{number}\nevent: {name}\ndata: {data}\n\n".encode()


def _waiting(outward: trio.MemoryReceiveChannel[Event]) -> bytes:
    """What else is there by now: one write for all of it costs a crowd of readers half as much."""
    found = []
    with suppress(trio.WouldBlock, trio.EndOfChannel):
        while True:
            found.append(outward.receive_nowait().data)
    return b"".join(found)


class EventResponse(Response):
    """An ASGI response that streams a hub to one reader, with a bound on how long a write may take."""

    media_type = "text/event-stream"

    def __init__(self, hub: EventHub, last_id: str, still_allowed: Callable[[], bool] = lambda: True) -> None:
        super().__init__()
        self._hub = hub
        self._last_id = last_id
        self._still_allowed = still_allowed

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Stream until the reader goes, is too slow, or is not allowed any more."""
        headers = [
            (b"content-type", b"text/event-stream"),
            (b"cache-control", b"no-store"),
            (b"x-accel-buffering", b"no"),
        ]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_until_gone, receive, nursery.cancel_scope)
            await self._stream(send)
            nursery.cancel_scope.cancel()

    async def _stream(self, send: Send) -> None:
        checked_s = time.monotonic()
        stream = self._hub.read(self._last_id)
        try:
            async for chunk in stream:
                with trio.move_on_after(SEND_S) as patience:
                    await send({"type": "http.response.body", "body": chunk, "more_body": True})
                if patience.cancelled_caught:
                    self._hub.dropped += 1
                    return
                if time.monotonic() - checked_s > 1.0:
                    checked_s = time.monotonic()
                    if not self._still_allowed():
                        await send({"type": "http.response.body", "body": b"", "more_body": False})
                        return
        finally:
            await stream.aclose()  # type: ignore[attr-defined]


async def _until_gone(receive: Receive, scope: trio.CancelScope) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
    scope.cancel()
