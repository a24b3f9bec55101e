"""Shell: a consistent private copy of a ledger file, taken without changing a byte of the original.

The original may be in use by a daemon or left behind by one that was killed, with its write-ahead log beside
it. A read transaction, held while both files are copied, keeps that log from being overwritten, so whatever a
checkpoint is moving at the moment is in the copy of the log too. SQLite's shared memory file is opened
read-only, or not at all.
"""

import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.parse import quote

from ledger.files.errors import StorageUnavailable
from ledger.store.store_file import log_path


def copy_ledger(path: Path, directory: Path) -> Path:
    """Copy a ledger and its write-ahead log into a directory; the path of the copy. Raises
    `StorageUnavailable`.
    """
    copy = directory / path.name
    try:
        with _held(path):
            shutil.copyfile(path, copy)
            with suppress(FileNotFoundError):
                shutil.copyfile(log_path(path), log_path(copy))
    except OSError as fault:
        raise StorageUnavailable(f"{path}: cannot be copied: {fault.strerror or fault}") from fault
    return copy


@contextmanager
def _held(path: Path) -> Iterator[None]:
    """Hold a read transaction where somebody may be writing; files that nobody has open need none."""
    if not path.with_name(path.name + "-shm").exists():
        yield
        return
    connection: sqlite3.Connection | None = None
    # A file too damaged to be read is copied all the same: the audit says what is wrong with it.
    with suppress(sqlite3.Error):
        connection = sqlite3.connect(
            f"file:{quote(str(path))}?mode=ro&readonly_shm=1", uri=True, isolation_level=None
        )
        connection.execute("BEGIN")
        connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()
    try:
        yield
    finally:
        if connection is not None:
            connection.close()
