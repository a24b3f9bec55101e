"""Timers of a core: what is due when, in order, without a clock of their own."""

import heapq
from typing import Generic, TypeVar

What = TypeVar("What")


class Timers(Generic[What]):
    """A queue of things to do at a real time (ns). Equal times come out in the order they were set."""

    def __init__(self) -> None:
        self._queue: list[tuple[int, int, What]] = []
        self._count = 0

    def at(self, real_ns: int, what: What) -> None:
        """Do `what` at `real_ns`; setting the same thing twice for the same moment keeps one."""
        if any(when == real_ns and known == what for when, _, known in self._queue):
            return
        heapq.heappush(self._queue, (real_ns, self._count, what))
        self._count += 1

    def next(self) -> int | None:
        """The earliest real time at which something is due."""
        return self._queue[0][0] if self._queue else None

    def take_due(self, real_ns: int) -> list[What]:
        """Take out what is due at `real_ns`, oldest first."""
        due: list[What] = []
        while self._queue and self._queue[0][0] <= real_ns:
            due.append(heapq.heappop(self._queue)[2])
        return due

    def clear(self) -> None:
        """Forget everything."""
        self._queue.clear()
