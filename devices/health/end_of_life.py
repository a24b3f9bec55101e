"""When a battery will have lost so much of its capacity that it is replaced: a forecast from its own history.

Two laws compete: loss in proportion to time, and loss with the root of time (its square in proportion to time,
so the age at the first observation need not be known). The one that foretells the last third of the history
better from the first two is used, and must foretell it better than "no further loss".

Sources: the root law is that of `devices.models.lithium_battery`; that cells late in life lose in proportion to
time is common to most measurements (Attia et al., J. Electrochemical Society 169 (2022) 060517, on knees).
"""

import math
from dataclasses import dataclass
from enum import Enum

NS_PER_DAY = 86_400_000_000_000
FEWEST = 12
SHORTEST_NS = 60 * NS_PER_DAY
"""Two months: less of a history is mostly the noise of its measurement."""
CERTAINTY = 2.0
"""Standard errors of the slope that the range spans, about 95 %."""


class Law(Enum):
    """How the loss grows."""

    LINEAR = "linear"
    ROOT = "root"


@dataclass(frozen=True, slots=True)
class Health:
    """A measured state of health, 0 to 1, at a cell time."""

    cell_ns: int
    state_of_health: float


@dataclass(frozen=True, slots=True)
class EndOfLife:
    """The expected moment in cell time, the earliest, and the latest that the history admits (None: no end)."""

    law: Law
    expected_ns: int
    earliest_ns: int
    latest_ns: int | None


def forecast(history: tuple[Health, ...], end: float = 0.8) -> EndOfLife | None:
    """The end of life, at `end` of the capacity; None while the history is too short or shows no loss."""
    if len(history) < FEWEST or history[-1].cell_ns - history[0].cell_ns < SHORTEST_NS:
        return None
    origin_ns = history[0].cell_ns
    days = [(each.cell_ns - origin_ns) / NS_PER_DAY for each in history]
    losses = [1.0 - each.state_of_health for each in history]
    law = _best_law(days, losses)
    if law is None:
        return None
    line = _fit(days, [_straightened(loss, law) for loss in losses])
    target = _straightened(1.0 - end, law)
    expected = _reaches(line.slope, line, target)
    if expected is None:
        return None
    earliest = _reaches(line.slope + CERTAINTY * line.slope_error, line, target)
    latest = _reaches(line.slope - CERTAINTY * line.slope_error, line, target)

    def moment_ns(day: float) -> int:
        return origin_ns + round(day * NS_PER_DAY)

    return EndOfLife(
        law,
        moment_ns(expected),
        moment_ns(expected if earliest is None else earliest),
        None if latest is None else moment_ns(latest),
    )


@dataclass(frozen=True, slots=True)
class _Line:
    slope: float
    middle: float
    value: float
    slope_error: float


def _fit(xs: list[float], ys: list[float]) -> _Line:
    """Least squares through the means."""
    middle, value = sum(xs) / len(xs), sum(ys) / len(ys)
    spread = sum((x - middle) ** 2 for x in xs)
    slope = sum((x - middle) * (y - value) for x, y in zip(xs, ys, strict=True)) / spread
    rest = sum((y - value - slope * (x - middle)) ** 2 for x, y in zip(xs, ys, strict=True))
    return _Line(slope, middle, value, math.sqrt(rest / max(1, len(xs) - 2) / spread))


def _reaches(slope: float, line: _Line, target: float) -> float | None:
    """The day at which a line through the means of the history reaches the target."""
    return line.middle + (target - line.value) / slope if slope > 0 else None


def _best_law(days: list[float], losses: list[float]) -> Law | None:
    """The law that foretells the last third best; None when none beats "no further loss"."""
    cut = 2 * len(days) // 3
    errors = {}
    for law in Law:
        line = _fit(days[:cut], [_straightened(loss, law) for loss in losses[:cut]])
        foretold = [_bent(line.value + line.slope * (day - line.middle), law) for day in days[cut:]]
        errors[law] = sum((one - loss) ** 2 for one, loss in zip(foretold, losses[cut:], strict=True))
    known = sum(losses[cut - 3 : cut]) / 3
    nothing = sum((known - loss) ** 2 for loss in losses[cut:])
    best = min(Law, key=lambda law: errors[law])
    return best if errors[best] < nothing else None


def _straightened(loss: float, law: Law) -> float:
    """What grows in proportion to time: the loss, or its square. The sign of a measurement's noise is kept."""
    return loss if law is Law.LINEAR else math.copysign(loss * loss, loss)


def _bent(value: float, law: Law) -> float:
    return value if law is Law.LINEAR else math.copysign(math.sqrt(abs(value)), value)
