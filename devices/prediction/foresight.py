"""A node's readings on a grid of cell time, and the probability of trouble that follows from them. A core.

A reading is the mean of what was known over its step; where less than half of the looks knew the value there is none.
Memory is bounded, and a row of features is made once per reading, which is a second of real time or more.
"""

import numpy as np

from devices.prediction.experience import Predictor, Shape, newest_row
from devices.prediction.trouble import Floats

NS_PER_S = 1_000_000_000
MOST_READINGS = 20_160
"""Two weeks of minutes, or five and a half hours of seconds: what is remembered and learned from."""


class Foresight:
    """Call `take` with every look at the value; `probability` then says how likely trouble is, None if unknown."""

    def __init__(self, shape: Shape, predictor: Predictor) -> None:
        self._shape = shape
        self.predictor = predictor
        self.probability: float | None = None
        self._ring = np.full(2 * MOST_READINGS, np.nan)
        self._size = 0
        self._step: int | None = None
        self._sum, self._known, self._looks = 0.0, 0, 0

    @property
    def readings(self) -> Floats:
        """Everything remembered, oldest first; a view, to be copied by who keeps it."""
        return self._ring[max(0, self._size - MOST_READINGS) : self._size]

    @property
    def first(self) -> int:
        """The step of the oldest reading, since the epoch of cell time."""
        return 0 if self._step is None else self._step - self.readings.size

    def remember(self, readings: Floats, first: int) -> None:
        """Take up a record from before a restart; what lies between its end and now will be unknown."""
        kept = readings[-MOST_READINGS:]
        self._ring[: kept.size] = kept
        self._size = kept.size
        self._step = first + readings.size

    def take(self, value: float | None, cell_ns: int) -> bool:
        """One look at the value; True when it completed a reading."""
        step = cell_ns // (self._shape.every_s * NS_PER_S)
        completed = self._step is not None and step > self._step
        if self._step is None or step < self._step - MOST_READINGS:
            # Nothing yet, or a clock that was set back by more than is remembered.
            self._size, self._step = 0, step
        if completed:
            self._complete(step)
        self._looks += 1
        if value is not None:
            self._sum += value
            self._known += 1
        return completed

    def _complete(self, step: int) -> None:
        assert self._step is not None
        known = 2 * self._known > self._looks
        passed = np.full(min(step - self._step, MOST_READINGS), np.nan)
        passed[0] = self._sum / self._known if known else np.nan
        self._append(passed)
        self._sum, self._known, self._looks = 0.0, 0, 0
        self._step = step
        self.probability = self._foreseen()

    def _append(self, values: Floats) -> None:
        """Add at most as many as are remembered; what is oldest makes room, half of the ring at a time."""
        if self._size + values.size > self._ring.size:
            kept = self._ring[self._size - MOST_READINGS : self._size].copy()
            self._ring[: kept.size] = kept
            self._size = kept.size
        self._ring[self._size : self._size + values.size] = values
        self._size += values.size

    def _foreseen(self) -> float | None:
        """Of the newest reading. One that is out of its band is trouble, whatever came before it."""
        newest = self.readings[-1:]
        if np.isnan(newest[0]):
            return None
        if self._shape.band.outside(newest)[0]:
            return 1.0
        tail = self.readings[-self._shape.reach :]
        if tail.size <= self._shape.band.spans[-1]:
            return self._at_least_the_value(newest)
        assert self._step is not None
        row = newest_row(tail, self._step - tail.size, self._shape)
        return self.predictor.probability(row) if np.isfinite(row).all() else self._at_least_the_value(newest)

    def _at_least_the_value(self, newest: Floats) -> float | None:
        """While the memory has gaps the model is blind; a threshold needs the value alone, but never says rest."""
        band = self._shape.band
        away = (newest - band.middle) / band.half
        way_out = np.abs(away) if band.two_sided else away
        return None if way_out[0] < self.predictor.threshold.bound else float(self.predictor.threshold.above)
