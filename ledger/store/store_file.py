"""Shell: opening the SQLite file of a ledger, and refusing what is not one or has rotted."""

import sqlite3
from itertools import zip_longest
from pathlib import Path
from typing import Final

from ledger.errors import Corrupt
from ledger.files.errors import NotALedger, StorageUnavailable
from ledger.store.schema import APPLICATION_ID, SCHEMA_VERSION, TABLES
from ledger.store.sqlite_wal import LogVerdict, inspect_log

LOCK_TIMEOUT_S: Final = 5.0
"""How long a commit waits for a reader that blocks it; readers hold locks for milliseconds."""


def log_path(path: Path) -> Path:
    """Where SQLite keeps the write-ahead log of a database file."""
    return path.with_name(path.name + "-wal")


def bytes_as_text(data: bytes) -> str:
    """Text as a damaged file may hold it, for messages; nothing in a ledger's own tables is text."""
    return data.decode(errors="replace")


def refuse_rotten_log(path: Path) -> None:
    """Raise `Corrupt` when SQLite would silently drop durable commits on opening this database."""
    log = log_path(path)
    try:
        state = inspect_log(log.read_bytes()) if log.exists() else None
    except OSError as fault:
        raise StorageUnavailable(f"{log}: {fault.strerror}; check the disk and its file system") from fault
    if state is not None and state.verdict is LogVerdict.ROTTEN:
        raise Corrupt(
            f"{log}: frame {state.frame} fails its checksum, commits follow it: durable rows would be lost;"
            " move the ledger away and let the node rebuild it from its peers"
        )


def connect(path: Path, cell_id: bytes, *, create: bool) -> sqlite3.Connection:
    """A checked connection to a ledger of this cell that can write; with `create`, an empty file becomes one.

    Raises `NotALedger`, `Corrupt`, and `sqlite3.Error` for what the system refuses.
    """
    connection = sqlite3.connect(path, timeout=LOCK_TIMEOUT_S, isolation_level=None, check_same_thread=False)
    connection.text_factory = bytes_as_text
    try:
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("BEGIN IMMEDIATE")
        if create and not connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0]:
            _create(connection, cell_id)
        _check_identity(path, connection, cell_id)
        # On a read-only file SQLite makes BEGIN IMMEDIATE a read transaction: only a write tells.
        connection.execute("UPDATE cell SET schema_version = schema_version")
        connection.execute("COMMIT")
        connection.execute("PRAGMA journal_mode = WAL")
        _check_integrity(path, connection)
    except UnicodeDecodeError as fault:
        connection.close()
        # A damaged schema may leave SQLite with an error message that is no text.
        raise Corrupt(f"{path}: {fault}; move it away and let the node rebuild it from its peers") from fault
    except BaseException:
        connection.close()
        raise
    return connection


def _create(connection: sqlite3.Connection, cell_id: bytes) -> None:
    connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
    for table in TABLES:
        connection.execute(table)
    connection.execute("INSERT INTO cell VALUES (1, ?, ?, 0)", (cell_id, SCHEMA_VERSION))


def _check_identity(path: Path, connection: sqlite3.Connection, cell_id: bytes) -> None:
    fault = schema_fault(connection)
    if fault is not None:
        raise NotALedger(f"{path}: {fault}; name the right directory")
    found = connection.execute("SELECT cell_id FROM cell").fetchall()
    if found != [(cell_id,)]:
        raise NotALedger(f"{path}: holds another cell than {cell_id.hex()}; name the right directory")


def schema_fault(connection: sqlite3.Connection) -> str | None:
    """What tells this database from a ledger of this version, None when nothing does."""
    for pragma, expected in (("application_id", APPLICATION_ID), ("user_version", SCHEMA_VERSION)):
        (found,) = connection.execute(f"PRAGMA {pragma}").fetchone()
        if found != expected:
            return f"{pragma} is {found}, expected {expected}"
    found_tables = connection.execute("SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL").fetchall()
    for found_sql, expected_sql in zip_longest((sql for (sql,) in found_tables), TABLES):
        if found_sql != expected_sql:
            return f"a table is defined as {found_sql!r}, expected {expected_sql!r}"
    return None


def _check_integrity(path: Path, connection: sqlite3.Connection) -> None:
    """All tables of a ledger that will be replayed from its first row. Where a snapshot serves, only that is read at
    a start, and checking the history would take as long as the history is.
    """
    (snapshots,) = connection.execute("SELECT count(*) FROM snapshots WHERE part = 0").fetchone()
    pragma = "PRAGMA integrity_check(snapshots)" if snapshots else "PRAGMA integrity_check(1)"
    (found, *_) = connection.execute(pragma).fetchone()
    if found != "ok":
        raise Corrupt(f"{path}: {found}; move it away and let the node rebuild it from its peers")
