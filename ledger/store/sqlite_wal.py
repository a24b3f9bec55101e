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
    salts = (salt_1, salt_2)
    frame_size = _FRAME.size + page_size
    running = (expected[0], expected[1])
    starts = range(_HEADER.size, len(log) - frame_size + 1, frame_size)
    for number, start in enumerate(starts, start=1):
        frame = log[start : start + frame_size]
        checksum = _frame_checksum(order, frame, running)
        if _FRAME.unpack_from(frame)[2:] != (*salts, *checksum):
            rest = [_FRAME.unpack_from(log, later) for later in starts[number - 1 :]]
            commits = sum(1 for header in rest if _is_of(header, salts) and header[1])
            if commits == 0 and _is_of(rest[0], salts) and _lost_its_commit_mark(order, frame, running):
                commits = 1
            return LogState(_VERDICTS[min(commits, 2)], number if commits else None)
        running = checksum
    return LogState(LogVerdict.SOUND, None)


_VERDICTS = (LogVerdict.SOUND, LogVerdict.TORN, LogVerdict.ROTTEN)
"""By how many commits of this log are at the first bad frame or after it. Without any, the frames are the
remains of a transaction that was rolled back or never finished, or of an older log.
"""


def _is_of(header: tuple[int, ...], salts: tuple[int, int]) -> bool:
    """Whether a frame belongs to the log with these salts, even if one of them was damaged."""
    return header[2] == salts[0] or header[3] == salts[1]


def _lost_its_commit_mark(order: str, frame: bytes, running: tuple[int, int]) -> bool:
    """Whether the frame would be valid with one byte of its commit mark restored: it is damaged, and no
    remains.
    """
    expected = _FRAME.unpack_from(frame)[4:]
    for position in range(4, 8):
        for value in range(1, 256):
            restored = frame[:position] + bytes([value]) + frame[position + 1 :]
            if _frame_checksum(order, restored, running) == expected:
                return True
    return False


def _frame_checksum(order: str, frame: bytes, running: tuple[int, int]) -> tuple[int, int]:
    return _checksum(order, frame[_FRAME.size :], _checksum(order, frame[:8], running))


def _checksum(order: str, data: bytes, start: tuple[int, int]) -> tuple[int, int]:
    first, second = start
    words = iter(unpack(f"{order}{len(data) // 4}I", data))
    for even, odd in zip(words, words, strict=True):
        first = (first + even + second) & 0xFFFFFFFF
        second = (second + odd + first) & 0xFFFFFFFF
    return first, second
