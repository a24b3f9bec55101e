"""Shell: one process that has loaded the program, of which daemons are forked: a cell of eight loads it once.

A daemon that is forked differs from one of the command line in how its modules came into memory, and in nothing else:
it has its own session, environment, log, words to be seen by `ps`, and the same end by `PR_SET_PDEATHSIG`.
"""

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType

import trio

ROOM = " " * 2048
"""An argument whose place in memory the words of a daemon take: longer ones are not shown."""

MESSAGE_LIMIT = 1 << 17
"""Bytes of one message: an environment, the words and a path."""


@dataclass(slots=True)
class LoadedProgram:
    """Started at once, loading while the caller does other things; to be used by one thread, in a `with`."""

    _socket: socket.socket = field(init=False)
    _process: subprocess.Popen[bytes] = field(init=False)

    def __post_init__(self) -> None:
        self._socket, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        for end in (self._socket, theirs):
            end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, MESSAGE_LIMIT)
        with theirs:
            self._process = subprocess.Popen(
                [
                    sys.executable,
                    "-m",
                    "sim.testnet.loaded_process",
                    str(theirs.fileno()),
                    str(os.getpid()),
                    ROOM,
                ],
                stdin=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
                start_new_session=True,
            )

    def __enter__(self) -> "LoadedProgram":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.end()

    def end(self) -> None:
        """End the process, and with it whatever it started that still runs."""
        self._process.kill()
        self._process.wait()
        self._socket.close()

    def start(self, words: Sequence[str], log: Path) -> "ForkedProcess":
        """Run the command line with these words, its output appended to a file, in a session of its own.

        Raises `OSError` when the program could not be loaded or not be forked.
        """
        request = {
            "words": list(words),
            "log": str(log),
            "directory": str(Path.cwd()),
            "environment": dict(os.environ),
        }
        pid = self._ask(request)
        assert pid is not None
        return ForkedProcess(pid, self)

    def status(self, pid: int) -> int | None:
        """The exit status of a process that was started here, negative for a signal; None while it runs."""
        return self._ask({"ended": pid})

    @trio.lowlevel.enable_ki_protection  # a Ctrl-C in the middle would leave an answer for the next who asks
    def _ask(self, request: Mapping[str, object]) -> int | None:
        self._socket.send(json.dumps(request).encode())
        answer = self._socket.recv(MESSAGE_LIMIT)
        if not answer:
            raise OSError("The process that starts daemons has ended; the reason is on standard error.")
        value: int | None = json.loads(answer)
        return value


@dataclass(slots=True)
class ForkedProcess:
    """What a caller needs of `subprocess.Popen`, of a process that another one forked."""

    pid: int
    _program: LoadedProgram
    returncode: int | None = None

    def poll(self) -> int | None:
        """The exit status, negative for a signal; None while it runs."""
        if self.returncode is None:
            self.returncode = self._program.status(self.pid)
        return self.returncode

    def send_signal(self, number: signal.Signals) -> None:
        """Send a signal, if it has not ended."""
        if self.poll() is None:
            with suppress(ProcessLookupError):
                os.kill(self.pid, number)
