"""A cell's curve in a bounded number of steps, and how much welfare that can cost.

Neighbouring steps become one. On the side that injects it has the highest key of its group, on the side that
withdraws the lowest, so that a compressed curve asks at least and bids at most what the exact one does: a
cell that is cleared with it never pays more, or gets less, for its transfer than what it is worth inside.

What a group hides is the energy of each of its steps times the distance from its price to the group's.
`lost` is the largest such sum. That bounds the welfare that is lost: at the prices of the parent's clearing
the cell would gain by moving its flow only into the group where the flow ends, for beyond it the true curve
asks no less than the compressed one did. In a market of several compressed cells the bounds add up (weak
duality at the clearing's prices). `hidden` is the sum over the groups of one side, the most by which the
curve overstates a cost; a cell that compresses once more what was made of compressed curves adds theirs to
its own `lost`.

The groups are the fewest whose sums stay within a threshold, and the threshold the least that leads to at
most `steps` of them. With a curve of Q mWh in all and prices that span R,

    lost <= Q R / (steps - 1)^2

because each group with the step after it exceeds any smaller threshold, and by the Cauchy-Schwarz inequality
at most so many can. Energies are mWh, prices µ/kWh, money pico-currency.
"""

from dataclasses import dataclass
from itertools import accumulate

import numpy as np

from market.errors import OrderError
from market.federation.cell_curve import CellCurve, curve_of

LEAST_STEPS = 2
"""One step for what a cell injects and one for what it withdraws."""


@dataclass(frozen=True, slots=True)
class _Side:
    """One side of a curve from zero flow outwards: keys, prices as distances that ascend, and energies.

    `energy` and `money` are the sums before each place, and at the end.
    """

    keys: list[int]
    prices: list[int]
    energy: list[int]
    money: list[int]

    @staticmethod
    def of(keys: list[int], quantities: list[int], sign: int) -> "_Side":
        prices = [sign * (key >> 2) for key in keys]
        money = (price * quantity for price, quantity in zip(prices, quantities, strict=True))
        return _Side(keys, prices, [0, *accumulate(quantities)], [0, *accumulate(money)])

    def cost(self, start: int, end: int) -> int:
        """What the group of the steps `start` to `end` - 1 hides when it gets the price of the last."""
        energy = self.energy[end] - self.energy[start]
        return energy * self.prices[end - 1] - (self.money[end] - self.money[start])

    def groups(self, threshold: int) -> list[int]:
        """The ends of the fewest groups of which none hides more than the threshold."""
        ends: list[int] = []
        end, count = 0, len(self.keys)
        while end < count:
            end = self._end_of_group(end, threshold)
            ends.append(end)
        return ends

    def _end_of_group(self, start: int, threshold: int) -> int:
        """The end of the largest group from here that hides no more than the threshold: each step adds to it."""
        low, high = start + 1, len(self.keys)
        while low < high:
            middle = (low + high + 1) // 2
            if self.cost(start, middle) <= threshold:
                low = middle
            else:
                high = middle - 1
        return low


def compressed(curve: CellCurve, steps: int) -> CellCurve:
    """The curve in at most this many steps. One that has no more already stays as it is. Raises OrderError."""
    if steps < LEAST_STEPS:
        raise OrderError(f"{steps} steps are too few; a curve needs {LEAST_STEPS}, one for each direction")
    if len(curve.keys) <= steps:
        return curve
    withdraws, injects = _sides(curve)
    # The whole of either side as one group always fits.
    low, high = 0, max(side.cost(0, len(side.keys)) if side.keys else 0 for side in (withdraws, injects))
    while low < high:
        middle = (low + high) // 2
        if len(withdraws.groups(middle)) + len(injects.groups(middle)) <= steps:
            high = middle
        else:
            low = middle + 1
    down, up = (_grouped(side, low) for side in (withdraws, injects))
    rows = [*reversed(down.rows), *up.rows]
    table = np.array(rows, np.int64).reshape(len(rows), 2)
    lost, hidden = max(down.lost, up.lost), max(down.hidden, up.hidden)
    return curve_of(
        curve.base, table[:, 0].copy(), table[:, 1].copy(), curve.hidden + lost, curve.hidden + hidden
    )


def loss_bound(curve: CellCurve, steps: int) -> int:
    """What compressing an exact curve to this many steps can cost at most, from its energy and prices alone."""
    if len(curve.keys) <= steps:
        return 0
    span = (int(curve.keys[-1]) >> 2) - (int(curve.keys[0]) >> 2)
    return (curve.top - curve.base) * span // (steps - 1) ** 2


@dataclass(frozen=True, slots=True)
class _Grouped:
    """One side in groups from zero outwards, each as (key, energy)."""

    rows: list[tuple[int, int]]
    lost: int
    hidden: int


def _grouped(side: _Side, threshold: int) -> _Grouped:
    rows: list[tuple[int, int]] = []
    costs = [0]
    start = 0
    for end in side.groups(threshold):
        rows.append((side.keys[end - 1], side.energy[end] - side.energy[start]))
        costs.append(side.cost(start, end))
        start = end
    return _Grouped(rows, max(costs), sum(costs))


def _sides(curve: CellCurve) -> tuple[_Side, _Side]:
    """What the curve withdraws and what it injects, each from zero outwards; a step through zero is in both."""
    after = curve.base + np.cumsum(curve.quantities)
    before = after - curve.quantities
    withdrawn = np.minimum(after, 0) - np.minimum(before, 0)
    injected = np.maximum(after, 0) - np.maximum(before, 0)
    down, up = np.flatnonzero(withdrawn)[::-1], np.flatnonzero(injected)
    return (
        _Side.of(curve.keys[down].tolist(), withdrawn[down].tolist(), -1),
        _Side.of(curve.keys[up].tolist(), injected[up].tolist(), 1),
    )
