"""What a learned model knows about an interval to come: the climate of its time of day, lags, and the calendar.

A row speaks of one target interval, seen from one origin (the first interval that is not known yet). Only values
before the origin enter it, so a row of the past is what the model would have known then. Lags and trends are
differences from the climate's median, so that a model that has learned nothing repeats the climate.
"""

import numpy as np

from market.forecasting.forecaster import LEVELS, MEDIAN, FloatArray, nearby

CLIMATE_DAYS = 14
DAYS_NEEDED = 3
"""Whole days that must lie before an origin."""
LAGS = 10
"""Columns after the quantiles of the climate."""


def rows(values: FloatArray, first_interval: int, season: int, origin: int, horizon: int) -> FloatArray:
    """The features of `horizon` intervals from `origin` (a position in `values`) on.

    Shape (horizon, len(LEVELS) + LAGS); the first columns are the climate's quantiles at the target's time of day.
    `values[0]` belongs to the interval `first_interval`. Needs `DAYS_NEEDED` days before the origin.
    """
    ahead = np.arange(horizon)
    place = ahead % season
    count = min(origin // season, CLIMATE_DAYS)
    days = values[origin - count * season : origin].reshape(count, season)
    climate = np.quantile(nearby(days, season // 48), LEVELS, axis=0).T
    usual = climate[:, MEDIAN]
    unusual = days - usual
    targets = origin + ahead
    week = unusual[-7] if count >= 7 else np.zeros(season)
    today = float(unusual[-1].mean())
    spread = climate[:, -1] - climate[:, 0]
    latest = float(unusual[-1, -max(1, season // 24) :].mean())
    fading = np.exp(-ahead * 24 / season / 3)
    index = first_interval + targets
    angle = 2 * np.pi * (index % season) / season
    weekend = ((index // season + 3) % 7 >= 5).astype(float)
    return np.column_stack(
        [
            climate[place],
            unusual[-1][place],
            unusual[-2][place],
            week[place],
            np.full(horizon, today),
            today * spread[place] / (float(spread.mean()) or 1.0),
            latest * fading,
            weekend * spread[place],
            np.sin(angle) * spread[place],
            np.cos(angle) * spread[place],
            ahead / season,
        ]
    )
