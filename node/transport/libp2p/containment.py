"""Shell: the wall behind which the faults of the library, and of peers through it, stay."""

import logging
from collections.abc import Callable
from types import TracebackType

from node.transport.counters import Counters

log = logging.getLogger(__name__)


class Contained:
    """Counts and swallows every exception of a block that only handles one peer's bytes.

    The library raises whatever its parsers and state machines stumble over, and one exception that escapes from a
    stream handler ends the whole process. Nothing of ours that could hide a bug runs inside: the node's own handlers
    are called outside of it. Cancellation passes. `name` is what to count, or tells it once the exception is there.
    """

    def __init__(self, counters: Counters, name: str | Callable[[], str]) -> None:
        self._counters = counters
        self._name = name
        self.failed = False

    def __enter__(self) -> "Contained":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _trace: TracebackType | None
    ) -> bool:
        if not isinstance(error, Exception):
            return False
        self.failed = True
        name = self._name if isinstance(self._name, str) else self._name()
        self._counters.add(name)
        log.debug("%s: %r", name, error)
        return True


def quiet_library() -> None:
    """Silence the library's log for this process: strangers can make it print lines at ERROR; our counters tell."""
    logging.getLogger("libp2p").setLevel(logging.CRITICAL)
