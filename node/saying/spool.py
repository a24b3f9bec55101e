"""Shell: a directory in the data directory where commands leave instructions for the daemon that runs there.

Whoever may write it speaks with the node's key, so it belongs to the node's user alone. A file appears whole or not at
all, is bounded, and goes when its entry is committed. One that says nothing is set aside under another name.
"""

import os
import time
from pathlib import Path
from secrets import token_hex
from typing import Final

from ledger.errors import Malformed
from ledger.files.durable_file import flush_directory
from node.errors import InputRefusedError
from node.instructions import INSTRUCTION_BYTES, Instruction

SPOOL_DIRECTORY: Final = "spool"
SUFFIX: Final = ".instruction"
SPOOL_FILES: Final = 64
"""Instructions that may wait; an operator gives a few at a time."""


class Spool:
    """The spool of one data directory."""

    def __init__(self, data_directory: Path) -> None:
        self._directory = data_directory / SPOOL_DIRECTORY

    def leave(self, instruction: Instruction) -> Path:
        """Leave an instruction, after those that wait. Raises `InputRefusedError` or OSError."""
        self._directory.mkdir(mode=0o700, exist_ok=True)
        if len(self._names()) >= SPOOL_FILES:
            raise InputRefusedError(
                f"{self._directory}: {SPOOL_FILES} instructions wait already; is the node running?"
            )
        path = self._directory / f"{time.time_ns():020d}-{token_hex(4)}{SUFFIX}"
        draft = path.with_suffix(".draft")
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(instruction.encode())
            file.flush()
            os.fsync(file.fileno())
        draft.rename(path)
        flush_directory(self._directory)
        return path

    def waiting(self) -> list[tuple[str, Instruction]]:
        """The instructions that wait, oldest first, by name of file; what is none is set aside."""
        found = []
        for name in self._names()[:SPOOL_FILES]:
            path = self._directory / name
            try:
                with path.open("rb") as file:
                    found.append((name, Instruction.decode(file.read(INSTRUCTION_BYTES + 1))))
            except Malformed:
                path.rename(path.with_suffix(".refused"))
            except FileNotFoundError:
                continue
        return found

    def done(self, name: str) -> None:
        """The entry is committed: forget the instruction."""
        (self._directory / name).unlink(missing_ok=True)

    def _names(self) -> list[str]:
        if not self._directory.is_dir():
            return []
        return sorted(path.name for path in self._directory.iterdir() if path.suffix == SUFFIX)
