"""Debian's nut-server and its dummy-ups driver, as processes of the test: a UPS whose variables the test sets."""

import os
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

FOLDERS = ("/lib/nut", "/usr/lib/nut", "/usr/libexec/nut", "/usr/sbin")
PATIENCE_S = 20.0
UPS = """
ups.status: OL
ups.load: 25
ups.realpower.nominal: 600
ups.mfr: A "quoted" maker
battery.charge: 90
battery.runtime: 1800
"""


def program(name: str) -> str:
    """A program of nut-server; a machine without it fails the test and says what to do."""
    for folder in FOLDERS:
        found = shutil.which(name, path=folder)
        if found is not None:
            return found
    raise AssertionError(f"{name} is missing: sudo apt-get update && sudo apt-get install -y nut-server")


class NutServer:
    """A UPS named `home` on a server of its own."""

    def __init__(self, folder: Path) -> None:
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port: int = free.getsockname()[1]
        files = {
            "ups.conf": "[home]\ndriver = dummy-ups\nport = home.dev\nmode = dummy-once\npollinterval = 1\n",
            "home.dev": UPS,
            "upsd.conf": f"LISTEN 127.0.0.1 {self.port}\n",
            "upsd.users": "[test]\npassword = test\nactions = SET\n",
        }
        for name, text in files.items():
            (folder / name).write_text(text)
            (folder / name).chmod(0o640)
        places = dict.fromkeys(("NUT_CONFPATH", "NUT_STATEPATH", "NUT_ALTPIDPATH"), str(folder))
        self._environment = os.environ | places
        user = ("-u", "root") if os.getuid() == 0 else ()
        self._processes = [self._start(program("dummy-ups"), "-a", "home", *user, "-F")]
        self._until(lambda: (folder / "dummy-ups-home").exists())
        self._processes.append(self._start(program("upsd"), *user, "-F"))
        self._until(self._answers)

    def put(self, name: str, value: str) -> None:
        """Set a variable, and wait until the server says it."""
        with socket.create_connection(("127.0.0.1", self.port), PATIENCE_S) as connection:
            lines = connection.makefile("rw", newline="\n")
            for command in ("USERNAME test", "PASSWORD test", f'SET VAR home {name} "{value}"'):
                lines.write(f"{command}\n")
                lines.flush()
                assert lines.readline().startswith("OK"), command
            self._until(lambda: self._asked(f"GET VAR home {name}") == f'VAR home {name} "{value}"')

    def get(self, name: str) -> str:
        """A variable as the server says it."""
        return self._asked(f"GET VAR home {name}").removeprefix(f'VAR home {name} "').removesuffix('"')

    def unplug(self) -> None:
        """End the driver: the server then has nobody who knows the UPS."""
        self._processes[0].terminate()
        self._processes[0].wait()
        self._until(lambda: self._asked("GET VAR home ups.status") == "ERR DRIVER-NOT-CONNECTED")

    def end(self) -> None:
        for process in self._processes:
            process.kill()
            process.wait()

    def _start(self, *command: str) -> subprocess.Popen[bytes]:
        quiet = subprocess.DEVNULL
        return subprocess.Popen(command, env=self._environment, stdout=quiet, stderr=quiet)

    def _answers(self) -> bool:
        try:
            return self._asked("GET VAR home ups.status") == 'VAR home ups.status "OL"'
        except OSError:
            return False

    def _asked(self, command: str) -> str:
        with socket.create_connection(("127.0.0.1", self.port), PATIENCE_S) as connection:
            connection.sendall(f"{command}\n".encode())
            return connection.makefile().readline().rstrip("\n")

    def _until(self, done: Callable[[], bool]) -> None:
        pause, end = threading.Event(), time.monotonic() + PATIENCE_S
        while not done():
            assert time.monotonic() < end, "nut-server did not come up"
            pause.wait(0.02)


@contextmanager
def nut_server(folder: Path) -> Iterator[NutServer]:
    server = NutServer(folder)
    try:
        yield server
    finally:
        server.end()
