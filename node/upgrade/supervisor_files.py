"""Shell: what `node supervise` and `node upgrade` leave each other in the data directory: memory, request, lock."""

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Final

from ledger.files.durable_file import write_durably
from node.errors import InputRefusedError
from node.upgrade.installation import UPGRADE_DIRECTORY
from node.upgrade.supervision import Memory

MEMORY_FILE: Final = "memory.json"
REQUEST_FILE: Final = "request.json"
LOCK_FILE: Final = "supervisor.lock"


class UpgradeFiles:
    """The files of one data directory."""

    def __init__(self, data_dir: Path) -> None:
        self.directory = data_dir / UPGRADE_DIRECTORY

    @property
    def lock_path(self) -> Path:
        """Locked by the supervisor while it runs."""
        return self.directory / LOCK_FILE

    def memory(self) -> Memory:
        """What the supervisor made durable last. Raises InputRefusedError when it does not read back."""
        path = self.directory / MEMORY_FILE
        if not path.exists():
            return Memory()
        try:
            table = json.loads(path.read_text("utf-8"))
            outcome = table["outcome"]
            return Memory(**{**table, "outcome": None if outcome is None else tuple(outcome)})
        except (ValueError, TypeError, KeyError) as fault:
            raise InputRefusedError(
                f"{path}: is damaged ({fault}); move it away, and the installation's own release runs"
            ) from fault

    def remember(self, memory: Memory) -> None:
        """Make it durable."""
        write_durably(self.directory / MEMORY_FILE, json.dumps(asdict(memory)).encode())

    def request(self, version: str) -> None:
        """Ask the supervisor for a release."""
        write_durably(self.directory / REQUEST_FILE, json.dumps({"version": version}).encode())

    def take_request(self) -> str | None:
        """The release that was asked for, once; None if there is none."""
        path = self.directory / REQUEST_FILE
        try:
            table = json.loads(path.read_text("utf-8"))
        except FileNotFoundError:
            return None
        except ValueError:
            table = {}
        path.unlink()
        version = table.get("version") if isinstance(table, dict) else None
        return version if isinstance(version, str) else None

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Be the only supervisor. Raises InputRefusedError."""
        self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(self.lock_path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as fault:
                raise InputRefusedError(
                    f"{self.directory}: another supervisor runs this node; stop it first"
                ) from fault
            yield
        finally:
            os.close(descriptor)
