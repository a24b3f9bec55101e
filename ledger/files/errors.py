"""Shell: what can go wrong with the data directory, each with what the operator can do about it.

All are this node's own fault or its disk's. When one is raised nothing of the current group was committed,
and what was committed before is intact.
"""

# ruff: noqa: N818 - as in `ledger.errors`.

import sqlite3

from ledger.errors import Corrupt, LedgerError, LocalError


class StorageError(LocalError):
    """The data directory cannot be used as it is; the message names the file and the remedy."""


class StorageFull(StorageError):
    """The disk is full or the file reached its size limit."""


class StorageReadOnly(StorageError):
    """The file, its directory or its file system does not allow writing."""


class StorageLocked(StorageError):
    """Another process keeps the database locked."""


class StorageUnavailable(StorageError):
    """The file cannot be opened, read or written; the message has the operating system's reason."""


class NotALedger(StorageError):
    """The file is no ledger of this cell and this version of the software."""


class DirectoryInUse(StorageError):
    """Another daemon holds the data directory; the message names it."""


_REMEDIES: dict[int, tuple[type[LedgerError], str]] = {
    sqlite3.SQLITE_FULL: (StorageFull, "free space on its disk, then start again"),
    sqlite3.SQLITE_READONLY: (StorageReadOnly, "allow this user to write the file and its directory"),
    sqlite3.SQLITE_BUSY: (StorageLocked, "end the other program that has it open"),
    sqlite3.SQLITE_LOCKED: (StorageLocked, "end the other program that has it open"),
    sqlite3.SQLITE_CORRUPT: (Corrupt, "move it away and let the node rebuild it from its peers"),
    sqlite3.SQLITE_NOTADB: (NotALedger, "name the right directory, or move the file away"),
    sqlite3.SQLITE_CANTOPEN: (StorageUnavailable, "check that the directory exists and this user may use it"),
    sqlite3.SQLITE_IOERR: (StorageUnavailable, "check the disk and its file system"),
    sqlite3.SQLITE_PERM: (StorageReadOnly, "allow this user to write the file and its directory"),
}


def storage_error(fault: sqlite3.Error, path: str) -> LedgerError:
    """The declared error for what SQLite said about the file at `path`."""
    code = getattr(fault, "sqlite_errorcode", None)
    kind, remedy = _REMEDIES.get(
        code & 0xFF if isinstance(code, int) else -1,
        (StorageUnavailable, "check the disk and its file system"),
    )
    return kind(f"{path}: {fault}; {remedy}")
