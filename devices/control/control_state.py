"""What a control process keeps over a restart.

It is saved at interval ends and when the mode changes, so after a power loss a simulated battery resumes with
what it held at the end of the last full interval, which is only roughly what it holds.
"""

from dataclasses import dataclass

from devices.dispatch.circuit_guard import HeldTrip
from devices.health.monitor import History
from devices.image import ProcessImage
from devices.limits import PowerRange
from devices.messages.control_messages import MeterRecord, Mode


@dataclass(frozen=True, slots=True)
class StoredEnergy:
    """What a simulated battery holds, in Wh."""

    name: str
    stored_wh: float


@dataclass(frozen=True, slots=True)
class SavedState:
    """The mode, the limits that hold until new ones come, the batteries, the records not yet acknowledged, the
    circuits that stay off, and how healthy the stores have been.
    """

    mode: Mode
    limits: PowerRange | None
    stored: tuple[StoredEnergy, ...]
    records: tuple[MeterRecord, ...]
    cell_ns: int
    trips: tuple[HeldTrip, ...] = ()
    health: tuple[History, ...] = ()


FRESH = SavedState(Mode.GRID_SUPPORT, None, (), (), 0)
"""The state of a control process that never ran before."""


def stored_energies(image: ProcessImage) -> tuple[StoredEnergy, ...]:
    """Of every device whose stored energy is known."""
    return tuple(
        StoredEnergy(device.name, device.stored_wh.value)
        for device in image.devices
        if device.stored_wh.value is not None
    )
