"""Shell: the dispatch log: one control cycle per line, written beside the loop and replayed by anybody.

JSON lines of `CycleRecord`. A file that has grown to its limit becomes `<name>.1`, in place of the one before, so that
a log never fills the disk.
"""

import queue
import sys
import threading
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from devices.cell_clock import Instant
from devices.dispatch.cycle_record import CycleRecord, replays
from devices.errors import DeviceError, MessageError
from devices.json_codec import from_json, to_json

MOST_WAITING = 600
"""Cycles that wait for a slow disk: a minute at 100 ms. Then new ones are left out, and the file says how many."""
LEFT_OUT = b"# left out: "
LONGEST_LINE = 1_000_000
"""Bytes; a node with all devices that it may have writes some 50,000."""


class LogError(DeviceError):
    """The file's fault: which line is none of a dispatch log, and why."""


class DispatchLog:
    """Writes cycles in a thread of its own. `add` never waits."""

    def __init__(self, path: Path, most_bytes: int) -> None:
        self._path = path
        self._most_bytes = most_bytes
        self._waiting: queue.Queue[CycleRecord | None] = queue.Queue(MOST_WAITING)
        self._left_out = 0
        self._problem = ""
        self._thread = threading.Thread(target=self._work, name="dispatch log", daemon=True)
        self._thread.start()

    def add(self, record: CycleRecord) -> None:
        """Write this cycle soon, or count it as left out."""
        try:
            self._waiting.put_nowait(record)
        except queue.Full:
            self._left_out += 1

    def close(self, timeout_s: float = 5.0) -> None:
        """Write what waits, and end."""
        with suppress(queue.Full):
            self._waiting.put(None, timeout=timeout_s)
        self._thread.join(timeout_s)

    def _work(self) -> None:
        while (record := self._waiting.get()) is not None:
            batch = [record]
            ending = False
            while not ending and len(batch) < MOST_WAITING:
                try:
                    following = self._waiting.get_nowait()
                except queue.Empty:
                    break
                ending = following is None
                batch += [] if following is None else [following]
            self._write(batch)
            if ending:
                return

    def _write(self, batch: list[CycleRecord]) -> None:
        lines = [to_json(each) + b"\n" for each in batch]
        left_out, self._left_out = self._left_out, 0
        if left_out:
            lines.append(LEFT_OUT + b"%d\n" % left_out)
        try:
            if self._path.exists() and self._path.stat().st_size >= self._most_bytes:
                self._path.replace(older(self._path))
            with self._path.open("ab") as file:
                _end_torn_line(file)
                file.write(b"".join(lines))
            self._problem = ""
        except OSError as error:
            if not self._problem:
                sys.stderr.write(f"dispatch log: {error}\n")
            self._problem = str(error)
            self._left_out += len(batch)


@dataclass(frozen=True, slots=True)
class Replay:
    """What replaying showed: how many cycles, from when to when, how many were left out when it was written, and the
    first cycle whose decision comes out otherwise (its line and time), if there is one.
    """

    cycles: int
    left_out: int
    first: Instant | None
    last: Instant | None
    different: tuple[int, Instant] | None


def replay(path: Path) -> Replay:
    """Decide every cycle of a log again from what it recorded. Raises LogError for a line that is none.

    A last line without an end was being written when the power went, and is let be.
    """
    cycles = left_out = 0
    first = last = None
    different = None
    for number, line in _lines(path):
        if line.startswith(LEFT_OUT):
            left_out += _count(path, number, line)
            continue
        try:
            record = from_json(CycleRecord, line)
        except MessageError as error:
            raise LogError(f"{path}:{number}: no cycle of a dispatch log: {error}") from error
        cycles += 1
        first = record.time if first is None else first
        last = record.time
        if different is None and not replays(record):
            different = (number, record.time)
    return Replay(cycles, left_out, first, last, different)


def older(path: Path) -> Path:
    """Where a log that is full goes."""
    return path.with_name(path.name + ".1")


def _lines(path: Path) -> Iterator[tuple[int, bytes]]:
    number = 0
    with path.open("rb") as file:
        while line := file.readline(LONGEST_LINE):
            number += 1
            if not line.endswith(b"\n"):
                if len(line) == LONGEST_LINE:
                    raise LogError(f"{path}:{number}: longer than {LONGEST_LINE} bytes")
                return
            if line != b"\n":
                yield number, line


def _count(path: Path, number: int, line: bytes) -> int:
    digits = line.removeprefix(LEFT_OUT).strip()
    if not digits.isdigit() or len(digits) > 12:
        raise LogError(f"{path}:{number}: {line[:40]!r} does not say how many were left out")
    return int(digits)


def _end_torn_line(file: BinaryIO) -> None:
    """Cut off what an earlier process could not finish, so that what follows is not read as part of it."""
    size = file.seek(0, 2)
    if size == 0:
        return
    with Path(file.name).open("rb") as reader:
        start = max(0, size - LONGEST_LINE)
        reader.seek(start)
        tail = reader.read()
    if not tail.endswith(b"\n"):
        file.truncate(start + tail.rfind(b"\n") + 1)
