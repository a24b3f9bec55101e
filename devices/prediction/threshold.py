"""The simplest predictor of trouble: a bound on the value, and how often trouble followed below it and above it.

It is what a model must beat before it is heard, and what is used where none does.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from devices.prediction.scores import brier
from devices.prediction.trouble import Floats

TRIED = 40
"""Quantiles of the value that are tried."""


@dataclass(frozen=True, slots=True)
class Threshold:
    """A bound on the value (in half widths of the band, from its middle), and the rates of trouble below and above."""

    bound: float
    below: float
    above: float

    @classmethod
    def of(cls, now: Floats, happened: Floats) -> "Threshold":
        """The bound with the best Brier score; half a case is added to each rate. Raises ValueError without a case."""
        if now.size == 0:
            raise ValueError("a threshold needs at least one reading")
        tried = []
        for bound in np.quantile(now, np.linspace(0, 1, TRIED + 2)[1:-1]):
            high = now >= bound
            above = float((happened[high].sum() + 0.5) / (high.sum() + 1))
            below = float((happened[~high].sum() + 0.5) / ((~high).sum() + 1))
            tried.append(cls(float(bound), below, above))
        return min(tried, key=lambda each: brier(each.probability(now), happened))

    def probability(self, now: Floats | Sequence[float]) -> Floats:
        """The rate on the value's side."""
        return np.where(np.asarray(now) >= self.bound, self.above, self.below)
