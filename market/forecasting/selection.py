"""Which model a member uses: the one that proved best on its own past, and the baseline unless one beats that.

Every candidate forecasts a day ahead a few times a day, before that day is known. When the day is over all are scored
on it (pinball loss). A candidate is used only while its score is below the baseline's. So the choice rests on held-out
data alone, and a model that stops being good stops being used (prequential evaluation: Dawid, 1984).
"""

from collections import deque
from collections.abc import Mapping

import numpy as np

from market.forecasting.boosted import Boosted
from market.forecasting.echo_state import EchoState
from market.forecasting.forecaster import FloatArray, Forecaster
from market.forecasting.scoring import pinball
from market.forecasting.seasonal import Climate, SeasonalNaive

BASELINE = "seasonal-naive"
ORIGINS_PER_DAY = 4
DAYS_BEFORE = 5
"""Days before the first comparison: the baseline's quantiles need some days, too."""
LEAST_ORIGINS = 8
"""Comparisons before anything but the baseline is used: two days of them."""
FORGETTING = 0.99
"""Weight of an older comparison against the next one: the memory is about twenty-five days."""

MARGIN = 0.02
"""A model must have a loss lower by this share than those simpler than it: less is noise of a few days."""


def candidates(season: int, first_interval: int, least: float | None = None) -> dict[str, Forecaster]:
    """One of each model by name, the simplest, the baseline, first; see `SeasonalNaive` for the arguments."""
    return {
        BASELINE: SeasonalNaive(season, first_interval, least),
        "climate": Climate(season, first_interval, least),
        "echo-state": EchoState(season, first_interval, least),
        "boosted": Boosted(season, first_interval, least),
    }


def choose(losses: Mapping[str, float]) -> str:
    """The model of the least loss by name, and the baseline unless one is better than that, by `MARGIN` each time.

    `losses` are in order of complexity. Raises KeyError when the baseline is not among them.
    """
    best, least = BASELINE, losses[BASELINE]
    for name, loss in losses.items():
        if loss < least * (1.0 - MARGIN):
            best, least = name, loss
    return best


class Selected:
    """A forecaster that runs all candidates and speaks with the voice of the one that `choose` names."""

    def __init__(self, season: int, models: Mapping[str, Forecaster]) -> None:
        """`models` by name, the baseline among them, none of which has been shown a value yet."""
        if BASELINE not in models:
            raise ValueError(f"the candidates need the baseline {BASELINE!r}")
        self.models = dict(models)
        self._season = season
        self._open: deque[tuple[int, dict[str, FloatArray]]] = deque()
        self._recent: deque[float] = deque(maxlen=season)
        self._losses = dict.fromkeys(models, 0.0)
        self._compared = 0
        self._seen = 0

    @property
    def choice(self) -> str:
        """The model in use now."""
        return choose(self._losses) if self._compared >= LEAST_ORIGINS else BASELINE

    def observe(self, value: float) -> None:
        """Take the value of the next interval, score what it completes, and now and then keep forecasts to score."""
        for model in self.models.values():
            model.observe(value)
        self._recent.append(value)
        self._seen += 1
        if self._open and self._seen - self._open[0][0] == self._season:
            self._compare(self._open.popleft()[1])
        if (
            self._seen >= DAYS_BEFORE * self._season
            and self._seen % max(1, self._season // ORIGINS_PER_DAY) == 0
        ):
            forecasts = {name: model.forecast(self._season) for name, model in self.models.items()}
            self._open.append((self._seen, forecasts))

    def forecast(self, horizon: int) -> FloatArray:
        """Quantiles of the next intervals, by the model in use."""
        return self.models[self.choice].forecast(horizon)

    def _compare(self, forecasts: Mapping[str, FloatArray]) -> None:
        values = np.array(self._recent)
        known = np.isfinite(values)
        if not known.any():
            return
        for name, quantiles in forecasts.items():
            loss = float(pinball(quantiles[known], values[known]).mean())
            self._losses[name] = FORGETTING * self._losses[name] + loss
        self._compared += 1


def selected(season: int, first_interval: int, least: float | None = None) -> Selected:
    """The forecaster for a series of which nothing is known: all models, chosen among as they prove themselves."""
    return Selected(season, candidates(season, first_interval, least))


def light(season: int, first_interval: int, least: float | None = None) -> Selected:
    """As `selected`, without the boosted trees: none of the others ever pauses for a fit."""
    models = candidates(season, first_interval, least)
    return Selected(season, {name: model for name, model in models.items() if not isinstance(model, Boosted)})
