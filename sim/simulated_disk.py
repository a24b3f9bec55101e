"""Shell: a disk that keeps its promises and no more: what was not flushed may be lost or torn when power fails.

It stands in for ``ledger.durable_file.DiskFile``, byte for byte, so the real write-ahead log and the real sign
guard run on it. Power can fail at every single operation.
"""

from random import Random


class PowerLost(Exception):  # noqa: N818 - it is what happens
    """The node stops here; nothing after this point was done."""


class Power:
    """The supply of one node: it lasts for so many operations, or for ever."""

    def __init__(self) -> None:
        self._operations_left: int | None = None

    def fail_after(self, operations: int) -> None:
        """Let power fail at the given operation from now (at least 1)."""
        self._operations_left = operations

    def restore(self) -> None:
        """Power is back, and stays."""
        self._operations_left = None

    def use(self) -> None:
        """Begin one operation; raises PowerLost when it is the one too many."""
        if self._operations_left is None:
            return
        self._operations_left -= 1
        if self._operations_left <= 0:
            raise PowerLost


class SimulatedFile:
    """A ``DurableFile`` in memory."""

    def __init__(self, power: Power, content: bytes = b"") -> None:
        self._power = power
        self._durable = content
        self._unflushed: list[tuple[int, bytes]] = []

    def read(self) -> bytes:
        """The content as the running system sees it."""
        return _written(self._durable, self._unflushed)

    def write(self, offset: int, data: bytes) -> None:
        """Put bytes at an offset."""
        self._unflushed.append((offset, data))
        self._power.use()

    def flush(self) -> None:
        """Make everything written durable."""
        self._power.use()
        self._durable = self.read()
        self._unflushed.clear()

    def replace(self, data: bytes) -> None:
        """Make ``data`` the whole content, all or nothing."""
        self._power.use()
        self._durable = data
        self._unflushed.clear()
        self._power.use()

    def close(self) -> None:
        """Nothing to give back."""

    def lose_power(self, random: Random) -> None:
        """Each write since the last flush survives whole, in part, or not at all, whatever became of the others."""
        kept = []
        for offset, data in self._unflushed:
            match random.randrange(3):
                case 0:
                    kept.append((offset, data))
                case 1:
                    kept.append((offset, data[: random.randrange(len(data) + 1)]))
        self._durable = _written(self._durable, kept)
        self._unflushed.clear()


def _written(content: bytes, writes: list[tuple[int, bytes]]) -> bytes:
    result = bytearray(content)
    for offset, data in writes:
        if len(result) < offset:
            result.extend(bytes(offset - len(result)))
        result[offset : offset + len(data)] = data
    return bytes(result)
