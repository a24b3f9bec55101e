"""Shell: the log of actions: who did what when, from where, and what came of it. Lines are only ever added."""

import json
import os
from collections import deque
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

ACTIONS_FILE = "actions.log"
LINES_SHOWN = 500


@dataclass(frozen=True, slots=True)
class ActionDone:
    """One action. `outcome` is `done`, or why it was not carried out."""

    at: str
    who: str
    role: str
    address: str
    action: dict[str, Any]
    outcome: str


class ActionLog:
    """The actions on one node. A line is on the disk before the answer leaves."""

    def __init__(self, directory: Path) -> None:
        self._path = directory / ACTIONS_FILE

    def add(self, who: str, role: str, address: str, action: dict[str, Any], outcome: str) -> ActionDone:
        """Note an action. Raises OSError."""
        done = ActionDone(datetime.now(UTC).isoformat(), who, role, address, action, outcome)
        descriptor = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            os.write(descriptor, (json.dumps(asdict(done)) + "\n").encode())
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        return done

    def last(self, count: int) -> list[ActionDone]:
        """The last actions, newest first; a line that is torn is left out."""
        if not self._path.exists():
            return []
        with self._path.open(encoding="utf-8", errors="replace") as file:
            lines = deque(file, maxlen=min(count, LINES_SHOWN))
        found = []
        for line in reversed(lines):
            try:
                found.append(ActionDone(**json.loads(line)))
            except (ValueError, TypeError):
                continue
        return found
