"""Virtual time: what happens next in a simulated cell, and what happened last. Times are virtual real time (ns)."""

import heapq
from collections import deque
from collections.abc import Callable

KEPT_LINES = 200
"""What a failing seed shows of its past."""
NS_PER_S = 1_000_000_000


class EventQueue:
    """Actions by time; equal times come out in the order they were set. ``digest`` tells two runs apart."""

    def __init__(self) -> None:
        self.now_ns = 0
        self.events = 0
        self.digest = 0
        self._queue: list[tuple[int, int, Callable[[], None]]] = []
        self._scheduled = 0

    def after(self, delay_ns: int, action: Callable[[], None]) -> None:
        """Run an action later."""
        self._scheduled += 1
        heapq.heappush(self._queue, (self.now_ns + max(0, delay_ns), self._scheduled, action))

    def __bool__(self) -> bool:
        return bool(self._queue)

    def step(self) -> Callable[[], None]:
        """Go to the next event and return its action."""
        self.now_ns, number, action = heapq.heappop(self._queue)
        self.events += 1
        self.digest = hash((self.digest, self.now_ns, number))
        return action


class Trace:
    """The last lines of what happened; with ``live`` each is also handed on at once."""

    def __init__(self, queue: EventQueue, live: Callable[[str], None] | None = None) -> None:
        self._queue = queue
        self._live = live
        self._lines: deque[tuple[int, int, tuple[object, ...]]] = deque(maxlen=KEPT_LINES)

    def note(self, *parts: object) -> None:
        """Keep a line; it is put into words only when somebody reads it."""
        line = (self._queue.now_ns, self._queue.events, parts)
        self._lines.append(line)
        if self._live is not None:
            self._live(_worded(line))

    def lines(self) -> tuple[str, ...]:
        """The kept lines, oldest first."""
        return tuple(_worded(line) for line in self._lines)


def _worded(line: tuple[int, int, tuple[object, ...]]) -> str:
    at_ns, event, parts = line
    return f"{at_ns / NS_PER_S:10.4f} s  event {event:6}  " + " ".join(str(part) for part in parts)
