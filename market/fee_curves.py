"""The pass up a feeder whose branches have fees: clip each branch's curve, shift it by the fee, add it to its parent.

What leaves a branch costs its parent the fee more, what enters brings the branch the fee less. So the part of
a branch's curve that injects (net supply above zero) moves up by the fee, the part that withdraws moves down
by it, and a step through zero is cut in two. Keys are four times prices, so fees shift keys by four times
themselves and keep what kind of order a key is of.

Unlike `market.zones`, which needs every step to keep its key, this merges plain arrays branch by branch: a
step is moved once per branch on its way up. Energies are mWh, injection positive.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from market.curves import HIGHEST_KEY, LOWEST_KEY, Ladder
from market.feeder import Feeder
from market.orders import IntArray


class StepCurve:
    """Net supply against key: ascending distinct keys, the quantity at each, and the supply before the first."""

    def __init__(self, base: int, keys: IntArray, quantities: IntArray) -> None:
        self.base = base
        self._keys = keys
        after = base + np.cumsum(quantities)
        self._before: IntArray = after - quantities
        self._after: IntArray = after

    @classmethod
    def of(cls, base: int, keys: IntArray, quantities: IntArray) -> "StepCurve":
        """The curve of steps in any order, keys repeated."""
        distinct, place = np.unique(keys, return_inverse=True)
        summed = np.zeros(len(distinct), np.int64)
        np.add.at(summed, place, quantities)
        return cls(base, distinct, summed)

    @classmethod
    def nothing(cls) -> "StepCurve":
        """The curve without steps."""
        return cls(0, np.zeros(0, np.int64), np.zeros(0, np.int64))

    def copy(self) -> "StepCurve":
        """The same curve, to be clipped by itself."""
        return StepCurve(self.base, self._keys, self._after - self._before)

    def supply_at_steps(self) -> tuple[IntArray, IntArray, IntArray]:
        """The keys, and net supply before and after each."""
        return self._keys, self._before, self._after

    def around(self, key: int) -> tuple[int, int]:
        """Net supply just below and just above a key."""
        place, end = (int(self._keys.searchsorted(edge)) for edge in (key, key + 1))
        return tuple(int(self._after[at - 1]) if at else self.base for at in (place, end))  # type: ignore[return-value]

    def clip(self, lower: int, upper: int) -> tuple[int, int]:
        """Hold net supply within `lower` <= top and `upper` >= base and return the free interval of keys.

        It goes from the first key at which supply after the step reaches `lower` to the last key at which
        supply before the step is at most `upper`.
        """
        first, last = self.interval(lower, upper)
        before, after = self._before.clip(lower, upper), self._after.clip(lower, upper)
        kept = after > before
        self.base = max(self.base, lower)
        self._keys, self._before, self._after = self._keys[kept], before[kept], after[kept]
        return first, last

    def interval(self, lower: int, upper: int) -> tuple[int, int]:
        """The free interval of keys between these limits, without clipping."""
        first, last = LOWEST_KEY, HIGHEST_KEY
        if self.base < lower:
            first = int(self._keys[self._after.searchsorted(lower)])
        if len(self._after) and int(self._after[-1]) > upper:
            last = int(self._keys[self._after.searchsorted(upper, side="right")])
        return first, last

    @property
    def top(self) -> int:
        """Net supply above all steps."""
        return int(self._after[-1]) if len(self._after) else self.base

    def steps(self) -> tuple[IntArray, IntArray]:
        """Keys and quantities of all steps, ascending by key."""
        return self._keys, self._after - self._before

    def shifted(self, shift: int) -> tuple[IntArray, IntArray]:
        """Keys and quantities of what withdraws, moved down by `shift`, and of what injects, moved up by it."""
        withdraws = np.minimum(self._after, 0) - np.minimum(self._before, 0)
        injects = np.maximum(self._after, 0) - np.maximum(self._before, 0)
        down, up = withdraws > 0, injects > 0
        keys = np.concatenate((self._keys[down] - shift, self._keys[up] + shift))
        return keys, np.concatenate((withdraws[down], injects[up]))


def joined_curve(curves: Sequence[StepCurve]) -> StepCurve:
    """The sum of these curves."""
    return StepCurve.of(sum(curve.base for curve in curves), *_joined([curve.steps() for curve in curves]))


@dataclass(frozen=True, slots=True)
class FeePassUp:
    """By branch the free interval of keys and the interval at which it neither injects nor withdraws.

    `curve` is that of the whole feeder at its root, not yet clipped.
    """

    first: list[int]
    last: list[int]
    zero: list[tuple[int, int]]
    curve: StepCurve


def pass_up_with_fees(feeder: Feeder, ladder: Ladder) -> FeePassUp:
    """Merge, clip and shift the curves of all branches."""
    count = len(feeder.branches)
    first, last = [LOWEST_KEY] * count, [HIGHEST_KEY] * count
    zero = [(LOWEST_KEY, HIGHEST_KEY)] * count
    below: list[list[tuple[IntArray, IntArray]]] = [[] for _ in range(count)]
    base: list[int] = [-demand for demand in ladder.demand.tolist()]
    for index in reversed(feeder.top_down):
        branch = feeder.branches[index]
        ranks = ladder.steps[ladder.starts[index] : ladder.starts[index + 1]] & ladder.mask
        parts = [(ladder.keys[ranks], ladder.quantities[ranks]), *below[index]]
        below[index] = []
        curve = StepCurve.of(base[index], *_joined(parts))
        if branch.parent is None:
            return FeePassUp(first, last, zero, curve)
        if branch.limit is not None:
            first[index], last[index] = curve.clip(-branch.limit, branch.limit)
        zero[index] = curve.interval(0, 0)
        below[branch.parent].append(curve.shifted(4 * branch.fee))
        base[branch.parent] += curve.base
    raise AssertionError("a feeder has a root")


def _joined(parts: Sequence[tuple[IntArray, IntArray]]) -> tuple[IntArray, IntArray]:
    return np.concatenate([keys for keys, _ in parts]), np.concatenate([sizes for _, sizes in parts])
