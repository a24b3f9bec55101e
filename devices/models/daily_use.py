"""What people use through a day, as steps: the same every day, so that a simulation needs no random number.

Hours are of the UTC day in cell time; power in W, at least 0.
"""

from dataclasses import dataclass

NS_PER_HOUR = 3_600_000_000_000
HOURS_PER_DAY = 24


def hour_of_day(cell_ns: int) -> float:
    """The hour of the UTC day, 0 to just below 24."""
    return (cell_ns // 1_000 % (HOURS_PER_DAY * NS_PER_HOUR // 1_000)) / (NS_PER_HOUR // 1_000)


def within(hour: float, begins_h: float, ends_h: float) -> bool:
    """Whether a span of the day, which may pass midnight, contains an hour; equal ends contain all day."""
    if begins_h < ends_h:
        return begins_h <= hour < ends_h
    return hour >= begins_h or hour < ends_h


def hours_until(hour: float, target_h: float) -> float:
    """Hours from one hour of the day to the next time it is `target_h`, above 0 and at most 24."""
    return (target_h - hour) % HOURS_PER_DAY or float(HOURS_PER_DAY)


@dataclass(frozen=True, slots=True)
class DailyUse:
    """A power all day, and spans (from hour, to hour, W) that add to it; a span may pass midnight."""

    always_w: float = 0.0
    spans: tuple[tuple[float, float, float], ...] = ()

    @property
    def most_w(self) -> float:
        """No moment of the day needs more."""
        return max(self.at_hour(hour) for hour in (0.0, *(begins for begins, _, _ in self.spans)))

    def at(self, cell_ns: int) -> float:
        """The power used at a moment of cell time."""
        return self.at_hour(hour_of_day(cell_ns))

    def at_hour(self, hour: float) -> float:
        """The power used at an hour of the day."""
        return self.always_w + sum(used for begins, ends, used in self.spans if within(hour, begins, ends))
