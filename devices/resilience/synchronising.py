"""Resynchronisation: closing the breaker between an island and the public grid only when both sides agree.

Hz, per unit of nominal voltage, degrees. Real time in ns.
"""

from dataclasses import dataclass

from devices.resilience.islanding import NS_PER_S


@dataclass(frozen=True, slots=True)
class SyncLimits:
    """The largest differences to close at, and how long they must hold: IEEE 1547-2018, 4.10.4, Table 5, the
    strictest row (above 1.5 MVA), which holds for a whole cell.
    """

    frequency_hz: float = 0.1
    voltage_pu: float = 0.03
    angle_degrees: float = 10.0
    hold_s: float = 1.0


@dataclass(frozen=True, slots=True)
class TwoSides:
    """What a synchroscope sees, island minus grid; None where it is not known. Angles from -180 to 180."""

    frequency_hz: float | None
    voltage_pu: float | None
    angle_degrees: float | None


@dataclass(frozen=True, slots=True)
class Synchroniser:
    """Since when both sides have agreed."""

    agreed_since_ns: int | None = None

    def step(self, sides: TwoSides, limits: SyncLimits, now_ns: int) -> "Synchroniser":
        """The synchroniser after one reading; one that is missing or out of limits starts the time anew."""
        if not _agree(sides, limits):
            return Synchroniser(None)
        return Synchroniser(now_ns if self.agreed_since_ns is None else self.agreed_since_ns)

    def may_close(self, limits: SyncLimits, now_ns: int) -> bool:
        """Whether the breaker may close now."""
        return self.agreed_since_ns is not None and now_ns - self.agreed_since_ns >= limits.hold_s * NS_PER_S


def _agree(sides: TwoSides, limits: SyncLimits) -> bool:
    if sides.frequency_hz is None or sides.voltage_pu is None or sides.angle_degrees is None:
        return False
    return (
        abs(sides.frequency_hz) <= limits.frequency_hz
        and abs(sides.voltage_pu) <= limits.voltage_pu
        and abs(sides.angle_degrees) <= limits.angle_degrees
    )


def steered_hz(sides: TwoSides, public_hz: float, slip_hz: float = 0.05) -> float:
    """The frequency that the former should hold: a little beside the grid's, so that the angle drifts to zero.

    Slower while the island is ahead, faster while it is behind, and the grid's own once the angle is right.
    """
    if sides.angle_degrees is None:
        return public_hz + slip_hz
    closeness = min(1.0, abs(sides.angle_degrees) / 30.0)
    return public_hz - slip_hz * closeness * (1 if sides.angle_degrees > 0 else -1)
