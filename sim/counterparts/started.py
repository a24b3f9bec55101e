"""Shell: servers in processes of their own, for whoever starts one and tells it what to do."""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


class Started:
    """A module of this package in a process of its own: it takes commands and answers them, a line of JSON each."""

    def __init__(self, module: str, *arguments: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", f"sim.counterparts.{module}", *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.port = int(self._hear()["port"])

    def ask(self, **command: Any) -> dict[str, Any]:
        """Give the server a command and wait until it is done."""
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(command) + "\n")
        self.process.stdin.flush()
        return self._hear()

    def end(self) -> None:
        """Pull the plug: the process is killed, and nobody listens any more."""
        self.process.kill()
        self.process.communicate()

    def _hear(self) -> dict[str, Any]:
        assert self.process.stdout is not None
        heard: dict[str, Any] = json.loads(self.process.stdout.readline())
        return heard


class Counterpart(Started):
    """A SunSpec server; `arguments` are those of `sim.counterparts.sunspec_server`."""

    def __init__(self, *arguments: str) -> None:
        super().__init__("sunspec_server", *arguments)

    def get(self, place: str) -> float:
        """The scaled value of a point, named like `701.W`."""
        return float(self.ask(get=[place])[place])


@contextmanager
def counterpart(*arguments: str) -> Iterator[Counterpart]:
    """A running server, killed at the end."""
    server = Counterpart(*arguments)
    try:
        yield server
    finally:
        server.end()
