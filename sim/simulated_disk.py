"""Shell: a disk that keeps its promises and no more: what was not flushed may be lost or torn when power fails.

It stands in for ``ledger.files.durable_file.DiskFile``, byte for byte, so the real write-ahead log and the real sign
guard run on it. Power can fail before and after every single operation. A disk whose ``Health`` is bad breaks its
promises as well: it refuses, lies about flushes, loses a write or puts it elsewhere, and bits rot.
"""

import os
from dataclasses import dataclass
from enum import Enum
from random import Random

SECTOR_BYTES = 512
"""What a disk writes whole or not at all."""


class PowerLost(Exception):  # noqa: N818 - it is what happens
    """The node stops here; nothing after this point was done."""


class Power:
    """The supply of one node: it lasts for so many operations, or for ever. ``operations`` counts them."""

    def __init__(self) -> None:
        self._operations_left: int | None = None
        self.operations = 0

    def fail_after(self, operations: int) -> None:
        """Let power fail at the given operation from now (at least 1)."""
        self._operations_left = operations

    def restore(self) -> None:
        """Power is back, and stays."""
        self._operations_left = None

    def use(self) -> None:
        """Begin or end one operation; raises PowerLost when it is the one too many."""
        self.operations += 1
        if self._operations_left is None:
            return
        self._operations_left -= 1
        if self._operations_left <= 0:
            raise PowerLost


class Mishap(Enum):
    """What becomes of one write that the disk reports as done."""

    LOST = "it is not done"
    MISDIRECTED = "it lands a sector further on"


@dataclass(slots=True)
class Health:
    """What is wrong with a disk: the errno it refuses with, what befalls its next write, whether its flushes lie."""

    refuses: int | None = None
    mishap: Mishap | None = None
    lies: bool = False

    def check(self) -> None:
        """Raise OSError when the disk takes nothing more."""
        if self.refuses is not None:
            raise OSError(self.refuses, os.strerror(self.refuses))

    def take_mishap(self) -> Mishap | None:
        """What befalls this write; the next one is spared."""
        mishap, self.mishap = self.mishap, None
        return mishap


class SimulatedFile:
    """A ``DurableFile`` in memory."""

    def __init__(self, power: Power, content: bytes = b"", health: Health | None = None) -> None:
        self._power = power
        self._health = Health() if health is None else health
        self._durable = content
        self._unflushed: list[tuple[int, bytes]] = []

    def read(self) -> bytes:
        """The content as the running system sees it."""
        return _written(self._durable, self._unflushed)

    def write(self, offset: int, data: bytes) -> None:
        """Put bytes at an offset. Raises OSError when the disk refuses."""
        self._power.use()
        self._health.check()
        match self._health.take_mishap():
            case Mishap.MISDIRECTED:
                self._unflushed.append((offset + SECTOR_BYTES, data))
            case None:
                self._unflushed.append((offset, data))
        self._power.use()

    def flush(self) -> None:
        """Make everything written durable. Raises OSError when the disk refuses."""
        self._power.use()
        self._health.check()
        if not self._health.lies:
            self._durable = self.read()
            self._unflushed.clear()
        self._power.use()

    def replace(self, data: bytes) -> None:
        """Make ``data`` the whole content, all or nothing. Raises OSError when the disk refuses."""
        self._power.use()
        self._health.check()
        self._durable = data
        self._unflushed.clear()
        self._power.use()

    def close(self) -> None:
        """Nothing to give back."""

    def lose_power(self, random: Random) -> None:
        """Each write since the last flush survives whole, in some of its sectors, or not at all, whatever became of
        the others.
        """
        kept = []
        for offset, data in self._unflushed:
            match random.randrange(3):
                case 0:
                    kept.append((offset, data))
                case 1:
                    kept += [sector for sector in _sectors(offset, data) if random.random() < 0.5]
        self._durable = _written(self._durable, kept)
        self._unflushed.clear()

    def flip_bit(self, random: Random) -> None:
        """One bit rots, anywhere in what is durable."""
        if self._durable:
            rotten = bytearray(self._durable)
            rotten[random.randrange(len(rotten))] ^= 1 << random.randrange(8)
            self._durable = bytes(rotten)


def _sectors(offset: int, data: bytes) -> list[tuple[int, bytes]]:
    """A write as the sectors of the disk see it."""
    pieces = []
    position = 0
    while position < len(data):
        size = SECTOR_BYTES - (offset + position) % SECTOR_BYTES
        pieces.append((offset + position, data[position : position + size]))
        position += size
    return pieces


def _written(content: bytes, writes: list[tuple[int, bytes]]) -> bytes:
    result = bytearray(content)
    for offset, data in writes:
        if len(result) < offset:
            result.extend(bytes(offset - len(result)))
        result[offset : offset + len(data)] = data
    return bytes(result)
