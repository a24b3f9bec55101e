"""Rolling-origin evaluation: every model forecasts the coming day from many moments of a series, and is scored.

Source: Tashman, Out-of-sample tests of forecasting accuracy (2000). The origins of a series are split in time: on the
earlier ones `Selected` finds its model, on the later, held-out ones everything is scored. Nothing that is scored was
known to any model at its origin.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from market.forecasting.forecaster import FloatArray, Forecaster
from market.forecasting.scoring import coverage, pinball, skill
from market.forecasting.selection import BASELINE, DAYS_BEFORE, Selected, candidates

SELECTED = "selected"
"""The name under which the choice of `Selected` is scored beside the models."""
LEAST_DAYS = 9
"""Days of the shortest series that can be evaluated: five to learn, two to choose, two to score."""
ORIGINS_PER_DAY = 4
MOST_ORIGINS = 120
"""Scored origins of a long series; they are then spread so that all times of day take their turn."""


@dataclass(frozen=True, slots=True)
class Series:
    """One measured series: `values` from the interval `first_interval` on, `season` of them a day, nan where missing.

    `kind` is what it is ("load", "pv", "price"), `least` the least value it can have, or None.
    """

    source: str
    member: str
    kind: str
    season: int
    first_interval: int
    values: tuple[float, ...]
    least: float | None = None


@dataclass(frozen=True, slots=True)
class SeriesScore:
    """Mean pinball loss and coverage by model over the held-out origins, and the model in use when they began."""

    source: str
    member: str
    kind: str
    origins: int
    loss: Mapping[str, float]
    coverage: Mapping[str, float]
    used: str


@dataclass(frozen=True, slots=True)
class ModelScore:
    """One model over all series of a source and kind.

    `loss` is the mean pinball loss in the unit of the values, `skill` that against the baseline, `better` for how many
    of `series` it beats the baseline, `used` how many use it, `coverage` the share of values in its 80 % interval.
    """

    source: str
    kind: str
    model: str
    loss: float
    skill: float
    coverage: float
    better: int
    used: int
    series: int


def evaluate_series(series: Series, models: Mapping[str, Forecaster] | None = None) -> SeriesScore:
    """The scores of one series. Raises ValueError when it is shorter than `LEAST_DAYS`."""
    season, values = series.season, np.array(series.values)
    if len(values) < LEAST_DAYS * season:
        raise ValueError(
            f"{series.source}, {series.member}: {len(values) // season} days of {series.kind};"
            f" an evaluation needs at least {LEAST_DAYS}"
        )
    if models is None:
        models = candidates(season, series.first_interval, series.least)
    chooser = Selected(season, models)
    origins = held_out_origins(len(values), season)
    forecasts: dict[str, list[FloatArray]] = {name: [] for name in (*models, SELECTED)}
    used = BASELINE
    for position, value in enumerate(values):
        if position == origins[0]:
            used = chooser.choice
        if position in origins:
            for name, model in models.items():
                forecasts[name].append(model.forecast(season))
            forecasts[SELECTED].append(forecasts[chooser.choice][-1])
        chooser.observe(float(value))
    truth = np.concatenate([values[origin : origin + season] for origin in origins])
    told = {name: np.concatenate(days) for name, days in forecasts.items()}
    return SeriesScore(
        source=series.source,
        member=series.member,
        kind=series.kind,
        origins=len(origins),
        loss={name: float(np.nanmean(pinball(quantiles, truth))) for name, quantiles in told.items()},
        coverage={name: coverage(quantiles, truth) for name, quantiles in told.items()},
        used=used,
    )


def held_out_origins(count: int, season: int) -> range:
    """The scored origins of a series of `count` values: in its later half, each with a whole day after it."""
    first = max((count + DAYS_BEFORE * season) // 2, (DAYS_BEFORE + 3) * season - season // 2)
    last = count - season
    quarter = max(1, season // ORIGINS_PER_DAY)
    # An odd number of quarter days lets the origins wander through the day.
    quarters = ((last - first) // (quarter * MOST_ORIGINS) + 1) | 1
    return range(first, last + 1, quarters * quarter)


def summarise(scores: Sequence[SeriesScore]) -> tuple[ModelScore, ...]:
    """Scores by source, kind and model, in the order in which they first appear."""
    groups: dict[tuple[str, str], list[SeriesScore]] = {}
    for score in scores:
        groups.setdefault((score.source, score.kind), []).append(score)
    return tuple(
        _model_score(source, kind, model, group)
        for (source, kind), group in groups.items()
        for model in group[0].loss
    )


def _model_score(source: str, kind: str, model: str, group: Sequence[SeriesScore]) -> ModelScore:
    loss = float(np.mean([score.loss[model] for score in group]))
    baseline = float(np.mean([score.loss[BASELINE] for score in group]))
    used = Counter(score.used for score in group)
    return ModelScore(
        source=source,
        kind=kind,
        model=model,
        loss=loss,
        skill=skill(loss, baseline),
        coverage=float(np.mean([score.coverage[model] for score in group])),
        better=sum(score.loss[model] < score.loss[BASELINE] for score in group),
        used=used[model],
        series=len(group),
    )
