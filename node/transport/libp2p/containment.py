"""Shell: the wall behind which the faults of the library, and of peers through it, stay."""

import logging
from types import TracebackType

from node.transport.counters import Counters

log = logging.getLogger(__name__)


class Contained:
    """Counts and swallows every exception of a block that only handles one peer's bytes.

    The library raises whatever its parsers and state machines stumble over, and one exception that escapes from a
    stream handler ends the whole process. Nothing of ours that could hide a bug runs inside: the node's own handlers
    are called outside of it. Cancellation passes.
    """

    def __init__(self, counters: Counters, name: str) -> None:
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
        self._counters.add(self._name)
        log.debug("%s: %r", self._name, error)
        return True


def quiet_library() -> None:
    """Silence the library's log for this process: strangers can make it print lines at ERROR; our counters tell."""
    logging.getLogger("libp2p").setLevel(logging.CRITICAL)
