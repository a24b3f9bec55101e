"""Step curves: net supply against price key, merged up a feeder and clipped to its limits.

A curve starts at a base (minus all demand), rises by the quantity of each step at the step's key, and ends
at a top (all supply). Energies are mWh, injection positive, so base <= 0 <= top.

A step is one 64-bit integer: its key in the high bits, its slot in a table of quantities in the low bits.
So sorting steps needs no second array, no two steps are equal, and ties of keys fall in canonical order.
The limits in `market.units` and `market.feeder` are chosen so that this always fits.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from market.orders import IntArray, OrderBook, Side

LOWEST_KEY = -(2**62)
"""Below every key: the start of an interval without a lower end."""

HIGHEST_KEY = 2**62
"""Above every key: the end of an interval without an upper end."""

SMALL_RUN = 1_024
"""Steps below which a run is merged at once: the call then costs more than its data."""


class StepTable:
    """The quantities behind the steps of one auction, and how a key and a slot make a step.

    The first slots are the orders in canonical order, `spare` more are for what clipping leaves of a step.
    """

    def __init__(self, keys: IntArray, quantity: IntArray, spare: int) -> None:
        orders = len(keys)
        # A multiple of 4, so that the lowest bit of a shifted key still tells a bid from an ask.
        self._lowest = int(keys.min()) & ~3 if orders else 0
        self._bits = (orders + spare).bit_length()
        self._mask = (1 << self._bits) - 1
        self._quantity = np.concatenate((quantity, np.zeros(spare, np.int64))) if spare else quantity
        self._used = orders
        self.steps = keys - self._lowest
        self.steps <<= self._bits
        self.steps |= np.arange(orders)
        self.steps.sort()

    def slots(self, steps: IntArray) -> IntArray:
        """The slot of each step; of an order's step, the order's place in the book."""
        slots: IntArray = steps & self._mask
        return slots

    def quantities(self, steps: IntArray) -> IntArray:
        """The quantity of each step."""
        return self._quantity[steps & self._mask]

    def are_bids(self, steps: IntArray) -> IntArray:
        """1 for the step of a bid, 0 for that of an ask."""
        return (steps >> self._bits) & 1

    def key(self, step: int) -> int:
        """The key of a step."""
        return (step >> self._bits) + self._lowest

    def quantity(self, step: int) -> int:
        """The quantity of a step."""
        return int(self._quantity[step & self._mask])

    def bounds(self, keys: IntArray) -> IntArray:
        """Values that split the steps below each key from those at it or above."""
        highest = ((int(self.steps[-1]) >> self._bits) if len(self.steps) else 0) + 1
        return np.clip(keys - self._lowest, 0, highest) << self._bits

    def remainder(self, step: int, quantity: int) -> int:
        """A new step at the key of `step` with what is left of its quantity."""
        slot = self._used
        self._used += 1
        self._quantity[slot] = quantity
        return (step & ~self._mask) | slot


@dataclass(slots=True)
class Run:
    """Steps in ascending order; `reach` is their cumulative quantity, counted from `start` before the
    first.
    """

    steps: IntArray
    reach: IntArray
    start: int

    def quantity_through(self, step: int) -> int:
        """Total quantity of the steps up to and including this one."""
        position = int(self.steps.searchsorted(step, side="right"))
        return int(self.reach[position - 1]) - self.start if position else 0

    def drop_through(self, step: int) -> None:
        """Forget the steps up to and including this one."""
        position = int(self.steps.searchsorted(step, side="right"))
        if position:
            self.start = int(self.reach[position - 1])
            self.steps, self.reach = self.steps[position:], self.reach[position:]

    def drop_from(self, step: int) -> None:
        """Forget this step and those above."""
        position = int(self.steps.searchsorted(step))
        self.steps, self.reach = self.steps[:position], self.reach[:position]


class Curve:
    """Net supply of a part of the feeder, as a few sorted runs whose lengths at least double.

    Keeping several runs is what makes a chain of branches cheap: a short run that joins a long one waits
    until enough others have come, so that each step is moved O(log n) times and not once per branch on its
    way up.
    """

    def __init__(self, table: StepTable, base: int, top: int, runs: Iterable[Run]) -> None:
        self.base = base
        self.top = top
        self._table = table
        self._runs = _compacted(table, runs)

    @property
    def runs(self) -> list[Run]:
        """The runs that are left, to be merged into the curve of the parent."""
        return [run for run in self._runs if len(run.steps)]

    def clip(self, lower: int, upper: int) -> tuple[int, int]:
        """Hold net supply within `lower` <= 0 <= `upper` and return the free interval of keys.

        It goes from the first key at which supply after the step reaches `lower` to the last key at which
        supply before the step is at most `upper`.
        """
        first, last = LOWEST_KEY, HIGHEST_KEY
        low_cut = self._first_reaching(lower - self.base) if self.base < lower else None
        high_cut = self._first_reaching(upper - self.base + 1) if self.top > upper else None
        if low_cut is not None:
            step, reached = low_cut
            first = self._table.key(step)
            for run in self._runs:
                run.drop_through(step)
            self._keep(step, min(reached, upper) - lower)
        if high_cut is not None:
            step, reached = high_cut
            last = self._table.key(step)
            for run in self._runs:
                run.drop_from(step)
            if low_cut is None or low_cut[0] < step:
                self._keep(step, upper - (reached - self._table.quantity(step)))
        self.base, self.top = max(self.base, lower), min(self.top, upper)
        return first, last

    def _keep(self, step: int, quantity: int) -> None:
        if quantity:
            remainder = np.array([self._table.remainder(step, quantity)])
            self._runs.append(Run(remainder, np.array([quantity]), 0))

    def _first_reaching(self, rise: int) -> tuple[int, int]:
        """The first step with which the curve has risen by `rise` > 0, and net supply after that step."""
        below, run = (0, self._runs[0]) if len(self._runs) == 1 else self._narrowed(rise)
        position = int(run.reach.searchsorted(run.start + rise - below))
        return int(run.steps[position]), self.base + below + int(run.reach[position]) - run.start

    def _narrowed(self, rise: int) -> tuple[int, Run]:
        """The rise before a part of the curve that holds the step sought, and that part of all runs in one.

        Halves the longest remaining part until what is left is small enough to merge.
        """
        parts = [Run(run.steps, run.reach, run.start) for run in self._runs]
        below = 0
        while sum(len(part.steps) for part in parts) > SMALL_RUN:
            longest = max(parts, key=lambda part: len(part.steps)).steps
            pivot = int(longest[(len(longest) - 1) // 2])
            through = sum(part.quantity_through(pivot) for part in parts)
            if through >= rise - below:
                for part in parts:
                    part.drop_from(pivot + 1)
            else:
                below += through
                for part in parts:
                    part.drop_through(pivot)
        return below, _merged(self._table, parts)


def _compacted(table: StepTable, runs: Iterable[Run]) -> list[Run]:
    """The same steps in runs each more than twice as long as all shorter ones together."""
    kept: list[Run] = []
    group: list[Run] = []
    size = 0
    for run in sorted(runs, key=lambda run: len(run.steps)):
        if size and len(run.steps) > max(SMALL_RUN, 2 * size):
            kept.append(_merged(table, group))
            group = []
        group.append(run)
        size += len(run.steps)
    if group:
        kept.append(_merged(table, group))
    return kept


def _merged(table: StepTable, runs: list[Run]) -> Run:
    if len(runs) == 1:
        return runs[0]
    steps = np.concatenate([run.steps for run in runs])
    steps.sort()
    return Run(steps, np.cumsum(table.quantities(steps)), 0)


class Ladder:
    """The orders of a book as steps, sorted by branch and within a branch by key and id."""

    def __init__(self, book: OrderBook, keys: IntArray, branches: int, spare: int) -> None:
        self.table = StepTable(keys, book.quantity, spare)
        steps = self.table.steps
        starts = np.array([0, len(book)])
        if branches > 1:
            # Sorting small integers stably is a radix sort: linear.
            branch = book.branch.astype(np.uint16 if branches <= 2**16 else np.int32)
            steps = steps[np.argsort(branch[self.table.slots(steps)], kind="stable")]
            starts = _sums(np.bincount(branch, minlength=branches))
        quantities = self.table.quantities(steps)
        self.steps = steps
        self._starts = starts
        self._reach = _sums(quantities)
        quantities *= self.table.are_bids(steps)
        self.demand: IntArray = np.diff(_sums(quantities)[starts])
        self.supply: IntArray = np.diff(self._reach[starts]) - self.demand

    def runs(self) -> list[Run]:
        """The steps of every branch."""
        starts: list[int] = self._starts.tolist()
        reach: list[int] = self._reach[self._starts].tolist()
        return [
            Run(self.steps[start:end], self._reach[start + 1 : end + 1], before)
            for start, end, before in zip(starts, starts[1:], reach, strict=False)
        ]

    def tied(self, keys: IntArray) -> tuple[list[int], list[int]]:
        """For each branch, where its steps at the branch's key start and end."""
        return self._below(self.table.bounds(keys)), self._below(self.table.bounds(keys + 1))

    def supply_below(self, ends: list[int]) -> list[int]:
        """Net supply of each branch's own orders when exactly the steps before its end are taken."""
        supplies: list[int] = (self._reach[ends] - self._reach[self._starts[:-1]] - self.demand).tolist()
        return supplies

    def _below(self, bounds: IntArray) -> list[int]:
        if len(bounds) == 1:
            return [int(self.steps.searchsorted(bounds[0]))]
        below = _sums(self.steps < np.repeat(bounds, np.diff(self._starts)))
        starts = self._starts
        ends: list[int] = (starts[:-1] + below[starts[1:]] - below[starts[:-1]]).tolist()
        return ends


def price_keys(book: OrderBook) -> IntArray:
    """The key of each order: four times its price, plus three for a bid."""
    keys = book.price << 2
    keys += np.where(book.side == Side.BUY, 3, 0)
    return keys


def _sums(values: IntArray | npt.NDArray[np.bool_]) -> IntArray:
    """Cumulative sums with a leading zero."""
    sums = np.zeros(len(values) + 1, np.int64)
    np.cumsum(values, out=sums[1:])
    return sums
