"""Shell: the bytes that a meter sends by itself, over TCP or from a serial port; nothing is ever sent to it."""

import os
import select
import socket
import termios
import time
from pathlib import Path

MOST_AT_ONCE = 65_536
"""Bytes of one look: a meter at 115,200 baud sends a fifth of that in a second."""


class Stream:
    """One open source. OSError for whatever goes wrong with it."""

    def __init__(self, file: int) -> None:
        self._file = file

    @classmethod
    def connect(cls, host: str, port: int, timeout_s: float) -> "Stream":
        """A gateway that passes the meter's port on."""
        connection = socket.create_connection((host, port), timeout_s)
        connection.setblocking(False)
        return cls(connection.detach())

    @classmethod
    def open_serial(cls, path: Path) -> "Stream":
        """A serial port, as the P1 standard wants it: 115,200 baud, eight bits, no parity (section 5.1)."""
        file = os.open(path, os.O_RDONLY | os.O_NOCTTY | os.O_NONBLOCK)
        try:
            attributes = termios.tcgetattr(file)
        except termios.error as error:
            os.close(file)
            raise OSError(f"{path} is no serial port: {error}") from error
        raw = termios.CS8 | termios.CREAD | termios.CLOCAL
        attributes[:6] = [0, 0, raw, 0, termios.B115200, termios.B115200]
        termios.tcsetattr(file, termios.TCSANOW, attributes)
        return cls(file)

    def arrived(self, wait_s: float = 0.0) -> bytes:
        """Everything that has come, after waiting at most so long for the first of it."""
        end = time.monotonic() + wait_s
        data = b""
        while len(data) < MOST_AT_ONCE:
            left_s = 0.0 if data else max(0.0, end - time.monotonic())
            if not select.select([self._file], [], [], left_s)[0]:
                break
            part = os.read(self._file, 4096)
            if not part:
                raise OSError("the connection was closed")
            data += part
        return data

    def close(self) -> None:
        """Let go of it."""
        os.close(self._file)
