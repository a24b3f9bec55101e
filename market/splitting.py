"""Splits a whole amount by weights, to the last unit: each share is rounded towards zero, odd units go to the first."""

from collections.abc import Sequence


def split_by_weight(amount: int, weights: Sequence[int]) -> list[int]:
    """The shares of `amount`, of its sign and in proportion to `weights` (at least 0, one above); their sum is it."""
    total = sum(weights)
    shares = [abs(amount) * weight // total for weight in weights]
    for index in range(abs(amount) - sum(shares)):
        shares[index] += 1
    return [share if amount > 0 else -share for share in shares]
