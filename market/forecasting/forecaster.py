"""What every forecaster is: it is shown one value per interval, in order, and tells quantiles of those to come.

Values are floats in any one unit (an energy, a price, a share); nothing here is agreed between nodes. A season is a
day: `season` is the number of intervals in it, and the time of day of an interval is its index modulo the season,
because interval indices count from midnight UTC of 1 January 1970. Not-a-number is a missing value.
"""

from typing import Protocol

import numpy as np
import numpy.typing as npt

LEVELS = (0.1, 0.25, 0.5, 0.75, 0.9)
"""The quantile levels that every forecast has, ascending; the middle one is the median."""
MEDIAN = LEVELS.index(0.5)
DAYS_KEPT = 60
"""Days of history that a forecaster remembers: enough for eight of each weekday, 46 kB at quarter hours."""

FloatArray = npt.NDArray[np.float64]


class Forecaster(Protocol):
    """Learns a series online. The same values in the same order give the same forecasts, for ever."""

    def observe(self, value: float) -> None:
        """Take the value of the next interval; not-a-number when it is missing."""
        ...

    def forecast(self, horizon: int) -> FloatArray:
        """Quantiles of the next `horizon` intervals: shape (horizon, len(LEVELS)), ascending along each row.

        Before the first value everything is zero.
        """
        ...


class History:
    """The last `DAYS_KEPT` days of a series, with every missing value replaced by that of the day before."""

    def __init__(self, season: int, first_interval: int) -> None:
        """A series whose first value belongs to the interval of index `first_interval`."""
        if season < 1:
            raise ValueError(f"a day has at least one interval, not {season}")
        self.season = season
        self.next_interval = first_interval
        self._buffer = np.zeros(2 * DAYS_KEPT * season)
        self._end = 0

    @property
    def values(self) -> FloatArray:
        """The values, oldest first; the last belongs to the interval before `next_interval`. Do not write to it."""
        return self._buffer[max(0, self._end - DAYS_KEPT * self.season) : self._end]

    def __len__(self) -> int:
        return min(self._end, DAYS_KEPT * self.season)

    def append(self, value: float) -> None:
        """Take the next value."""
        if not np.isfinite(value):
            value = self._substitute()
        if self._end == len(self._buffer):
            kept = self.values
            self._buffer[: len(kept)] = kept
            self._end = len(kept)
        self._buffer[self._end] = value
        self._end += 1
        self.next_interval += 1

    def days(self, most: int) -> FloatArray:
        """Up to `most` whole days that end now, shape (days, season), newest last.

        Column 0 is the time of day of `next_interval`.
        """
        count = min(most, len(self) // self.season)
        return self.values[len(self) - count * self.season :].reshape(count, self.season)

    def _substitute(self) -> float:
        known = self.values
        if len(known) >= self.season:
            return float(known[-self.season])
        return float(known[-1]) if len(known) else 0.0


def nearby(columns: FloatArray, reach: int) -> FloatArray:
    """For each time of day the values within `reach` intervals of it, day by day.

    `columns` has shape (days, season); the result (days * (2 * reach + 1), season). Neighbours wrap round the day.
    """
    shifts = range(-reach, reach + 1)
    return np.concatenate([np.roll(columns, shift, axis=1) for shift in shifts])


def repeat_to(day: FloatArray, horizon: int) -> FloatArray:
    """The rows of one day, repeated until there are `horizon` of them."""
    return day[np.arange(horizon) % len(day)]
