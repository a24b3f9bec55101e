"""Shell: a UPS and the load behind it, read from a server of Network UPS Tools over TCP (RFC 9271)."""

import socket
import time

from devices.cell_clock import Instant
from devices.der import Nameplate
from devices.drivers.hardware import Exchanged, HardwareError, Order
from devices.image import DeviceImage, Reading
from devices.nut.protocol import NutError, drawn_w, number, supply, variables

LONGEST_REPLY = 65_536
"""Bytes; a UPS has some hundred variables of some ten bytes."""


class NutUps:
    """One UPS as `devices.drivers.hardware.Hardware`: a must-run load that takes no orders."""

    def __init__(
        self, name: str, nameplate: Nameplate, host: str, port: int, ups: str, timeout_s: float
    ) -> None:
        self._name = name
        self._nameplate = nameplate
        self._host, self._port, self._ups = host, port, ups
        self._timeout_s = timeout_s
        self._connection: socket.socket | None = None

    def exchange(self, order: Order | None, now: Instant) -> Exchanged:
        """Read every variable. Raises HardwareError."""
        values = self.values()
        feeding = supply(values.get("ups.status"))
        power_w, percent = drawn_w(values, feeding), number(values, "battery.charge")
        missing = Reading.missing(now.real_ns)

        def reading(value: float | None) -> Reading:
            return missing if value is None else Reading.of(value, now.real_ns)

        image = DeviceImage(
            name=self._name,
            kind=self._nameplate.kind,
            power_w=reading(None if power_w is None else 0.0 - power_w),
            setpoint_w=missing,
            stored_wh=missing,
            state_of_charge=reading(None if percent is None or percent > 100 else percent / 100),
            available_w=missing,
            counter=None,
            supply=feeding,
            runtime_s=reading(number(values, "battery.runtime")),
        )
        return Exchanged(image)

    def values(self) -> dict[str, str]:
        """Every variable of the UPS. Raises HardwareError."""
        try:
            return variables(self._ask(f"LIST VAR {self._ups}"), self._ups)
        except (OSError, NutError) as error:
            self.close()
            raise HardwareError(f"{self._host}:{self._port}: {error}") from error

    def close(self) -> None:
        """Close the connection."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _ask(self, command: str) -> list[str]:
        """The lines of one reply: up to the end of a list, or a single one. All of it must come in time."""
        end = time.monotonic() + self._timeout_s
        if self._connection is None:
            self._connection = socket.create_connection((self._host, self._port), self._timeout_s)
        self._connection.sendall(f"{command}\n".encode("ascii"))
        data = b""
        while True:
            self._connection.settimeout(max(0.001, end - time.monotonic()))
            part = self._connection.recv(4096)
            data += part
            if not part or len(data) > LONGEST_REPLY:
                raise NutError(f"{self._ups}: the connection was closed, or the reply has no end")
            lines = data.decode("utf-8", "replace").split("\n")
            if data.endswith(b"\n") and (not lines[0].startswith("BEGIN") or lines[-2].startswith("END")):
                return lines[:-1]
