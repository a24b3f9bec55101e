"""A gateway that passes a smart meter's telegrams on over TCP, as the tests want them, and a driver before it."""

import socket
import threading
from typing import Any

from sunspec_bench import PATIENCE_S, SECOND_NS, config

from devices.cell_clock import Instant
from devices.drivers.polled import PolledDer
from devices.dsmr.telegram import checksum
from devices.image import DeviceImage
from devices.opening.real_devices import connect


def telegram(power_w: float) -> bytes:
    """What a meter says while so much passes it, injection positive."""
    drawn_w, given_w = max(0.0, -power_w), max(0.0, power_w)
    lines = [
        "/WSW5TEST",
        "",
        "1-3:0.2.8(50)",
        f"1-0:1.7.0({drawn_w / 1000:06.3f}*kW)",
        f"1-0:2.7.0({given_w / 1000:06.3f}*kW)",
        "!",
    ]
    body = "\r\n".join(lines).encode()
    return body + b"%04X\r\n" % checksum(body)


def table(port: int, **changes: Any) -> dict[str, Any]:
    """A table of site.ders."""
    way = {"driver": "dsmr", "name": "house", "host": "127.0.0.1", "port": port, "maximum_w": 17_250}
    return way | {"poll_ms": 500, "timeout_ms": 300} | changes


class Gateway:
    """Sends to everybody who is connected; what it is given is on its way when `send` returns."""

    def __init__(self) -> None:
        self._server = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._server.getsockname()[1]
        self._connected: list[socket.socket] = []
        self._changed = threading.Condition()
        threading.Thread(target=self._accept, daemon=True).start()

    def send(self, data: bytes) -> None:
        with self._changed:
            assert self._changed.wait_for(lambda: bool(self._connected), PATIENCE_S)
            for connection in tuple(self._connected):
                try:
                    connection.sendall(data)
                except OSError:
                    self._connected.remove(connection)

    def hang_up(self) -> None:
        with self._changed:
            for connection in self._connected:
                connection.close()
            self._connected.clear()

    def end(self) -> None:
        self._server.close()
        self.hang_up()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._server.accept()
            except OSError:
                return
            with self._changed:
                self._connected.append(connection)
                self._changed.notify_all()


class P1Bench:
    """A meter that sends a telegram every second of a clock that the test moves."""

    def __init__(self, **changes: Any) -> None:
        self.gateway = Gateway()
        self.now = Instant(10**12, 0)
        self.data = telegram(-500.0)
        parsed = config(table(self.gateway.port, **changes)).hardware[0]
        self.der: PolledDer = connect(parsed, 0.0, lambda: self.now)
        assert self.der.refresh(PATIENCE_S)
        self.pass_time(1.0)

    def pass_time(self, seconds: float) -> None:
        left_s = seconds
        while left_s > 0:
            step_s = min(1.0, left_s)
            left_s -= step_s
            passed_ns = round(step_s * SECOND_NS)
            self.now = Instant(self.now.real_ns + passed_ns, self.now.cell_ns + passed_ns)
            if self.data:
                self.gateway.send(self.data)
            assert self.der.refresh(PATIENCE_S)

    def look(self, seconds: float = 1.0) -> DeviceImage:
        self.pass_time(seconds)
        return self.der.measure(self.now)

    def end(self) -> None:
        self.der.close()
        self.gateway.end()
