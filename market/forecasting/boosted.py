"""Gradient-boosted quantile regression on top of the climate: one small ensemble of trees per level.

Source: Friedman, Greedy function approximation: a gradient boosting machine (2001), with the pinball loss of Koenker
and Bassett (1978); the trees are scikit-learn's `HistGradientBoostingRegressor`, which is imported when first fitted.
"""

from typing import TYPE_CHECKING

import numpy as np

from market.forecasting.features import DAYS_NEEDED, rows
from market.forecasting.forecaster import LEVELS, FloatArray, History, repeat_to
from market.forecasting.seasonal import Climate, bounded

if TYPE_CHECKING:
    from sklearn.ensemble import HistGradientBoostingRegressor

DAYS_BEFORE = DAYS_NEEDED + 2
"""Days before the first fit: fewer leave nothing to compare with."""
DAYS_BETWEEN_FITS = 7
ORIGINS_PER_DAY = 6
MOST_ROWS = 4_000
"""Rows of a fit, evenly taken from the history: a fit of all levels stays near a second on a small machine."""


class Boosted:
    """Corrects each quantile of the climate by what lags, trend and calendar say; fitted anew every week."""

    def __init__(self, season: int, first_interval: int, least: float | None = None) -> None:
        self._season = season
        self._least = least
        self._history = History(season, first_interval)
        self._climate = Climate(season, first_interval, least)
        self._models: list[HistGradientBoostingRegressor] = []
        self._next_fit = DAYS_BEFORE * season
        self._seen = 0
        self._scale = 1.0

    def observe(self, value: float) -> None:
        """Take the value of the next interval; every `DAYS_BETWEEN_FITS` days the trees are grown anew."""
        self._history.append(value)
        self._climate.observe(value)
        self._seen += 1
        if self._seen >= self._next_fit:
            self._next_fit = self._seen + DAYS_BETWEEN_FITS * self._season
            self._fit()

    def forecast(self, horizon: int) -> FloatArray:
        """Quantiles of the next intervals; beyond a day the first day is repeated."""
        if not self._models:
            return self._climate.forecast(horizon)
        from threadpoolctl import threadpool_limits

        values, season = self._history.values, self._season
        features = rows(values, self._history.next_interval - len(values), season, len(values), season)
        with threadpool_limits(1):
            corrections = np.column_stack([model.predict(features / self._scale) for model in self._models])
        day = features[:, : len(LEVELS)] + self._scale * corrections
        return bounded(repeat_to(day, horizon), self._least)

    def _fit(self) -> None:
        from sklearn.ensemble import HistGradientBoostingRegressor
        from threadpoolctl import threadpool_limits

        values, season = self._history.values, self._season
        first = self._history.next_interval - len(values)
        origins = range(len(values) - season, DAYS_NEEDED * season - 1, -max(1, season // ORIGINS_PER_DAY))
        every = max(1, len(origins) * season // MOST_ROWS)
        known = [
            (rows(values, first, season, origin, season), values[origin : origin + season])
            for origin in origins
        ]
        features = np.concatenate([each for each, _ in known])[::every]
        targets = np.concatenate([each for _, each in known])[::every]
        self._scale = float(targets.std()) or 1.0
        # So few rows gain nothing from more threads, and on a busy machine they wait for each other.
        with threadpool_limits(1):
            self._models = [
                HistGradientBoostingRegressor(
                    loss="quantile",
                    quantile=level,
                    max_iter=40,
                    learning_rate=0.08,
                    max_leaf_nodes=8,
                    min_samples_leaf=60,
                    early_stopping=False,
                    random_state=0,
                ).fit(features / self._scale, (targets - features[:, column]) / self._scale)
                for column, level in enumerate(LEVELS)
            ]
