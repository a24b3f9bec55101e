"""Shell: starts, stops, kills and pauses the daemons of a testnet, each its own process, and follows their logs."""

import ctypes
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import trio

from node.founding.founding import CONFIG_FILE
from sim.testnet.layout import DAEMON_LOG
from sim.testnet.loaded_program import ForkedProcess, LoadedProgram
from sim.testnet.watch import NodeView

STOP_TIMEOUT_S = 15.0
"""Real seconds a daemon has to leave after SIGTERM before it is killed."""

POLL_S = 0.05

PR_SET_PDEATHSIG = 1
"""Of prctl(2), Linux: the signal that a process gets when the thread that started it ends."""

_LIBC = ctypes.CDLL(None)
"""Loaded here, because between fork and exec as little as possible may happen."""

PROGRAM = ("-m", "node.cli.root")
"""What Python runs: the command line of this installation."""


@dataclass(slots=True)
class Daemon:
    """One node's daemon: its process, if it was started, and what it logged.

    It is forked of the `loaded` program, if there is one, and else loads it itself.
    """

    directory: Path
    loaded: LoadedProgram | None = None
    process: subprocess.Popen[bytes] | ForkedProcess | None = None
    view: NodeView = field(default_factory=NodeView)
    _read_to: int = 0

    @property
    def name(self) -> str:
        """The node's name."""
        return self.directory.name

    @property
    def running(self) -> bool:
        """Whether the process lives (stopped or not)."""
        return self.process is not None and self.process.poll() is None

    @trio.lowlevel.enable_ki_protection  # a Ctrl-C in the middle would leave a process that nobody knows
    def start(self, wrapper: Sequence[str] = (), program: Sequence[str] = PROGRAM) -> None:
        """Start the daemon; its output goes to a file in its directory. `wrapper` is a command that starts it."""
        words = [*program, "node", "run", "--config", str(self.directory / CONFIG_FILE)]
        if self.loaded is not None and program == PROGRAM and not wrapper:
            self.process = self.loaded.start(words, self.directory / DAEMON_LOG)
            return
        with (self.directory / DAEMON_LOG).open("ab") as log:
            self.process = subprocess.Popen(
                [*wrapper, sys.executable, *words],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                preexec_fn=partial(die_with, os.getpid()),
            )

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the daemon alone; its control process lives on."""
        assert self.process is not None, "the daemon was started"
        self.process.send_signal(number)

    def cut_power(self) -> None:
        """Kill the daemon and its control process at once, as a power cut would."""
        self.signal(signal.SIGKILL)
        if self.view.control_pid is not None:
            with suppress(ProcessLookupError):
                os.kill(self.view.control_pid, signal.SIGKILL)

    def follow(self) -> None:
        """Read what the daemon logged since the last call."""
        with suppress(FileNotFoundError), (self.directory / DAEMON_LOG).open("rb") as log:
            log.seek(self._read_to)
            complete, newline, _ = log.read().rpartition(b"\n")
            self._read_to += len(complete) + len(newline)
            self.view.read(complete.splitlines())

    async def ended(self) -> int:
        """Wait for the process to end; returns its exit status."""
        assert self.process is not None, "the daemon was started"
        while (status := self.process.poll()) is None:
            await trio.sleep(POLL_S)
        return status


def die_with(parent: int) -> None:
    """For a new process: be killed when the one that started it is gone. The control process then ends by itself.

    A signal that can be handled would wait for ever in a process that is stopped.
    """
    _LIBC.prctl(PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0)
    if os.getppid() != parent:
        os.kill(os.getpid(), signal.SIGKILL)


async def stop_all(daemons: list[Daemon]) -> dict[str, int]:
    """Ask every daemon to leave, wait, and kill what did not; returns exit statuses by name."""
    started = [daemon for daemon in daemons if daemon.process is not None]
    with trio.CancelScope(shield=True):
        try:
            await _ask_to_leave(started)
        finally:  # nobody who interrupts this again leaves a process behind
            for daemon in started:
                if daemon.running:
                    daemon.cut_power()
        return {daemon.name: await daemon.ended() for daemon in started}


async def _ask_to_leave(daemons: list[Daemon]) -> None:
    for daemon in daemons:
        if daemon.running:
            daemon.signal(signal.SIGCONT)
            daemon.signal(signal.SIGTERM)
    with trio.move_on_after(STOP_TIMEOUT_S):
        for daemon in daemons:
            await daemon.ended()
