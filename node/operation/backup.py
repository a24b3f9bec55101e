"""Shell: a copy of a node in one file, taken while it runs, and put back where it may do no harm.

What was signed last is never in it: the sign guard, the agreement's log and what was cosigned stay where they are,
because a copy of them has forgotten. So a node that was put back only reads until its cell has readmitted it
(docs/operating.md, the guard). The ledger is always in it: a directory with keys and neither ledger nor guard would
look like a new node.
"""

import hashlib
import io
import json
import os
import sqlite3
import tarfile
import time
import zlib
from collections.abc import Iterator
from contextlib import closing
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory
from typing import Final

from ledger.errors import KeyFileError
from ledger.files.directory import (
    AGREEMENT_LOG_FILE,
    CONSENSUS_KEY_FILE,
    GENESIS_FILE,
    GUARD_FILE,
    IDENTITY_KEY_FILE,
    LEDGER_FILE,
    WITNESS_FILE,
)
from ledger.files.durable_file import flush_directory
from ledger.files.errors import storage_error
from ledger.files.keys import load_key
from ledger.records.genesis import Genesis
from ledger.store.private_copy import copy_ledger
from ledger.store.store import Store
from node.configuration.config import Config
from node.errors import InputRefusedError
from node.founding.founding import CARD_FILE

MANIFEST: Final = "manifest.json"
FORMAT: Final = 1
MANIFEST_BYTES: Final = 1 << 20
"""A few dozen files with their hashes take a few kilobytes."""

NEVER: Final = frozenset({GUARD_FILE, AGREEMENT_LOG_FILE, WITNESS_FILE})
"""What must never come back: it is refused in a backup, too, whoever wrote that."""

KEYS: Final = (IDENTITY_KEY_FILE, CONSENSUS_KEY_FILE)


@dataclass(frozen=True, slots=True)
class Manifest:
    """What is in a backup. `height` is of the ledger's last block, `created_ns` wall time, `data_dir` where the data
    directory is seen from the configuration, `files` the SHA-256 of each file by its path in the backup.
    """

    format: int
    version: str
    node: str
    cell: str
    height: int
    created_ns: int
    configuration: str
    data_dir: str
    files: dict[str, str]

    @property
    def keys(self) -> tuple[str, ...]:
        """Which key files are in it."""
        return tuple(name for name in KEYS if any(PurePosixPath(path).name == name for path in self.files))


@dataclass(frozen=True, slots=True)
class BackedUp:
    """A backup that was written, with what the owner should know: files that are elsewhere, and keys that are not
    encrypted.
    """

    manifest: Manifest
    elsewhere: tuple[str, ...]
    open_keys: tuple[str, ...]


def back_up(config: Config, target: Path, *, keys: bool = True) -> BackedUp:
    """Write a backup of a node, running or not, into one new file of mode 0600. Raises `InputRefusedError`,
    `LedgerError` or OSError; then there is no file.
    """
    if target.exists():
        raise InputRefusedError(f"{target}: exists already and is not overwritten; name another file")
    root = Path(config.file).parent
    data_dir = _below(config.directory, root)
    if data_dir is None:
        raise InputRefusedError(
            f"node.data_dir: {config.directory} is not below {root}; only a node that is in one directory is backed up"
        )
    draft = target.with_name(target.name + ".draft")
    try:
        with TemporaryDirectory(prefix=".backup-", dir=config.directory) as temporary:
            ledger, cell_id, height = _ledger(config, Path(temporary))
            found, elsewhere = _files(config, root, keys=keys)
            found[str(PurePosixPath(data_dir) / LEDGER_FILE)] = ledger
            manifest = Manifest(
                format=FORMAT,
                version=version("wattswarm"),
                node=config.node.name,
                cell=cell_id.hex(),
                height=height,
                created_ns=time.time_ns(),
                configuration=Path(config.file).name,
                data_dir=data_dir,
                files={name: _hash(path) for name, path in sorted(found.items())},
            )
            _write(draft, manifest, found)
        draft.rename(target)
    finally:
        draft.unlink(missing_ok=True)
    flush_directory(target.parent.resolve())
    open_keys = tuple(name for name in manifest.keys if _is_open(config.directory / name))
    return BackedUp(manifest, elsewhere, open_keys)


def restore(source: Path, directory: Path) -> Manifest:
    """Put a backup into a new or empty directory. Raises `InputRefusedError` when it is damaged or the directory is not
    empty; then nothing of it is there.
    """
    if directory.exists() and any(directory.iterdir()):
        raise InputRefusedError(
            f"{directory}: is not empty; a node is never put back over another, name a new directory"
        )
    try:
        with tarfile.open(source, "r:gz") as archive:
            manifest = _read_manifest(archive, source)
            _extract(archive, manifest, source, directory)
    except (tarfile.TarError, zlib.error, EOFError, OSError, ValueError) as fault:
        if isinstance(fault, FileNotFoundError) and not source.exists():
            raise InputRefusedError(f"{source}: no such file") from None
        raise InputRefusedError(f"{source}: cannot be read or put back: {fault}") from fault
    return manifest


def _below(path: Path, root: Path) -> str | None:
    return path.relative_to(root).as_posix() if path.is_relative_to(root) else None


def _ledger(config: Config, directory: Path) -> tuple[Path, bytes, int]:
    """One consistent ledger file without a log beside it; the cell, and the last block's height."""
    source = config.directory / LEDGER_FILE
    if not source.exists():
        raise InputRefusedError(f"{source}: no such file; a node that never ran needs only its keys kept")
    cell_id = Genesis.decode((config.directory / GENESIS_FILE).read_bytes()).cell_id
    copy = copy_ledger(source, directory)
    try:
        with closing(sqlite3.connect(copy)) as connection:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    except sqlite3.Error as fault:
        raise storage_error(fault, str(copy)) from fault
    with closing(Store.open(copy, cell_id)) as store:
        return copy, cell_id, store.height()


def _files(config: Config, root: Path, *, keys: bool) -> tuple[dict[str, Path], tuple[str, ...]]:
    """What goes in besides the ledger, by path in the backup; and what the configuration names elsewhere."""
    site = config.site
    named = [config.network.members, site.profile, site.grid_profile, *site.service_files, config.clock.file]
    named += [cell.genesis for cell in config.witness.cells]
    wanted = [Path(config.file), config.genesis_path, config.directory / GENESIS_FILE, root / CARD_FILE]
    wanted += [(root / name).resolve() for name in named if name is not None]
    wanted += [config.directory / name for name in KEYS if keys]
    inside = {each: _below(each, root) for each in wanted if each.is_file()}
    found = {name: path for path, name in inside.items() if name is not None}
    return found, tuple(str(path) for path, name in inside.items() if name is None)


def _is_open(key: Path) -> bool:
    try:
        load_key(key, None)
    except KeyFileError:
        return False
    return True


def _hash(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _write(draft: Path, manifest: Manifest, found: dict[str, Path]) -> None:
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        with tarfile.open(fileobj=file, mode="w:gz", compresslevel=6) as archive:
            text = json.dumps(asdict(manifest), indent=1).encode()
            head = tarfile.TarInfo(MANIFEST)
            head.size, head.mode = len(text), 0o600
            archive.addfile(head, io.BytesIO(text))
            for name, path in sorted(found.items()):
                entry = tarfile.TarInfo(name)
                entry.size, entry.mode = path.stat().st_size, 0o600
                with path.open("rb") as content:
                    archive.addfile(entry, content)
        file.flush()
        os.fsync(file.fileno())


def _read_manifest(archive: tarfile.TarFile, source: Path) -> Manifest:
    head = archive.next()
    content = None if head is None or head.name != MANIFEST else archive.extractfile(head)
    if head is None or content is None or head.size > MANIFEST_BYTES:
        raise InputRefusedError(f"{source}: is no backup of a node")
    table = json.loads(content.read())
    if not isinstance(table, dict) or table.get("format") != FORMAT:
        raise InputRefusedError(f"{source}: is no backup that this program knows")
    try:
        manifest = Manifest(**table)
        names = [PurePosixPath(name) for name in (*manifest.files.keys(), manifest.data_dir)]
    except (TypeError, AttributeError) as fault:
        raise InputRefusedError(f"{source}: its manifest is damaged") from fault
    if any(name.is_absolute() or ".." in name.parts or name.name in NEVER for name in names):
        raise InputRefusedError(f"{source}: holds files that no backup may hold")
    if str(PurePosixPath(manifest.data_dir) / LEDGER_FILE) not in manifest.files:
        raise InputRefusedError(
            f"{source}: holds no ledger; without it a node would take itself for a new one"
        )
    return manifest


def _extract(archive: tarfile.TarFile, manifest: Manifest, source: Path, directory: Path) -> None:
    """Everything beside the target first; it appears there whole or not at all."""
    directory.parent.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(prefix=f".{directory.name}-", dir=directory.parent) as temporary:
        draft = Path(temporary) / "node"
        draft.mkdir(mode=0o700)
        for name, digest in _contents(archive, manifest, draft):
            if manifest.files[name] != digest:
                raise InputRefusedError(f"{source}: {name} is damaged; take another backup")
        while archive.fileobj is not None and archive.fileobj.read(1 << 20):
            pass  # The checksum of the whole, the manifest's too, is behind the last byte.
        missing = [name for name in manifest.files if not (draft / name).is_file()]
        if missing:
            raise InputRefusedError(f"{source}: {', '.join(missing)} is missing; take another backup")
        if directory.exists():
            directory.rmdir()
        draft.rename(directory)
    flush_directory(directory.parent.resolve())


def _contents(archive: tarfile.TarFile, manifest: Manifest, draft: Path) -> Iterator[tuple[str, str]]:
    """Write each file of the manifest as it comes; its path and the hash of what came."""
    for entry in archive:
        content = archive.extractfile(entry) if entry.isreg() and entry.name in manifest.files else None
        if content is None:
            continue
        path = draft / entry.name
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        digest = hashlib.sha256()
        with os.fdopen(descriptor, "wb") as file:
            while part := content.read(1 << 20):
                digest.update(part)
                file.write(part)
            file.flush()
            os.fsync(file.fileno())
        yield entry.name, digest.hexdigest()
