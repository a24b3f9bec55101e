"""How good a probabilistic forecast was: pinball loss, skill against a baseline, and calibration.

Source: Koenker and Bassett, Regression quantiles (1978); Gneiting and Raftery, Strictly proper scoring rules (2007),
section 6: the pinball loss is proper, so that nobody gains by telling other quantiles than it believes.
"""

import numpy as np

from market.forecasting.forecaster import LEVELS, FloatArray


def pinball(quantiles: FloatArray, values: FloatArray) -> FloatArray:
    """Loss of each interval, shape (intervals,): the mean over the levels, in the unit of the values, 0 is perfect.

    `quantiles` has shape (intervals, len(LEVELS)). A missing value gives not-a-number.
    """
    above = values[:, np.newaxis] - quantiles
    levels = np.array(LEVELS)
    losses: FloatArray = np.maximum(levels * above, (levels - 1.0) * above).mean(axis=1)
    return losses


def skill(loss: float, baseline: float) -> float:
    """1 - loss / baseline: 1 is perfect, 0 no better than the baseline, negative worse; 0 where both are 0."""
    if baseline == 0.0:
        return 0.0 if loss == 0.0 else float("-inf")
    return 1.0 - loss / baseline


def coverage(quantiles: FloatArray, values: FloatArray) -> float:
    """Share of the known values that lie between the lowest and the highest level, ends included."""
    known = np.isfinite(values)
    within = (quantiles[known, 0] <= values[known]) & (values[known] <= quantiles[known, -1])
    return float(within.mean()) if len(within) else float("nan")
