"""Shell: a file whose writes are durable when ``flush`` returns, as the write-ahead log and the sign guard need it.

The protocol is the seam at which the simulator puts a disk that loses and tears what was not flushed.
"""

import os
from pathlib import Path
from typing import Protocol


class DurableFile(Protocol):
    """One file. Until ``flush`` returns, any part of what was written may be lost in a crash, in any order."""

    def read(self) -> bytes:
        """The whole content."""

    def write(self, offset: int, data: bytes) -> None:
        """Put bytes at an offset, growing the file as needed."""

    def flush(self) -> None:
        """Return when everything written is durable."""

    def replace(self, data: bytes) -> None:
        """Make ``data`` the whole content, durably and atomically: a crash leaves the old or the new content."""

    def close(self) -> None:
        """Give the file back to the system."""


class DiskFile:
    """A ``DurableFile`` on disk; every method may raise OSError (a full disk, for instance)."""

    def __init__(self, path: Path) -> None:
        """Open an existing file; raises FileNotFoundError."""
        self._path = path
        self._descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)

    @classmethod
    def create(cls, path: Path, content: bytes) -> "DiskFile":
        """Make a file appear with its first content, all or nothing; raises FileExistsError."""
        if path.exists():
            raise FileExistsError(f"{path} exists already")
        write_durably(path, content)
        return cls(path)

    def read(self) -> bytes:
        """The whole content."""
        return self._path.read_bytes()

    def write(self, offset: int, data: bytes) -> None:
        """Put bytes at an offset, growing the file as needed."""
        _write_all(self._descriptor, offset, data)

    def flush(self) -> None:
        """Return when everything written is durable."""
        os.fdatasync(self._descriptor)

    def replace(self, data: bytes) -> None:
        """Make ``data`` the whole content, durably and atomically."""
        write_durably(self._path, data)
        os.close(self._descriptor)
        self._descriptor = os.open(self._path, os.O_RDWR | os.O_CLOEXEC)

    def close(self) -> None:
        """Give the file back to the system."""
        os.close(self._descriptor)


def write_durably(path: Path, content: bytes) -> None:
    """Make these bytes the content of a file, all or nothing, durable on return; may raise OSError."""
    neighbour = path.with_name(path.name + ".new")
    descriptor = os.open(neighbour, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    try:
        _write_all(descriptor, 0, content)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    neighbour.rename(path)
    flush_directory(path.parent)


def flush_directory(path: Path) -> None:
    """Return when the names in a directory are durable; may raise OSError."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _write_all(descriptor: int, offset: int, data: bytes) -> None:
    written = 0
    while written < len(data):
        written += os.pwrite(descriptor, data[written:], offset + written)
