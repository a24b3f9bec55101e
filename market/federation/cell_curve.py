"""What a cell tells the market above it: one curve of its net supply, clipped to its connection.

Keys are four times prices plus the kind of order (`market.clearing`), energies mWh, injection positive,
money pico-currency. A curve starts at `base` <= 0, what the cell withdraws at the lowest prices, and rises to
`top` >= 0, what it injects at the highest. It says nothing of who wants what inside.
"""

from dataclasses import dataclass

import numpy as np

from market.errors import OrderError
from market.orders import IntArray
from market.units import MAX_LIMIT, MAX_PRICE

BID = 3
"""The remainder by four of a bid's key; an ask's is zero."""


@dataclass(frozen=True, slots=True, eq=False)
class CellCurve:
    """Net supply of a cell against the key at its connection: `quantities` at strictly ascending `keys`.

    `lost` and `hidden` are zero for an exact curve. Where a curve says less than the orders behind it
    (`market.federation.compression`), `lost` is the most welfare that clearing with it can cost, and `hidden`
    the most by which it overstates the cell's cost, or understates its benefit, at any flow. Raises OrderError.
    """

    base: int
    keys: IntArray
    quantities: IntArray
    lost: int = 0
    hidden: int = 0

    def __post_init__(self) -> None:
        if self.keys.ndim != 1 or self.keys.shape != self.quantities.shape:
            raise OrderError("a cell's curve has one quantity for each key")
        if len(self.keys):
            _check_steps(self.keys, self.quantities)
        if not self.base <= 0 <= self.top or self.top - self.base > MAX_LIMIT:
            raise OrderError(
                f"a cell's curve goes from {self.base} to {self.top} mWh; "
                f"it must contain zero and span at most {MAX_LIMIT}"
            )

    @property
    def top(self) -> int:
        """Net supply above all steps."""
        return self.base + int(self.quantities.sum())


def curve_of(base: int, keys: IntArray, quantities: IntArray, lost: int = 0, hidden: int = 0) -> CellCurve:
    """The curve of steps that ascend by key, a key perhaps several times."""
    if not len(keys):
        return CellCurve(base, keys, quantities, lost, hidden)
    starts = np.flatnonzero(np.concatenate(([True], keys[1:] != keys[:-1])))
    return CellCurve(base, keys[starts], np.add.reduceat(quantities, starts), lost, hidden)


def _check_steps(keys: IntArray, quantities: IntArray) -> None:
    if int(keys[0]) < -4 * MAX_PRICE or int(keys[-1]) > 4 * MAX_PRICE + BID:
        raise OrderError(f"a key of a cell's curve is of a price beyond {MAX_PRICE} µ/kWh")
    if not bool((keys[1:] > keys[:-1]).all()):
        raise OrderError("the keys of a cell's curve do not ascend")
    if not bool(np.isin(keys & 3, (0, BID)).all()):
        raise OrderError("a key of a cell's curve is neither an ask's nor a bid's")
    # Each quantity is bounded first, so that the sum of eight million cannot leave 64 bits unseen.
    if int(quantities.min()) <= 0 or sum(quantities.tolist()) > MAX_LIMIT:
        raise OrderError(f"the steps of a cell's curve must be positive and sum to at most {MAX_LIMIT} mWh")
