"""Shell: one daemon per data directory, so that two can never sign with one identity.

The lock is the kernel's (`flock` on an open file), so it ends with the process that holds it, however it
ends; the file's text only tells people who that is.
"""

import fcntl
import os
import socket
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType

from ledger.files.directory import LOCK_FILE
from ledger.files.errors import DirectoryInUse, StorageReadOnly, StorageUnavailable


class DirectoryLock:
    """The exclusive right to a data directory, held from construction to `release` (or as a context manager).

    Raises `DirectoryInUse` naming the holder, `StorageReadOnly` or `StorageUnavailable`. `now` is only
    written into the lock file, for people.
    """

    def __init__(self, directory: Path, now: datetime | None = None) -> None:
        self.path = directory / LOCK_FILE
        try:
            self._descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        except PermissionError as fault:
            raise StorageReadOnly(f"{self.path}: {fault.strerror}; allow this user to write there") from fault
        except OSError as fault:
            raise StorageUnavailable(
                f"{self.path}: {fault.strerror}; check that the directory exists"
            ) from fault
        try:
            self._take(now or datetime.now(UTC))
        except BaseException:
            os.close(self._descriptor)
            raise

    def release(self) -> None:
        """Give the directory back; harmless when repeated."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def __enter__(self) -> "DirectoryLock":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()

    def _take(self, now: datetime) -> None:
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as fault:
            holder = os.pread(self._descriptor, 512, 0).decode(errors="replace").strip() or "another process"
            raise DirectoryInUse(
                f"{self.path.parent} is in use by {holder}; stop it first, or name another directory"
            ) from fault
        except OSError as fault:
            raise StorageUnavailable(f"{self.path}: cannot be locked: {fault.strerror}") from fault
        text = f"process {os.getpid()} on {socket.gethostname()} since {now:%Y-%m-%d %H:%M:%S %Z}\n"
        # Who holds the lock is a courtesy: on a full disk the lock itself still works.
        with suppress(OSError):
            os.ftruncate(self._descriptor, 0)
            os.pwrite(self._descriptor, text.encode(), 0)
