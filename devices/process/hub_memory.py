"""Shell: what the hub has learned of a home, in a file of the data directory: kept over a restart, for its owner."""

import sys
from collections.abc import Callable
from pathlib import Path

from devices.cell_clock import Instant
from devices.errors import MessageError
from devices.hub.home_use import HomeUse
from devices.json_codec import from_json
from devices.process.control_files import LatestWriter

HUB_NAME = "hub.json"
NS_PER_S = 1_000_000_000
WINDOW_NS = 900 * NS_PER_S
"""Cell time: nothing new is known before the next quarter of an hour ends."""
LEAST_NS = 60 * NS_PER_S
"""Real time between two writes, where cell time runs fast."""


class HubMemory:
    """Writes what `use` has learned whenever that may have changed, and never waits for the disk."""

    def __init__(self, directory: Path, use: Callable[[], HomeUse]) -> None:
        self._use = use
        self._writer = LatestWriter(directory / HUB_NAME)
        self._window: int | None = None
        self._written_ns = 0

    def keep(self, now: Instant) -> None:
        """Call this once per cycle."""
        window = now.cell_ns // WINDOW_NS
        if self._window is None:
            self._window, self._written_ns = window, now.real_ns
        if window != self._window and now.real_ns - self._written_ns >= LEAST_NS:
            self._window, self._written_ns = window, now.real_ns
            self._writer.save(self._use())

    def close(self) -> None:
        """Write the last of it, and wait for that."""
        self._writer.close(self._use())


def read_hub(directory: Path) -> HomeUse | None:
    """What a hub kept in a data directory; None where there is nothing. Raises OSError, and MessageError for a file
    that does not read back.
    """
    try:
        use = from_json(HomeUse, (directory / HUB_NAME).read_bytes())
    except FileNotFoundError:
        return None
    if problem := use.problem():
        raise MessageError(problem)
    return use


def remembered(directory: Path) -> HomeUse | None:
    """As `read_hub`, at a start: what does not read back is said on standard error and begun anew; it is only learned
    again.
    """
    try:
        return read_hub(directory)
    except (OSError, MessageError) as error:
        sys.stderr.write(f"hub: {directory / HUB_NAME}: begun anew: {error}\n")
        return None
