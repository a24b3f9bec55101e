"""Shell: runs the daemon of the release that is current, and upgrades it on request (`supervision.py`, trio).

It plays the service manager towards the daemon, so that it hears how that is, and passes everything on to the real one.
When it is killed the kernel kills the daemon too; the control process holds the devices until the next daemon.
"""

import ctypes
import os
import signal
import socket
import subprocess
import time
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import structlog
import trio

from node.configuration.config import Config
from node.operation.service_notices import READINESS, SOCKET_VARIABLE, WATCHDOG_VARIABLE, ServiceManager
from node.upgrade import supervision as sv
from node.upgrade.installation import command_of, forget_others, is_installed
from node.upgrade.supervision import Phase, Supervision
from node.upgrade.supervisor_files import UpgradeFiles

POLL_S: Final = 0.25
"""Real seconds between looks for a request and at the process."""

WATCHDOG_USEC: Final = 10_000_000
"""So that the daemon says every five seconds that it lives."""

MESSAGE_BYTES: Final = 4096
HAND_OVER: Final = signal.SIGUSR1
PR_SET_PDEATHSIG: Final = 1
_LIBC = ctypes.CDLL(None)


class Supervisor:
    """Runs one node until it ends or is stopped."""

    def __init__(self, config: Config, log: structlog.typing.FilteringBoundLogger) -> None:
        self._config = config
        self._log = log
        self._files = UpgradeFiles(config.directory)
        self._manager = ServiceManager()
        self._process: subprocess.Popen[bytes] | None = None
        self._status: int | None = None
        self._core = Supervision(sv.Memory(), config.upgrade.trial_real_s)

    def run(self) -> int:
        """Supervise; the exit status of the daemon that ended last. Raises InputRefusedError."""
        with self._files.locked(), TemporaryDirectory(prefix="wattswarm-") as private:
            memory = self._files.memory()
            if memory.current is not None and not is_installed(self._config.directory, memory.current):
                self._log.error("release_missing", version=memory.current)
                memory = sv.Memory(outcome=(memory.current, False, "its files are gone"))
            self._core = Supervision(memory, self._config.upgrade.trial_real_s)
            self._files.take_request()
            return trio.run(self._run, Path(private) / "notify")

    async def _run(self, notify: Path) -> int:
        with trio.socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as ear:
            await ear.bind(str(notify))
            with trio.open_signal_receiver(signal.SIGTERM, signal.SIGINT) as signals:
                async with trio.open_nursery() as nursery:
                    self._carry_out(self._core.start(time.monotonic()), notify)
                    nursery.start_soon(self._hear, ear, notify)
                    nursery.start_soon(self._hear_signals, signals, notify)
                    while self._status is None:
                        self._look(notify)
                        await trio.sleep(POLL_S)
                    nursery.cancel_scope.cancel()
        assert self._status is not None, "the loop ended"
        return self._status

    def _look(self, notify: Path) -> None:
        """At the process, for a request, and whether time has run out."""
        now_s = time.monotonic()
        if self._process is not None and (status := self._process.poll()) is not None:
            self._process = None
            self._carry_out(self._core.exited(status, now_s), notify)
            return
        wanted = self._files.take_request()
        if wanted is not None and is_installed(self._config.directory, wanted):
            self._carry_out(self._core.requested(wanted, now_s), notify)
        self._carry_out(self._core.tick(now_s), notify)
        if self._core.phase in (Phase.ENDING, Phase.TRIAL, Phase.GIVING_UP):
            self._manager.tell(
                WATCHDOG="1", STATUS=f"upgrade to {self._core.memory.trial}: {self._core.phase.value}"
            )

    async def _hear(self, ear: trio.socket.SocketType, notify: Path) -> None:
        """What the daemon says; while one runs undisturbed it goes on to the service manager."""
        while True:
            text = (await ear.recv(MESSAGE_BYTES)).decode("utf-8", "replace")
            fields = dict(line.split("=", 1) for line in text.splitlines() if "=" in line)
            self._carry_out(self._core.heard(fields, READINESS, time.monotonic()), notify)
            if self._core.phase in (Phase.RUNNING, Phase.STOPPING):
                self._manager.tell(**fields)

    async def _hear_signals(self, signals: AsyncIterator[int], notify: Path) -> None:
        async for _ in signals:
            self._carry_out(self._core.asked_to_stop(time.monotonic()), notify)

    def _carry_out(self, effects: list[sv.Effect], notify: Path) -> None:
        for effect in effects:
            match effect:
                case sv.Start(version):
                    self._start(version, notify)
                case sv.HandOver():
                    self._signal(HAND_OVER)
                case sv.AskToStop():
                    self._signal(signal.SIGTERM)
                case sv.Kill():
                    self._signal(signal.SIGKILL)
                case sv.Remember(memory):
                    self._files.remember(memory)
                    if memory.outcome is not None:
                        version, kept, reason = memory.outcome
                        self._log.info("upgrade", version=version, kept=kept, reason=reason)
                        forget_others(self._config.directory, (memory.current, memory.previous))
                case sv.Leave(status):
                    self._status = status if status >= 0 else 128 - status

    def _start(self, version: str | None, notify: Path) -> None:
        environment = {**os.environ, SOCKET_VARIABLE: str(notify), WATCHDOG_VARIABLE: str(WATCHDOG_USEC)}
        environment.pop("WATCHDOG_PID", None)
        if version is not None:
            environment.pop("PYTHONPATH", None)  # a release finds itself before all else
        self._process = subprocess.Popen(
            [*command_of(self._config.directory, version), "node", "run", "--config", self._config.file],
            stdin=subprocess.DEVNULL,
            cwd=self._config.directory,
            env=environment,
            preexec_fn=partial(_die_with, os.getpid()),
        )
        self._log.info("started", version=version, pid=self._process.pid)

    def _signal(self, number: signal.Signals) -> None:
        if self._process is not None:
            self._process.send_signal(number)


def _die_with(parent: int) -> None:
    """In a new process: be killed when the one that started it is gone."""
    _LIBC.prctl(PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0)
    if os.getppid() != parent:
        os.kill(os.getpid(), signal.SIGKILL)
