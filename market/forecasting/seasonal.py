"""The two forecasters without parameters: seasonal-naive, which is the baseline, and the climate of the last weeks.

Sources: Hyndman and Athanasopoulos, Forecasting: Principles and Practice (3rd edition), sections 5.2 (seasonal naive)
and 5.5 (prediction intervals from past residuals); climatology as reference forecast as in Gneiting and Katzfuss,
Probabilistic Forecasting (2014).
"""

import numpy as np

from market.forecasting.forecaster import LEVELS, FloatArray, History, nearby, repeat_to

DAYS = 14
"""Days whose differences and values make the quantiles: recent enough for the season, two of each weekday."""


class SeasonalNaive:
    """Yesterday's value at the same time, and around it what such a guess missed by on the last days.

    The differences between successive days within `reach` intervals of the time of day give the quantiles. `least`,
    where there is one, is the least value that the series can have (0 for a load).
    """

    def __init__(self, season: int, first_interval: int, least: float | None = None) -> None:
        self._history = History(season, first_interval)
        self._reach = _reach(season)
        self._least = least

    def observe(self, value: float) -> None:
        """Take the value of the next interval."""
        self._history.append(value)

    def forecast(self, horizon: int) -> FloatArray:
        """Quantiles of the next intervals; beyond a day the first day is repeated."""
        days = self._history.days(DAYS + 1)
        if not len(days):
            return _flat(self._history, horizon)
        day = np.repeat(days[-1][:, np.newaxis], len(LEVELS), axis=1)
        if len(days) > 1:
            missed = nearby(np.diff(days, axis=0), self._reach)
            # Both ways round: that yesterday was above the day before says nothing of today.
            day = day + np.quantile(np.concatenate([missed, -missed]), LEVELS, axis=0).T
        return bounded(repeat_to(day, horizon), self._least)


class Climate:
    """The quantiles of what the last days had within `reach` intervals of the time of day."""

    def __init__(self, season: int, first_interval: int, least: float | None = None) -> None:
        self._history = History(season, first_interval)
        self._reach = _reach(season)
        self._least = least

    def observe(self, value: float) -> None:
        """Take the value of the next interval."""
        self._history.append(value)

    def forecast(self, horizon: int) -> FloatArray:
        """Quantiles of the next intervals, the same every day."""
        days = self._history.days(DAYS)
        if not len(days):
            return _flat(self._history, horizon)
        day = np.quantile(nearby(days, self._reach), LEVELS, axis=0).T
        return bounded(repeat_to(day, horizon), self._least)


def bounded(quantiles: FloatArray, least: float | None) -> FloatArray:
    """The quantiles in ascending order along each row, and none below `least`."""
    ascending = np.sort(quantiles, axis=1)
    return ascending if least is None else np.maximum(ascending, least)


def _flat(history: History, horizon: int) -> FloatArray:
    """Before a whole day is known: the latest value, without spread."""
    latest = float(history.values[-1]) if len(history) else 0.0
    return np.full((horizon, len(LEVELS)), latest)


def _reach(season: int) -> int:
    """Neighbours within half an hour, where intervals are that short."""
    return season // 48
