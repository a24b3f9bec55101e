"""Shell: the seal of a ledger file that was closed in order: the hash of every byte of it.

An audit derives what each row must say. What no row says is in no signature: the space between rows, and whether
the last block was there when the daemon stopped. Where the daemon stopped in order, a seal beside the file covers
that too. It is gone while a daemon has the file open and after a crash, when only the rows can be checked. Its
text is a line of `sha256sum`, so `sha256sum --check` says the same.
"""

import errno
from hashlib import file_digest
from pathlib import Path

from ledger.files.durable_file import flush_directory, write_durably
from ledger.files.errors import StorageReadOnly, StorageUnavailable
from ledger.store.store_file import log_path

_FORBIDDEN = frozenset({errno.EROFS, errno.EACCES, errno.EPERM})


def seal_path(path: Path) -> Path:
    """Where the seal of a ledger file is."""
    return path.with_name(path.name + ".sha256")


def seal_text(path: Path) -> bytes:
    """What the seal of this file says as it is now. Raises OSError."""
    with path.open("rb") as file:
        return f"{file_digest(file, 'sha256').hexdigest()}  {path.name}\n".encode()


def set_seal(path: Path) -> None:
    """Seal a closed file. Raises OSError; a file whose write-ahead log another program kept gets no seal."""
    if not log_in_use(path):
        write_durably(seal_path(path), seal_text(path))


def break_seal(path: Path) -> None:
    """Remove the seal, durably, before the file may change. Raises `StorageReadOnly`, `StorageUnavailable`."""
    seal = seal_path(path)
    try:
        if seal.exists():
            seal.unlink()
            flush_directory(path.parent)
    except OSError as fault:
        kind = StorageReadOnly if fault.errno in _FORBIDDEN else StorageUnavailable
        raise kind(
            f"{seal}: {fault.strerror}; allow this user to write the file and its directory"
        ) from fault


def log_in_use(path: Path) -> bool:
    """Whether a write-ahead log with content lies beside the file."""
    log = log_path(path)
    return log.exists() and log.stat().st_size > 0
