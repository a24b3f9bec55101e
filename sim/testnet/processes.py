"""Shell: starts, stops, kills and pauses the daemons of a testnet, each a process of its own."""

import os
import signal
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

import trio
from devices.control_process import CONTROL_PID_FILE

from node.founding import CONFIG_FILE
from sim.testnet.layout import DAEMON_LOG

STOP_TIMEOUT_S = 15.0
"""Real seconds a daemon has to leave after SIGTERM before it is killed."""


@dataclass(slots=True)
class Daemons:
    """The daemons that run, by node directory. Leaving `stop_all` unfinished kills them."""

    running: dict[Path, subprocess.Popen[bytes]] = field(default_factory=dict)

    def start(self, directory: Path) -> None:
        """Start the daemon of a node; its output goes to a file in the directory."""
        with (directory / DAEMON_LOG).open("ab") as log:
            self.running[directory] = subprocess.Popen(
                [
                    sys.executable,
                    "-m",
                    "node.cli.root",
                    "node",
                    "run",
                    "--config",
                    str(directory / CONFIG_FILE),
                ],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def exit_code(self, directory: Path) -> int | None:
        """How a daemon ended, None while it runs."""
        return self.running[directory].poll()

    def signal(self, directory: Path, number: signal.Signals) -> None:
        """Send a signal to a daemon."""
        self.running[directory].send_signal(number)

    def kill_control(self, directory: Path) -> None:
        """Kill the control process of a node as a power cut would; nothing when there is none."""
        try:
            os.kill(int((directory / CONTROL_PID_FILE).read_text()), signal.SIGKILL)
        except (FileNotFoundError, ValueError, ProcessLookupError):
            return

    async def wait(self, directory: Path) -> int:
        """Wait until a daemon has ended; returns its exit code."""
        process = self.running[directory]
        return await trio.to_thread.run_sync(process.wait, abandon_on_cancel=True)

    async def stop_all(self) -> dict[Path, int]:
        """Ask every daemon to leave, wait, and kill what did not; returns the exit codes."""
        for process in self.running.values():
            if process.poll() is None:
                process.send_signal(signal.SIGCONT)
                process.terminate()
        codes: dict[Path, int] = {}
        with trio.CancelScope(shield=True):
            for directory, process in self.running.items():
                with trio.move_on_after(STOP_TIMEOUT_S):
                    await self.wait(directory)
                if process.poll() is None:
                    process.kill()
                    self.kill_control(directory)
                codes[directory] = process.wait()
        return codes
