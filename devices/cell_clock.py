"""Cell time as a pure function of wall time, and an instant on both clocks that matter to control.

Cell time = epoch + (wall - start) x speed, in unix nanoseconds. It drives intervals, profiles and physics.
Real time is the machine's monotonic clock in nanoseconds, the same for all its processes. It drives the
control loop and leases.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Instant:
    """One moment on both clocks: `real_ns` (monotonic; leases) and `cell_ns` (physics and intervals)."""

    real_ns: int
    cell_ns: int

    def no_earlier_than(self, seen: "Instant") -> "Instant":
        """This instant, neither clock before what it showed at `seen`."""
        return Instant(max(self.real_ns, seen.real_ns), max(self.cell_ns, seen.cell_ns))

    def until(self, later: "Instant", real_ns: int) -> "Instant":
        """The instant between this one and `later` at which the real clock shows `real_ns`, linearly."""
        span = later.real_ns - self.real_ns
        if span <= 0 or real_ns >= later.real_ns:
            return later
        elapsed = max(0, real_ns - self.real_ns)
        return Instant(
            self.real_ns + elapsed, self.cell_ns + (later.cell_ns - self.cell_ns) * elapsed // span
        )

    def at_cell(self, later: "Instant", cell_ns: int) -> "Instant":
        """The instant between this one and `later` at which the cell clock shows `cell_ns`, linearly."""
        span = later.cell_ns - self.cell_ns
        if span <= 0 or cell_ns >= later.cell_ns:
            return later
        elapsed = max(0, cell_ns - self.cell_ns)
        return Instant(
            self.real_ns + (later.real_ns - self.real_ns) * elapsed // span, self.cell_ns + elapsed
        )


@dataclass(frozen=True, slots=True)
class ClockSpec:
    """How a cell clock runs: at wall time `start_wall_ns` it shows `epoch_ns`, then `speed` times faster."""

    start_wall_ns: int
    epoch_ns: int
    speed: float

    def cell_ns(self, wall_ns: int) -> int:
        """Cell time at a wall time; exact in integers, so it never runs backwards by rounding."""
        numerator, denominator = self.speed.as_integer_ratio()
        return self.epoch_ns + (wall_ns - self.start_wall_ns) * numerator // denominator

    def wall_ns(self, cell_ns: int) -> int:
        """The earliest wall time at which the cell clock shows at least `cell_ns`."""
        numerator, denominator = self.speed.as_integer_ratio()
        return self.start_wall_ns - (self.epoch_ns - cell_ns) * denominator // numerator
