"""Shell: the write-ahead log of agreement, which holds what must not be forgotten before anything leaves.

The file is a sequence of frames: length (4 bytes), how much of the file was durable when the frame was written
(8), checksum over both, the frame's place and the record (8), record. A crash may leave any part of what was not
flushed, so a bad frame that nothing durable follows is a torn tail and is cut off. A later frame that vouches for
the bad one (written when it was already durable) proves rot: the log is refused. Rot in the very last frame looks
like a torn tail; then the sign guard knows more than the log, and the node must not sign.
"""

from collections.abc import Iterable
from hashlib import sha256
from pathlib import Path
from struct import Struct
from typing import Final

from ledger.errors import Corrupt
from ledger.files.durable_file import DiskFile, DurableFile

RECORD_BYTES: Final = 4096
"""The largest record: several times a proposal, and small enough that rot in a length is noticed."""

LOG_BYTES: Final = 4 * 1024 * 1024
"""From here on a log is ``too_long``: about 900 rounds of 16 validators, which no healthy height reaches."""

_HEAD: Final = Struct(">IQ8s")


class WriteAheadLog:
    """An append-only list of records. ``append`` is cheap; only ``flush`` makes durable."""

    def __init__(self, file: DurableFile) -> None:
        """Read what is there and cut off a torn tail; raises Corrupt, naming the offset, for rot."""
        self._file = file
        content = file.read()
        self._records, self._size = _read_frames(content)
        if self._size < len(content):
            file.replace(content[: self._size])
        self._durable = self._size

    @classmethod
    def open(cls, path: Path) -> "WriteAheadLog":
        """Open the log at ``path``, empty if there is none; raises Corrupt or OSError."""
        return cls(DiskFile(path) if path.exists() else DiskFile.create(path, b""))

    @property
    def records(self) -> tuple[bytes, ...]:
        """All records, oldest first."""
        return tuple(self._records)

    @property
    def dirty(self) -> bool:
        """Whether something was appended that a crash could still take."""
        return self._durable < self._size

    @property
    def too_long(self) -> bool:
        """Whether it is time to ``reset`` the log to what still matters."""
        return self._size > LOG_BYTES

    def append(self, record: bytes) -> None:
        """Add a record, not yet durable; raises OSError."""
        frame = _frame(record, self._size, self._durable)
        self._file.write(self._size, frame)
        self._size += len(frame)
        self._records.append(record)

    def flush(self) -> None:
        """Return when all records are durable; raises OSError, after which nothing may be sent."""
        if self.dirty:
            self._file.flush()
            self._durable = self._size

    def reset(self, records: Iterable[bytes] = ()) -> None:
        """Replace the whole log, durably and atomically: by nothing at a new height, or when it grew too long."""
        self._records = list(records)
        content = b""
        for record in self._records:
            content += _frame(record, len(content), len(content))
        self._file.replace(content)
        self._size = self._durable = len(content)

    def close(self) -> None:
        """Flush and close."""
        self.flush()
        self._file.close()


def _frame(record: bytes, offset: int, durable: int) -> bytes:
    if len(record) > RECORD_BYTES:
        raise ValueError(f"a record is at most {RECORD_BYTES} bytes")
    return _HEAD.pack(len(record), durable, _checksum(record, offset, durable)) + record


def _checksum(record: bytes, offset: int, durable: int) -> bytes:
    place = offset.to_bytes(8, "big") + durable.to_bytes(8, "big") + len(record).to_bytes(4, "big")
    return sha256(place + record).digest()[:8]


def _read_frames(content: bytes) -> tuple[list[bytes], int]:
    """The records, and the offset at which the sound part ends."""
    records: list[bytes] = []
    offset = 0
    while offset < len(content):
        frame = _frame_at(content, offset)
        if frame is None:
            _refuse_rot(content, offset)
            break
        records.append(frame[0])
        offset += _HEAD.size + len(frame[0])
    return records, offset


def _frame_at(content: bytes, offset: int) -> tuple[bytes, int] | None:
    """The (record, durable size) of a sound frame at an offset."""
    if offset + _HEAD.size > len(content):
        return None
    length, durable, checksum = _HEAD.unpack_from(content, offset)
    if length > RECORD_BYTES or durable > offset:
        return None
    record = content[offset + _HEAD.size : offset + _HEAD.size + length]
    if len(record) < length or _checksum(record, offset, durable) != checksum:
        return None
    return record, durable


def _refuse_rot(content: bytes, bad: int) -> None:
    for offset in range(bad + 1, len(content)):
        frame = _frame_at(content, offset)
        if frame is not None and frame[1] > bad:
            raise Corrupt(
                f"the write-ahead log is damaged at byte {bad}, which was durable before byte {offset}"
            )
