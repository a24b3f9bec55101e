"""Splits a whole amount by weights to the last unit: rounded towards zero, odd units to the first that lost some."""

from collections.abc import Sequence


def split_by_weight(amount: int, weights: Sequence[int]) -> list[int]:
    """The shares of `amount`, of its sign and in proportion to `weights` (at least 0, one above); their sum is it."""
    total = sum(weights)
    parts = [divmod(abs(amount) * weight, total) for weight in weights]
    shares = [whole for whole, _ in parts]
    rounded = [index for index, (_, lost) in enumerate(parts) if lost]
    for index in rounded[: abs(amount) - sum(shares)]:
        shares[index] += 1
    return [share if amount > 0 else -share for share in shares]
