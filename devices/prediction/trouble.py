"""The probability that a measured value leaves its band in the next minutes: a frequency event, or an overload.

From the node's own readings: how far the value is out, how fast it moves (over several spans), where that would lead,
how restless it has been, how long since it was last out; besides, whatever the caller knows, as a forecast, the hour
or the weather. A logistic regression with a ridge penalty turns them into a probability: a proper one, in that it is
fitted to the log loss (D. R. Cox, "The regression analysis of binary sequences", JRSS B 20, 1958).
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

RIDGE = 1.0
"""Penalty on the weights of standardised features, in observations; the intercept is free."""
STEPS = 50
CLOSE = 1e-8
LARGEST_LOGIT = 30.0
"""Where a probability is 0 or 1 to thirteen digits; beyond that, an exponential only overflows."""


@dataclass(frozen=True, slots=True)
class Band:
    """What counts as trouble: `value` above `highest` or below `lowest`. `horizon` and `spans` in readings.

    `spans`: over how many readings rates of change are taken, growing; the last is also the memory for restlessness.
    """

    lowest: float
    highest: float
    horizon: int
    spans: tuple[int, ...]

    @property
    def two_sided(self) -> bool:
        """Whether the value can leave the band both ways."""
        return bool(np.isfinite(self.lowest) and np.isfinite(self.highest))

    @property
    def middle(self) -> float:
        """Where the value is safest; for a bound on one side alone, zero."""
        return (self.lowest + self.highest) / 2 if self.two_sided else 0.0

    @property
    def half(self) -> float:
        """From the middle to a bound."""
        bound = self.highest if np.isfinite(self.highest) else self.lowest
        return abs(bound - self.middle)

    def outside(self, values: Floats) -> npt.NDArray[np.bool_]:
        """Whether each value is trouble."""
        return np.asarray((values < self.lowest) | (values > self.highest))


def features(values: Floats, band: Band) -> Floats:
    """Readings x features, in units of the band's half width; a row has not-a-number until its memory is full.

    Each row knows only readings up to its own.
    """
    away = (values - band.middle) / band.half
    # A band with two bounds is symmetric: what counts is the way out. With one bound the sign stays.
    side = np.where(away < 0, -1.0, 1.0) if band.two_sided else np.ones(values.size)
    columns = [away * side]
    for span in band.spans:
        moved = np.full(values.size, np.nan)
        moved[span:] = away[span:] - away[:-span]
        columns.append(moved * side)
        columns.append((away + moved * band.horizon / span / 2) * side)
    memory = band.spans[-1]
    padded = np.concatenate([np.full(memory, np.nan), away])
    windows = np.lib.stride_tricks.sliding_window_view(padded, memory + 1)
    columns.append(windows.std(axis=1))
    outward = windows * side[:, np.newaxis]
    columns += [outward.max(axis=1), outward.min(axis=1)]
    found = np.column_stack(columns)
    # How far a rate would lead is bounded: ten half widths are trouble whatever comes.
    return np.asarray(np.clip(found, -10.0, 10.0), dtype=np.float64)


def troubled(values: Floats, band: Band) -> Floats:
    """1 where the value is out at least once in the next `horizon` readings, 0 where not, and not-a-number where the
    record does not tell.
    """
    out = np.where(np.isnan(values), np.nan, band.outside(values).astype(np.float64))
    padded = np.concatenate([out[1:], np.full(band.horizon, np.nan)])
    windows = np.lib.stride_tricks.sliding_window_view(padded, band.horizon)
    unknown = np.isnan(windows).any(axis=1)
    found = np.where(unknown, np.nan, np.nanmax(np.where(np.isnan(windows), -1.0, windows), axis=1))
    return np.asarray(found, dtype=np.float64)


@dataclass(frozen=True)
class TroubleModel:
    """Weights for standardised features; the last weight is the intercept. Arrays are never written to."""

    mean: Floats
    scale: Floats
    weights: Floats

    def probability(self, rows: Floats) -> Floats:
        """One probability per row of features."""
        return _sigmoid(_standard(rows, self.mean, self.scale) @ self.weights)


def fit(rows: Floats, happened: Floats, ridge: float = RIDGE) -> TroubleModel:
    """Newton's method on the penalised log loss. Rows and `happened` (0 or 1) without not-a-number (ValueError)."""
    if rows.shape[0] != happened.size or rows.shape[0] == 0:
        raise ValueError("there must be one outcome for each of at least one row")
    if not (np.isfinite(rows).all() and np.isfinite(happened).all()):
        raise ValueError("rows and outcomes must be known")
    mean = rows.mean(axis=0)
    spread = rows.std(axis=0)
    scale = np.where(spread > CLOSE, spread, 1.0)
    known = _standard(rows, mean, scale)
    penalty = np.append(np.full(rows.shape[1], ridge), CLOSE)
    # Start at the base rate, half an observation away from never and always.
    rate = (happened.sum() + 0.5) / (happened.size + 1)
    weights = np.append(np.zeros(rows.shape[1]), np.log(rate / (1 - rate)))
    for _ in range(STEPS):
        said = _sigmoid(known @ weights)
        slope = known.T @ (happened - said) - penalty * weights
        curvature = known.T @ (known * (said * (1 - said))[:, np.newaxis]) + np.diag(penalty)
        step = np.linalg.solve(curvature, slope)
        # A step longer than one leaves the region in which Newton's method is to be trusted.
        step *= min(1.0, 2.0 / max(float(np.abs(step).max()), CLOSE))
        weights = weights + step
        if float(np.abs(step).max()) < CLOSE:
            break
    return TroubleModel(mean, scale, np.asarray(weights, dtype=np.float64))


def _standard(rows: Floats, mean: Floats, scale: Floats) -> Floats:
    return np.column_stack([(rows - mean) / scale, np.ones(rows.shape[0])])


def _sigmoid(logits: Floats) -> Floats:
    return np.asarray(1 / (1 + np.exp(-np.clip(logits, -LARGEST_LOGIT, LARGEST_LOGIT))), dtype=np.float64)
