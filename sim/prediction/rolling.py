"""Rolling origin: learn from what came before, predict what comes next, move on; never the other way round.

Four predict: the base rate of what came before; a threshold on the value alone, chosen on what came before by its
Brier score, which says the rate above and the rate below it; the model; and the model only where it has proved itself:
learned on the first three quarters of what came before, it beat the threshold on the last quarter, in both scores.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from devices.prediction.scores import brier, log_loss
from devices.prediction.threshold import Threshold
from devices.prediction.trouble import Band, TroubleModel, features, fit, troubled
from sim.grid.system import Floats

EVERYBODY = ("base rate", "threshold", "model", "proven model")
PROVING_PART = 0.25


@dataclass(frozen=True, slots=True)
class Case:
    """One record without a gap in time: per reading its features, whether trouble follows, and the value itself."""

    rows: Floats
    happened: Floats
    now: Floats


@dataclass(frozen=True, slots=True)
class Predicted:
    """All tested readings in order: which case each is from, what happened, and what each predictor said."""

    case: Floats
    happened: Floats
    said: dict[str, Floats]


def case_of(values: Floats, band: Band, known: Floats | None = None) -> Case:
    """What can be learned from a record: readings that are in the band, know their memory, and what followed.

    `known`: readings x more features, as weather.
    """
    rows = features(values, band)
    now = rows[:, 0].copy()
    if known is not None:
        rows = np.column_stack([rows, known])
    happened = troubled(values, band)
    usable = np.isfinite(rows).all(axis=1) & np.isfinite(happened) & ~band.outside(values)
    return Case(rows[usable], happened[usable], now[usable])


def roll(cases: Sequence[Case], folds: int) -> Predicted:
    """Split into `folds` + 1 blocks of cases in their order; predict each but the first from all before it."""
    edges = np.linspace(0, len(cases), folds + 2).round().astype(int)
    numbers: list[Floats] = []
    happened: list[Floats] = []
    said: dict[str, list[Floats]] = {name: [] for name in EVERYBODY}
    for start, end in pairwise(edges[1:].tolist()):
        before, ahead = cases[:start], cases[start:end]
        threshold, model = threshold_of(before), fitted(before)
        rate = float(np.concatenate([case.happened for case in before]).mean())
        proven = _proved(before)
        for number, case in enumerate(ahead, int(start)):
            numbers.append(np.full(case.now.size, float(number)))
            happened.append(case.happened)
            by_model, by_threshold = model.probability(case.rows), threshold.probability(case.now)
            said["base rate"].append(np.full(case.now.size, rate))
            said["threshold"].append(by_threshold)
            said["model"].append(by_model)
            said["proven model"].append(by_model if proven else by_threshold)
    return Predicted(
        np.concatenate(numbers),
        np.concatenate(happened),
        {name: np.concatenate(parts) for name, parts in said.items()},
    )


def threshold_of(cases: Sequence[Case]) -> Threshold:
    """The threshold of all that is in the cases."""
    return Threshold.of(
        np.concatenate([case.now for case in cases]), np.concatenate([case.happened for case in cases])
    )


def fitted(cases: Sequence[Case]) -> TroubleModel:
    """The model of all that is in the cases."""
    return fit(
        np.concatenate([case.rows for case in cases]), np.concatenate([case.happened for case in cases])
    )


def _proved(before: Sequence[Case]) -> bool:
    """Whether the model beat the threshold, by both scores, on cases that it had not seen."""
    split = len(before) - max(1, round(PROVING_PART * len(before)))
    if split < 1:
        return False
    learned, unseen = before[:split], before[split:]
    model, threshold = fitted(learned), threshold_of(learned)
    happened = np.concatenate([case.happened for case in unseen])
    by_model = np.concatenate([model.probability(case.rows) for case in unseen])
    by_threshold = np.concatenate([threshold.probability(case.now) for case in unseen])
    return all(score(by_model, happened) < score(by_threshold, happened) for score in (brier, log_loss))
