"""Reading SQLite's write-ahead log to tell a torn tail from rot in the middle.

SQLite ends its log silently at the first frame that fails its checksum: right after a crash, when that frame
was never completely written, but wrong after a flipped bit, when whole commits that were reported durable
vanish while `integrity_check` says ok. Frames carry salts that tell this log's frames from the remains of an
older one, so what follows the first bad frame shows which it was. Format:
https://www.sqlite.org/fileformat2.html section 4.
"""

from dataclasses import dataclass
from enum import Enum
from struct import Struct, unpack

_HEADER = Struct(">8I")
_FRAME = Struct(">6I")
_MAGIC_LITTLE_ENDIAN = 0x377F0682
_MAGIC_BIG_ENDIAN = 0x377F0683


class LogVerdict(Enum):
    """What the log's bytes say about themselves."""

    SOUND = "sound"
    """Every frame of this log is valid; a write that never finished may be missing."""
    TORN = "torn"
    """The last commit is damaged: power was lost while it was written, or it rotted since."""
    ROTTEN = "rotten"
    """Commits follow the damage, so these bytes were good once."""


@dataclass(frozen=True, slots=True)
class LogState:
    """The verdict, and the first damaged frame (counted from 1; 0 is the header) when it is not sound."""

    verdict: LogVerdict
    frame: int | None


def inspect_log(log: bytes) -> LogState:
    """What SQLite would make of these bytes of a `-wal` file, and whether it should."""
    if len(log) <= _HEADER.size:
        return LogState(LogVerdict.SOUND, None)
    magic, _, page_size, _, salt_1, salt_2, *expected = _HEADER.unpack_from(log)
    order = {_MAGIC_LITTLE_ENDIAN: "<", _MAGIC_BIG_ENDIAN: ">"}.get(magic)
    if order is None or _checksum(order, log[:24], (0, 0)) != tuple(expected):
        return LogState(LogVerdict.ROTTEN, 0)
    frame_size = _FRAME.size + page_size
    running = (expected[0], expected[1])
    for number, start in enumerate(range(_HEADER.size, len(log) - frame_size + 1, frame_size), start=1):
        header = _FRAME.unpack_from(log, start)
        if header[2] != salt_1 and header[3] != salt_2:
            return _after(log, start, frame_size, (salt_1, salt_2), number)
        running = _checksum(order, log[start : start + 8], running)
        running = _checksum(order, log[start + _FRAME.size : start + frame_size], running)
        if header[2:] != (salt_1, salt_2, *running):
            return _after(log, start, frame_size, (salt_1, salt_2), number)
    return LogState(LogVerdict.SOUND, None)


def _after(log: bytes, start: int, frame_size: int, salts: tuple[int, int], number: int) -> LogState:
    """The state of a log whose valid frames end before `start`."""
    headers = [
        _FRAME.unpack_from(log, offset) for offset in range(start, len(log) - frame_size + 1, frame_size)
    ]
    ours = [header for header in headers if header[2] == salts[0] or header[3] == salts[1]]
    if not ours:
        return LogState(LogVerdict.SOUND, None)
    commits = sum(1 for header in ours if header[1])
    return LogState(LogVerdict.ROTTEN if commits > 1 else LogVerdict.TORN, number)


def _checksum(order: str, data: bytes, start: tuple[int, int]) -> tuple[int, int]:
    first, second = start
    words = iter(unpack(f"{order}{len(data) // 4}I", data))
    for even, odd in zip(words, words, strict=True):
        first = (first + even + second) & 0xFFFFFFFF
        second = (second + odd + first) & 0xFFFFFFFF
    return first, second
