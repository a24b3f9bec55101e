"""How evenly a loop goes round: periods and jitter from the times of its passes. Times in ns, figures in ms."""

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise

NS_PER_MS = 1_000_000


@dataclass(frozen=True, slots=True)
class Spread:
    """Median, 99th percentile and largest of some values."""

    p50: float
    p99: float
    max: float

    def to_dict(self) -> dict[str, float]:
        """For a JSON report."""
        return {name: round(value, 3) for name, value in asdict(self).items()}


@dataclass(frozen=True, slots=True)
class Pace:
    """Of one loop: its periods, and by how much each differs from what it should be."""

    passes: int
    period_ms: Spread
    jitter_ms: Spread


def spread(values: Iterable[float]) -> Spread:
    """The spread of at least one value; a percentile is the value at that rank, rounded up."""
    ordered = sorted(values)
    last = len(ordered) - 1
    return Spread(ordered[last // 2], ordered[-(-last * 99 // 100)], ordered[last])


def pace(passes: Sequence[int], period_ns: int) -> Pace:
    """The pace of a loop from the times of its passes, at least two."""
    periods = [later - earlier for earlier, later in pairwise(passes)]
    return Pace(
        len(passes),
        spread(each / NS_PER_MS for each in periods),
        spread(abs(each - period_ns) / NS_PER_MS for each in periods),
    )


def without_extra(passes: Sequence[int], moments: Iterable[int], period_ns: int) -> list[int]:
    """The passes without those that were made besides, right at certain moments, in the middle of a period."""
    kept = list(passes)
    for moment in moments:
        place = bisect_left(kept, moment)
        if 0 < place < len(kept) - 1 and kept[place + 1] - kept[place - 1] < 1.5 * period_ns:
            del kept[place]
    return kept


def first_after(moment: int, times: Sequence[int]) -> int | None:
    """The first of some ascending times that is not before a moment."""
    place = bisect_left(times, moment)
    return times[place] if place < len(times) else None
