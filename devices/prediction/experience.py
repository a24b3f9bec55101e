"""What a node's own readings teach: rows of features, what followed each, and a predictor that has proved itself.

Values are readings on a grid of time, not-a-number where nothing was known; whatever is not known is never learned
from and never predicted from. A model is used only where, learned on the first three quarters, it beat the threshold on
the last quarter by both proper scores (devices/prediction/scores.py); otherwise the threshold is.
"""

from dataclasses import dataclass

import numpy as np

from devices.prediction.readiness import Trouble
from devices.prediction.readiness_config import DAY_S, ReadinessConfig
from devices.prediction.scores import brier, log_loss
from devices.prediction.threshold import Threshold
from devices.prediction.trouble import Band, Floats, TroubleModel, features, fit, troubled

HOURS = 24.0
PROVING_PART = 0.25
LEAST_EVENTS = 5
"""Troubles that must be known before anything is learned from them, and how many of those in the first three quarters
of the record; two at least must be left to prove it on."""
LEAST_UNSEEN_EVENTS = 2


@dataclass(frozen=True, slots=True)
class Shape:
    """What a row of features is made of. A predictor serves only the shape that it was learned with.

    `every_s`: seconds between readings; the rest of the band is in readings. `daily`: whether the hour and the same
    time a day ago are looked at.
    """

    band: Band
    every_s: int
    daily: bool

    @classmethod
    def of(cls, config: ReadinessConfig) -> "Shape":
        """The shape that a configuration asks for."""
        every_s = config.every_s
        lowest = -np.inf if config.lowest is None else config.lowest
        spans = tuple(each // every_s for each in config.spans_s)
        band = Band(lowest, config.highest, config.horizon_s // every_s, spans)
        return cls(band, every_s, config.against is Trouble.OVERLOAD)

    @property
    def reach(self) -> int:
        """How many readings the newest row looks at."""
        memory = self.band.spans[-1] + 1
        return max(memory, DAY_S // self.every_s) if self.daily else memory

    @property
    def width(self) -> int:
        """Features in a row."""
        return 4 + 2 * len(self.band.spans) + (4 if self.daily else 0)


@dataclass(frozen=True, slots=True)
class Predictor:
    """What says how likely trouble is: the model, or the threshold where there is no model that has proved itself.

    `scores` are those on readings that were not learned from: the Brier score and the log loss of the threshold and of
    the model; None where nothing was learned yet.
    """

    threshold: Threshold
    model: TroubleModel | None = None
    scores: tuple[float, float, float, float] | None = None

    def probability(self, row: Floats) -> float:
        """Of one row of features, all known."""
        if self.model is None:
            return float(self.threshold.probability(row[:1])[0])
        return float(self.model.probability(row[np.newaxis])[0])


def untaught(config: ReadinessConfig) -> Predictor:
    """What holds before anything is learned: ready beyond the configured part of the way to the bound."""
    return Predictor(Threshold(config.threshold, 0.0, 1.0))


def rows_of(values: Floats, first: int, shape: Shape) -> Floats:
    """Readings x features; `first` is the index of the first reading since the epoch, in steps of the shape."""
    rows = features(values, shape.band)
    if not shape.daily:
        return rows
    per_day, band = DAY_S // shape.every_s, shape.band
    angle = (first + np.arange(values.size)) * (2 * np.pi / per_day)
    # What came a day ago, over as long as is looked ahead now; an indicator says whether that is known.
    away = np.clip((values - band.middle) / band.half, -10.0, 10.0)
    padded = np.concatenate([np.full(per_day - 1, np.nan), away])
    windows = np.lib.stride_tricks.sliding_window_view(padded, band.horizon)[: values.size]
    known = np.isfinite(windows).all(axis=1)
    most = np.where(known, windows.max(axis=1), 0.0)
    return np.column_stack([rows, np.sin(angle), np.cos(angle), most, known.astype(np.float64)])


def newest_row(values: Floats, first: int, shape: Shape) -> Floats:
    """The last of `rows_of`, from no more than it looks at: what a control loop can afford."""
    band = shape.band
    row = features(values[-band.spans[-1] - 1 :], band)[-1]
    if not shape.daily:
        return np.asarray(row, dtype=np.float64)
    per_day = DAY_S // shape.every_s
    angle = (first + values.size - 1) * (2 * np.pi / per_day)
    ago = values[values.size - per_day :][: band.horizon] if values.size >= per_day else values[:0]
    away = np.clip((ago - band.middle) / band.half, -10.0, 10.0)
    known = away.size == band.horizon and bool(np.isfinite(away).all())
    most = float(away.max()) if known else 0.0
    return np.concatenate([row, [np.sin(angle), np.cos(angle), most, float(known)]])


def learned(values: Floats, first: int, shape: Shape, held: Predictor) -> Predictor:
    """What the record teaches, or the predictor held before while it teaches too little."""
    happened = troubled(values, shape.band)
    outside = shape.band.outside(values)
    split = round((1 - PROVING_PART) * values.size)
    if _events(outside[:split]) < LEAST_EVENTS or _events(outside[split:]) < LEAST_UNSEEN_EVENTS:
        return held
    rows = rows_of(values, first, shape)
    usable = np.isfinite(rows).all(axis=1) & np.isfinite(happened) & ~outside
    early, late = usable.copy(), usable.copy()
    # What follows a reading just before the split lies behind it, and would be known beforehand.
    early[max(0, split - shape.band.horizon) :] = False
    late[:split] = False
    if not early.any() or not late.any():
        return held
    threshold = Threshold.of(rows[early, 0], happened[early])
    by_threshold = _scores(threshold.probability(rows[late, 0]), happened[late])
    candidates: list[tuple[TroubleModel | None, TroubleModel]] = [(None, fit(rows[early], happened[early]))]
    if held.model is not None:
        candidates.append((held.model, held.model))
    scored = [(kept, _scores(model.probability(rows[late]), happened[late])) for kept, model in candidates]
    kept, by_model = min(scored, key=lambda each: each[1][1])
    scores = (*by_threshold, *by_model)
    final = Threshold.of(rows[usable, 0], happened[usable])
    if not (by_model[0] < by_threshold[0] and by_model[1] < by_threshold[1]):
        return Predictor(final, None, scores)
    return Predictor(final, fit(rows[usable], happened[usable]) if kept is None else kept, scores)


def _scores(said: Floats, happened: Floats) -> tuple[float, float]:
    return brier(said, happened), log_loss(said, happened)


def _events(outside: np.ndarray) -> int:
    """How many times the value has left its band."""
    return int((outside[1:] & ~outside[:-1]).sum())
