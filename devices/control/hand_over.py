"""What one control process hands to its successor, so that the devices change hands within an interval. No I/O.

Leases travel as the messages by which the daemon gave them: they keep their ends, which are on the machine's clock, and
the successor judges them again. Metered energy is whole mWh and a rest in picojoules; injection positive.
"""

from dataclasses import dataclass
from typing import Final

from devices.control.control_state import SavedState

TAKE_OVER: Final = "--take-over"
"""The option of a control process that is to take the devices over from the one that holds them."""


@dataclass(frozen=True, slots=True)
class RegisterPair:
    """Two registers in the running interval: what they rose by, mWh and pJ, and pJ of the mWh in which it began."""

    given_mwh: int
    given_pj: int
    given_before_pj: int
    taken_mwh: int
    taken_pj: int
    taken_before_pj: int


@dataclass(frozen=True, slots=True)
class RunningDevice:
    """One device's registers, and its power when it was measured last, W; None where that was not known."""

    name: str
    registers: RegisterPair
    power_w: float | None


@dataclass(frozen=True, slots=True)
class RunningMeter:
    """The meter within an interval, at `cell_ns`."""

    cell_ns: int
    complete: bool
    connection: RegisterPair
    devices: tuple[RunningDevice, ...]


@dataclass(frozen=True, slots=True)
class HandOver:
    """All that is not a lease; `real_ns` is when devices were commanded last."""

    state: SavedState
    meter: RunningMeter
    real_ns: int
