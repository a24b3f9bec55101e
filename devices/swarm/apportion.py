"""Splits a whole number in proportion to weights, exactly: largest remainder, ties by position.

Every node that has the same weights gets the same split, to the last unit: nothing here depends on how a float
was rounded, though one is used for a first guess.
"""

import numpy as np
import numpy.typing as npt

Integers = npt.NDArray[np.int64]

LARGEST_WEIGHT = 2**50
LARGEST_TOTAL = 2**61
"""So that a guess in floating point is off by one at most, and remainders fit into 64 bits."""


def apportion(total: int, weights: Integers) -> Integers:
    """Whole numbers that sum up to `total`, in proportion to `weights`, none above its weight.

    `weights` are at least 0, and `total` lies between 0 and their sum (ValueError). Each result is the exact
    proportional share rounded down or up; those with the largest remainders are rounded up, the earlier of two
    that are equal first.
    """
    sum_ = int(weights.sum())
    if not 0 <= total <= sum_ <= LARGEST_TOTAL:
        raise ValueError(f"{total} cannot be split over weights that sum up to {sum_}")
    if weights.size and not 0 <= int(weights.min()) <= int(weights.max()) <= LARGEST_WEIGHT:
        raise ValueError(f"a weight is negative or above {LARGEST_WEIGHT}")
    if total == 0:
        return np.zeros_like(weights)
    shares: Integers = np.floor(weights * (total / sum_)).astype(np.int64)
    # Both products may wrap around in 64 bits; their difference does not, so it is exact.
    remainders = weights * np.int64(total) - shares * np.int64(sum_)
    for _ in range(2):
        correction = (remainders >= sum_).astype(np.int64) - (remainders < 0).astype(np.int64)
        shares += correction
        remainders -= correction * np.int64(sum_)
    missing = total - int(shares.sum())
    shares[np.argsort(-remainders, kind="stable")[:missing]] += 1
    return shares
