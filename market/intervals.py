"""Delivery intervals and their gates, in cell time (unix ns) and integers only.

Interval `i` is the half-open span [i x interval, (i + 1) x interval) of cell time. Its gate closes one gate
lead before it starts, and what was agreed for it must be decided before it starts.
"""

from dataclasses import dataclass

from market.units import NS_PER_S

__all__ = ["NS_PER_S", "Calendar"]


@dataclass(frozen=True, slots=True)
class Calendar:
    """Conversion between cell time and interval indices.

    `interval_s` is the length of an interval and `gate_lead_ns` the time between gate closure and its start,
    both in cell time. The lead is at most one interval, so that at the gate of interval `i` the interval `i -
    2` is over.

    Raises ValueError when the length is not positive or the lead is outside 0..one interval.
    """

    interval_s: int
    gate_lead_ns: int

    def __post_init__(self) -> None:
        if self.interval_s <= 0:
            raise ValueError(f"interval_s must be positive, not {self.interval_s}")
        if not 0 <= self.gate_lead_ns <= self.interval_ns:
            raise ValueError(f"gate_lead_ns must be within one interval, not {self.gate_lead_ns}")

    @property
    def interval_ns(self) -> int:
        """Length of an interval in ns of cell time."""
        return self.interval_s * NS_PER_S

    def index_of(self, time_ns: int) -> int:
        """Index of the interval that contains the cell time `time_ns`."""
        return time_ns // self.interval_ns

    def start_ns(self, interval: int) -> int:
        """First ns of cell time of the interval."""
        return interval * self.interval_ns

    def end_ns(self, interval: int) -> int:
        """First ns of cell time after the interval."""
        return (interval + 1) * self.interval_ns

    def gate_closure_ns(self, interval: int) -> int:
        """Cell time after which no order for the interval counts."""
        return self.start_ns(interval) - self.gate_lead_ns

    def trading_deadline_ns(self, interval: int) -> int:
        """Cell time from which a block proposed for the interval no longer trades it: a quarter of the lead
        before the dispatch deadline, so that a block that trades has time to be decided.
        """
        return self.start_ns(interval) - self.gate_lead_ns // 4

    def dispatch_deadline_ns(self, interval: int) -> int:
        """Cell time by which the block that trades the interval must be decided."""
        return self.start_ns(interval)

    def next_gate(self, time_ns: int) -> int:
        """First interval whose gate is still open at `time_ns` (a gate closes at its own instant)."""
        return (time_ns + self.gate_lead_ns) // self.interval_ns + 1
