"""What the site drew before a change of it was asked for. Sans-IO.

A change is relative, so it needs something to be relative to: what the meter counted just before it began, the "meter
before / meter after" evaluation of the NAESB demand response standards (WEQ-015). Power is W that the site draws, net:
negative where it gives.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from devices.openadr.timeline import Matter, Timeline
from market.units import MWH_PER_WH, NS_PER_S, S_PER_HOUR

MOST_KEPT: Final = 500
"""Intervals of the meter: a change that goes on for longer has nothing any more that it could be relative to."""
OLDEST: Final = 2
"""The last whole interval before a change ended at most so many of its lengths before it."""

Row = tuple[int, int, float]
"""Start and end of an interval of the meter (cell time, ns), and what was drawn in it, W."""


@dataclass(slots=True)
class Baseline:
    """The last intervals of the own meter."""

    _rows: dict[int, Row] = field(default_factory=dict)

    def count(self, start_ns: int, end_ns: int, drawn: int) -> None:
        """An interval was metered: mWh drawn less mWh given."""
        self._keep((start_ns, end_ns, drawn / energy_of(1.0, start_ns, end_ns)))

    def before_less(self, timeline: Timeline, now_ns: int) -> float | None:
        """Where less is asked for now, what was drawn before changes began; None without, or where nobody knows."""
        change, began_ns = timeline.at(Matter.CHANGE, now_ns), timeline.began(Matter.CHANGE, now_ns)
        if change is None or change.value >= 0 or began_ns is None:
            return None
        ended = [row for row in self._rows.values() if row[1] <= began_ns]
        start_ns, end_ns, drawn_w = max(ended, default=(0, 0, 0.0))
        return drawn_w if 0 <= began_ns - end_ns <= OLDEST * (end_ns - start_ns) and ended else None

    @property
    def rows(self) -> list[Row]:
        """What is known, oldest first, to be kept on disk."""
        return sorted(self._rows.values())

    def recall(self, rows: Iterable[Row]) -> None:
        """What was kept. Raises ValueError and TypeError when it is something else."""
        for start_ns, end_ns, drawn_w in rows:
            self._keep((int(start_ns), int(end_ns), float(drawn_w)))

    def _keep(self, row: Row) -> None:
        self._rows[row[0]] = row
        while len(self._rows) > MOST_KEPT:
            del self._rows[min(self._rows)]


def energy_of(power_w: float, start_ns: int, end_ns: int) -> float:
    """The energy of a mean power over an interval, mWh."""
    return power_w * MWH_PER_WH * (end_ns - start_ns) / NS_PER_S / S_PER_HOUR
