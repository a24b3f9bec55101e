"""Shell: a meter on Modbus TCP by its SunSpec model, as a load that takes no orders. W, injection positive.

Models 201 to 204 say which power there is and not which way: that is how the meter was wired, so the owner says it.
"""

from devices.cell_clock import Instant
from devices.drivers.hardware import Exchanged, HardwareError, Order
from devices.image import DerKind, DeviceImage, Reading
from devices.modbus.link import ModbusLink
from devices.sunspec.definitions import needed
from devices.sunspec.link import discover, read_block
from devices.sunspec.points import UnfitValueError

METERS = (203, 204, 202, 201)
"""Three phases as a star and as a triangle, split phase, one phase; the first that a meter has is read."""


class SunSpecMeter:
    """One meter as `devices.drivers.hardware.Hardware`; `drawn_positive`: its power is positive while it is drawn."""

    def __init__(self, name: str, link: ModbusLink, drawn_positive: bool) -> None:
        self._name = name
        self._link = link
        self._sign = -1.0 if drawn_positive else 1.0
        self._found: tuple[int, tuple[int, int]] | None = None

    def exchange(self, order: Order | None, now: Instant) -> Exchanged:
        """Read the power. Raises HardwareError."""
        if not self._link.connected or self._found is None:
            self._found = self._meet()
        number, place = self._found
        block = read_block(self._link, needed(number), place)
        try:
            power_w = block.number("W")
        except UnfitValueError as error:
            raise HardwareError(f"{self._link.place}: {error}") from error
        missing = Reading.missing(now.real_ns)
        shown = missing if power_w is None else Reading.of(0.0 + self._sign * power_w, now.real_ns)
        return Exchanged(
            DeviceImage(self._name, DerKind.LOAD, shown, missing, missing, missing, missing, None)
        )

    def close(self) -> None:
        """Close the connection."""
        self._link.close()

    def _meet(self) -> tuple[int, tuple[int, int]]:
        places = discover(self._link)
        for number in METERS:
            if number in places:
                return number, places[number]
        raise HardwareError(f"{self._link.place}: no model of {METERS}: it is no meter")
