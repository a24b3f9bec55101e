"""Shell: a smart meter that sends a telegram every second or every ten, as a load that takes no orders.

A telegram counts only whole and with its checksum; while none comes, the last one holds for `report_s` and no
longer. W, injection positive.
"""

import time
from dataclasses import dataclass
from pathlib import Path

from devices.cell_clock import Instant
from devices.drivers.hardware import Exchanged, HardwareError, Order
from devices.dsmr.stream import Stream
from devices.dsmr.telegram import TelegramError, cut, power_w, read
from devices.image import DerKind, DeviceImage, Reading

NS_PER_S = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Source:
    """Where a meter's telegrams come from: a gateway's host and port, or the path of a serial port."""

    host: str
    port: int
    timeout_s: float
    serial: str | None = None

    def __str__(self) -> str:
        return self.serial or f"{self.host}:{self.port}"

    def open(self) -> Stream:
        """Connect. Raises OSError."""
        if self.serial is not None:
            return Stream.open_serial(Path(self.serial))
        return Stream.connect(self.host, self.port, self.timeout_s)


class SmartMeter:
    """One meter as `devices.drivers.hardware.Hardware`."""

    def __init__(self, name: str, source: Source, report_s: float) -> None:
        self._name = name
        self._source = source
        self._report_s = report_s
        self._stream: Stream | None = None
        self._rest = b""
        self._around = 0
        self._latest: tuple[float, int] | None = None
        self._wrong = ""

    def exchange(self, order: Order | None, now: Instant) -> Exchanged:
        """Take what has come. Raises HardwareError when the source is gone."""
        if self._stream is None:
            # What comes from now on is as old as this look, later on as old as the one before it.
            self._around = now.real_ns
            self._latest, self._rest, self._wrong = None, b"", ""
        try:
            if self._stream is None:
                self._stream = self._source.open()
            telegram, self._rest = cut(self._rest + self._stream.arrived())
        except OSError as error:
            self.close()
            raise HardwareError(f"{self._source}: {error}") from error
        if telegram is not None:
            self._take(telegram)
        self._around = now.real_ns
        passing = self._reading(now)
        if passing.value is None and self._wrong:
            self.close()
            raise HardwareError(f"{self._source}: {self._wrong}")
        missing = Reading.missing(now.real_ns)
        return Exchanged(
            DeviceImage(self._name, DerKind.LOAD, passing, missing, missing, missing, missing, None)
        )

    def close(self) -> None:
        """Close the connection."""
        if self._stream is not None:
            self._stream.close()
            self._stream = None

    def _take(self, telegram: bytes) -> None:
        """Keep what a sound telegram says; one that is not changes nothing but the reason for a silence."""
        try:
            self._latest, self._wrong = (power_w(read(telegram)), self._around), ""
        except TelegramError as error:
            self._wrong = str(error)

    def _reading(self, now: Instant) -> Reading:
        if self._latest is None:
            return Reading.missing(now.real_ns)
        passing_w, around_ns = self._latest
        if now.real_ns - around_ns > self._report_s * NS_PER_S:
            return Reading.missing(now.real_ns)
        return Reading.of(passing_w, now.real_ns)


def every_value(source: Source, report_s: float) -> dict[str, str]:
    """Every value of the first sound telegram. Raises HardwareError when none comes within twice `report_s`."""
    end = time.monotonic() + 2 * report_s
    data, wrong = b"", "no telegram came"
    try:
        stream = source.open()
        try:
            while time.monotonic() < end:
                telegram, data = cut(data + stream.arrived(max(0.0, end - time.monotonic())))
                if telegram is not None:
                    try:
                        return read(telegram)
                    except TelegramError as error:
                        wrong = str(error)
        finally:
            stream.close()
    except OSError as error:
        raise HardwareError(f"{source}: {error}") from error
    raise HardwareError(f"{source}: {wrong}")
