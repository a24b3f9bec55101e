"""What a real device is to its driver's thread: one exchange at a time, in which it is told and asked.

W, injection positive.
"""

from dataclasses import dataclass
from typing import Protocol

from devices.cell_clock import Instant
from devices.errors import DeviceError
from devices.image import DeviceImage


class HardwareError(DeviceError):
    """The device or the way to it: it did not answer, or not as it should; names the device and what it did."""


class RequestRefusedError(HardwareError):
    """The device answered that it will not."""


@dataclass(frozen=True, slots=True)
class Order:
    """What a device shall do: `power_w` for `lasts_s`, and then by itself `reversion_w`; for ever where it is None."""

    power_w: float
    reversion_w: float
    lasts_s: float | None


@dataclass(frozen=True, slots=True)
class Exchanged:
    """What the device then said; its image has no counter. `refused`: why it did not take the order, or empty."""

    image: DeviceImage
    refused: str = ""


class Hardware(Protocol):
    """A real device; its methods wait for answers, and are called by one thread."""

    def exchange(self, order: Order | None, now: Instant) -> Exchanged:
        """Give the order, if there is one, and read everything. Raises HardwareError when it cannot be reached or
        cannot be believed.
        """
        ...

    def close(self) -> None:
        """Let go of the connection."""
        ...
