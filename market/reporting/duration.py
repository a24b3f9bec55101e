"""Duration curves: a quantity's values in falling order, so that one reads for how much of the time it was exceeded."""

from collections.abc import Iterable

SHARES = (0.0, 0.05, 0.25, 0.5, 0.75, 0.95, 1.0)
"""Of the time, told in a table: the highest value, that of the median interval, the lowest, and some between."""


def falling(values: Iterable[float | None]) -> list[float]:
    """The known values, the highest first."""
    return sorted((value for value in values if value is not None), reverse=True)


def exceeded(values: Iterable[float | None], share: float) -> float | None:
    """The value that is reached or exceeded for this share of the intervals (0: the highest); None of none."""
    curve = falling(values)
    if not curve:
        return None
    return curve[min(len(curve) - 1, int(share * len(curve)))]
