"""Shell: what every Modbus TCP server of the counterparts does: framing, faults of the wire, time, commands to it."""

import json
import socket
import struct
import sys
import threading
import time
from abc import ABC, abstractmethod
from typing import Any


class ModbusServer(ABC):
    """A device and everybody who is connected to it; `_lock` is held while it is asked or told anything.

    Of the faults it does silence, delay and behind itself; what the others mean is the device's.
    """

    def __init__(
        self, faults: tuple[str, ...], *, delay_s: float, tick_s: float, unit: int | None = None
    ) -> None:
        """Replies come `delay_s` late under that fault; another `unit` than this is hung up on (None: any answers)."""
        self._faults = faults
        self._delay_s = delay_s
        self._tick_s = tick_s
        self._unit = unit
        self._lock = threading.Lock()
        self._fault = ""

    def run(self, host: str, port: int, *, real_time: bool) -> None:
        """Print the port, then obey a line of JSON after the other until standard input ends; time passes by command,
        or by the clock as well.
        """
        listener = socket.create_server((host, port))
        threading.Thread(target=self._serve, args=(listener,), daemon=True).start()
        sys.stdout.write(json.dumps({"port": listener.getsockname()[1]}) + "\n")
        sys.stdout.flush()
        if real_time:
            threading.Thread(target=self._tick, daemon=True).start()
        for line in sys.stdin:
            sys.stdout.write(json.dumps(self.obey(json.loads(line))) + "\n")
            sys.stdout.flush()

    def obey(self, command: dict[str, Any]) -> dict[str, Any]:
        """Do what one command says."""
        with self._lock:
            if "fault" in command:
                self._fault = self._faults[self._faults.index(command["fault"])]
            return self._obey(command)

    @abstractmethod
    def _obey(self, command: dict[str, Any]) -> dict[str, Any]:
        """What a command asks of the device; the fault is set."""

    @abstractmethod
    def _answer(self, request: bytes) -> bytes:
        """The reply to a request, both without their header."""

    def _serve(self, listener: socket.socket) -> None:
        while True:
            connection, _ = listener.accept()
            threading.Thread(target=self._talk, args=(connection,), daemon=True).start()

    def _tick(self) -> None:
        before = time.monotonic()
        while True:
            time.sleep(self._tick_s)
            now = time.monotonic()
            self.obey({"advance": now - before})
            before = now

    def _talk(self, connection: socket.socket) -> None:
        last: tuple[int, bytes] | None = None
        with connection:
            while (head := _receive(connection, 7)) is not None:
                transaction, _, length, unit = struct.unpack(">HHHB", head)
                request = _receive(connection, length - 1)
                if request is None or self._unit not in (None, unit):
                    return
                with self._lock:
                    answer = (transaction, self._answer(request))
                    fault = self._fault
                if fault == "silence":
                    continue
                if fault == "delay":
                    time.sleep(self._delay_s)
                said = (last or (transaction - 1, answer[1])) if fault == "behind" else answer
                last = answer
                try:
                    connection.sendall(
                        struct.pack(">HHHB", said[0] & 0xFFFF, 0, len(said[1]) + 1, unit) + said[1]
                    )
                except OSError:
                    return


def _receive(connection: socket.socket, count: int) -> bytes | None:
    data = b""
    while len(data) < count:
        try:
            part = connection.recv(count - len(data))
        except OSError:
            return None
        if not part:
            return None
        data += part
    return data
