"""The record of one control cycle: what went in, what was decided, what the devices then said; and its
replay.
"""

from dataclasses import dataclass

from devices.cell_clock import Instant
from devices.dispatch.dispatch import Decision, DispatchInput, dispatch
from devices.dispatch.flexible_loads import FlexibleInput, permit
from devices.power.allocation import Setpoint


@dataclass(frozen=True, slots=True)
class ReadBack:
    """What a device showed, one cycle after it was told: setpoint and power in W, None where not known."""

    name: str
    told_w: float
    setpoint_w: float | None
    power_w: float | None


@dataclass(frozen=True, slots=True)
class CycleRecord:
    """One cycle. `read_back` concerns the decision of the cycle before, as it showed in this cycle's image.

    `flexible` are the flexible loads as they were seen and `permitted` what each may draw; `asleep`: what the
    hub lowers that to, for peripherals in standby. With
    devices/json_codec.py it goes to a file and comes back equal.
    """

    time: Instant
    inputs: DispatchInput
    decision: Decision
    read_back: tuple[ReadBack, ...]
    settled: bool
    flexible: tuple[FlexibleInput, ...] = ()
    permitted: tuple[Setpoint, ...] = ()
    asleep: tuple[Setpoint, ...] = ()


def replays(record: CycleRecord) -> bool:
    """Whether deciding again from the recorded inputs gives the recorded decision and permissions."""
    decision = dispatch(record.inputs)
    permitted = permit(record.flexible, record.inputs, decision)
    return decision == record.decision and permitted == record.permitted
