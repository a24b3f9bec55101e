"""Step curves: net supply against price key, merged up a feeder and clipped to its limits.

A curve starts at a base (minus all demand), rises by the quantity of each step at the step's key, and ends
at a top (all supply). Energies are mWh, injection positive, so base <= 0 <= top.

A step is known by its rank: its order's place among all orders of the book sorted by key and then by id. So
sorting steps is sorting small integers, no two steps are equal, and one table holds their keys and
quantities.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from market.orders import IntArray, OrderBook
from market.units import MAX_PRICE

LOWEST_KEY = -(2**62)
"""Below every key: the start of an interval without a lower end."""

HIGHEST_KEY = 2**62
"""Above every key: the end of an interval without an upper end."""

LOWEST_OF_ORDERS = -4 * MAX_PRICE
"""No order has a lower key."""

SMALL_RUN = 1_024
"""Steps below which a run is merged at once: the call then costs more than its data."""


def price_keys(book: OrderBook) -> IntArray:
    """The key of each order: four times its price, plus three for a bid."""
    keys = book.price << 2
    keys |= (book.side & 1) * 3  # one for a bid, two for an ask
    return keys


class Ladder:
    """The orders of a book as steps.

    - order, keys, quantities: by rank, the place in the book, the key, and what clipping has left so far.
    - steps: every order as `branch << bits | rank`, ascending; `starts` says where each branch's begin,
      `reach` how much quantity comes before each.
    - supply, demand: what the orders of each branch offer and ask for in all.
    """

    def __init__(self, book: OrderBook, keys: IntArray, branches: int) -> None:
        self.bits = len(book).bit_length()
        self.mask = (1 << self.bits) - 1
        places = np.arange(len(book))
        # Key and place in one integer: one sort of plain integers, several times faster than an argsort. The
        # limits on prices and numbers of orders are such that it fits 64 bits.
        packed = keys - LOWEST_OF_ORDERS
        packed <<= self.bits
        packed |= places
        packed.sort()
        self.order: IntArray = packed & self.mask
        packed >>= self.bits
        packed += LOWEST_OF_ORDERS
        self.keys: IntArray = packed
        self.quantities: IntArray = book.quantity[self.order]
        self.steps, self.starts = places, np.array([0, len(book)])
        if branches == 1:
            self.reach = sums(self.quantities)
            self.demand: IntArray = np.array([self.quantities.dot(self.keys & 1)])
            self.supply: IntArray = self.reach[-1] - self.demand
            return
        branch = book.branch[self.order].astype(np.int64)
        self.steps = (branch << self.bits) | places
        self.steps.sort()
        self.starts = sums(np.bincount(branch, minlength=branches))
        ranks = self.steps & self.mask
        quantities = self.quantities[ranks]
        self.reach = sums(quantities)
        demand, reach = sums(quantities * (self.keys[ranks] & 1))[self.starts], self.reach[self.starts]
        self.demand = demand[1:] - demand[:-1]
        self.supply = reach[1:] - reach[:-1] - self.demand

    def set_base(self, branch: int, base: int) -> None:
        """Let the curve of a branch begin elsewhere than at minus its demand: it was cut before it came here."""
        shift = base + int(self.demand[branch])
        self.demand[branch] -= shift
        self.supply[branch] += shift

    def ends_below(self, keys: IntArray) -> IntArray:
        """For each branch, where its steps with lower keys than the branch's end."""
        ranks = self.keys.searchsorted(keys)
        if len(keys) == 1:
            return ranks
        return self.steps.searchsorted((np.arange(len(keys)) << self.bits) | ranks)

    def net_supply(self, ends: IntArray) -> list[int]:
        """Net supply of each branch's own orders when its steps before `ends` are taken."""
        if len(ends) == 1:
            return [int(self.reach[ends[0]]) - int(self.demand[0])]
        supplies: list[int] = (self.reach[ends] - self.reach[self.starts[:-1]] - self.demand).tolist()
        return supplies


@dataclass(slots=True)
class Run:
    """Ranks in ascending order and their cumulative quantities, `reach`.

    `start` is where the reach stands before the first of them, `end` after the last: closer than the reach
    itself says where clipping took a part of the first or last step.
    """

    ranks: IntArray
    reach: IntArray
    start: int
    end: int

    def rise_before(self, position: int) -> int:
        """Total quantity of the steps before this position."""
        if position == 0:
            return 0
        return (self.end if position == len(self.ranks) else int(self.reach[position - 1])) - self.start

    def rank_at(self, reach: int) -> int:
        """Rank of the first step that takes the run to this reach, at most its end."""
        # The last step may be cut short, so that its reach lies beyond the end.
        return int(self.ranks[min(int(self.reach.searchsorted(reach)), len(self.ranks) - 1)])

    def drop_ranks_below(self, rank: int) -> int:
        """Forget the steps of lower rank and return their quantity."""
        position = int(self.ranks.searchsorted(rank))
        taken = self.rise_before(position)
        self.start += taken
        self.ranks, self.reach = self.ranks[position:], self.reach[position:]
        return taken

    def keep_ranks_below(self, rank: int) -> int:
        """Forget the steps of this rank and higher and return the quantity of those that stay."""
        position = int(self.ranks.searchsorted(rank))
        kept = self.rise_before(position)
        self.end = self.start + kept
        self.ranks, self.reach = self.ranks[:position], self.reach[:position]
        return kept


class Curve:
    """Net supply of a part of the feeder, as a few sorted runs.

    Each run is more than twice as long as all shorter ones together. That is what makes a chain of branches
    cheap: a short run that joins a long one waits until enough others have come, so that each step is moved
    O(log n) times and not once per branch on its way up.
    """

    def __init__(self, ladder: Ladder, base: int, top: int, runs: Iterable[Run]) -> None:
        self.base = base
        self.top = top
        self._ladder = ladder
        self._runs = _compacted(ladder, runs)

    @property
    def runs(self) -> list[Run]:
        """The runs that are left, to be merged into the curve of the parent."""
        return [run for run in self._runs if len(run.ranks)]

    def steps(self) -> tuple[IntArray, IntArray]:
        """Keys and quantities of all steps, ascending by key; a key may be there several times."""
        ranks = np.sort(np.concatenate([run.ranks for run in self._runs] or [self._ladder.order[:0]]))
        return self._ladder.keys[ranks], self._ladder.quantities[ranks]

    def clip(self, lower: int, upper: int) -> tuple[int, int]:
        """Hold net supply within `lower` <= top and `upper` >= base and return the free interval of keys.

        It goes from the first key at which supply after the step reaches `lower` to the last key at which
        supply before the step is at most `upper`.
        """
        first, last = LOWEST_KEY, HIGHEST_KEY
        if self.base < lower:
            rank = self._first_reaching(lower - self.base)
            first = int(self._ladder.keys[rank])
            self._drop_below(rank, lower - self.base)
            self.base = lower
        if self.top > upper:
            rank = self._first_reaching(upper - self.base + 1)
            last = int(self._ladder.keys[rank])
            self._drop_above(rank, upper - self.base)
            self.top = upper
        return first, last

    def interval(self, lower: int, upper: int) -> tuple[int, int]:
        """The free interval of keys between these limits, without clipping."""
        first, last = LOWEST_KEY, HIGHEST_KEY
        if self.base < lower:
            first = int(self._ladder.keys[self._first_reaching(lower - self.base)])
        if self.top > upper:
            last = int(self._ladder.keys[self._first_reaching(upper - self.base + 1)])
        return first, last

    def _drop_below(self, rank: int, rise: int) -> None:
        """Take `rise` off the lower end, the last of it from the step of this rank."""
        taken = sum(run.drop_ranks_below(rank) for run in self._runs)
        holder = next(run for run in self._runs if len(run.ranks) and run.ranks[0] == rank)
        holder.start += rise - taken
        left = holder.rise_before(1)
        self._ladder.quantities[rank] = left
        if not left:
            holder.drop_ranks_below(rank + 1)

    def _drop_above(self, rank: int, rise: int) -> None:
        """Keep only `rise` from the lower end, the last of it from the step of this rank."""
        kept = sum(run.keep_ranks_below(rank + 1) for run in self._runs)
        holder = next(run for run in self._runs if len(run.ranks) and run.ranks[-1] == rank)
        holder.end -= kept - rise
        left = holder.end - holder.start - holder.rise_before(len(holder.ranks) - 1)
        self._ladder.quantities[rank] = left
        if not left:
            holder.keep_ranks_below(rank)

    def _first_reaching(self, rise: int) -> int:
        """Rank of the first step with which the curve has risen by `rise` > 0."""
        below, run = (0, self._runs[0]) if len(self._runs) == 1 else self._narrowed(rise)
        return run.rank_at(run.start + rise - below)

    def _narrowed(self, rise: int) -> tuple[int, Run]:
        """The rise before a part of the curve that holds the step sought, and that part of all runs in one.

        No run may reach `rise` alone before that step, nor fall too far behind from above after it; what
        these bounds leave is halved until it is small enough to merge.
        """
        fall = self.top - self.base - rise
        floor, ceiling = 0, len(self._ladder.keys)
        for run in self._runs:
            if run.end - run.start >= rise:
                ceiling = min(ceiling, run.rank_at(run.start + rise))
            if run.end - run.start > fall:
                floor = max(floor, run.rank_at(run.end - fall))
        parts = [Run(run.ranks, run.reach, run.start, run.end) for run in self._runs]
        below = sum(part.drop_ranks_below(floor) for part in parts)
        for part in parts:
            part.keep_ranks_below(ceiling + 1)
        while sum(len(part.ranks) for part in parts) > max(SMALL_RUN, len(parts)):
            longest = max(parts, key=lambda part: len(part.ranks)).ranks
            pivot = int(longest[len(longest) // 2])
            rises = sum(part.rise_before(int(part.ranks.searchsorted(pivot))) for part in parts)
            if rises >= rise - below:
                for part in parts:
                    part.keep_ranks_below(pivot)
            else:
                below += sum(part.drop_ranks_below(pivot) for part in parts)
        return below, _merged(self._ladder, parts)


def _compacted(ladder: Ladder, runs: Iterable[Run]) -> list[Run]:
    """The same steps in runs each more than twice as long as all shorter ones together."""
    kept: list[Run] = []
    group: list[Run] = []
    size = 0
    for run in sorted(runs, key=lambda run: len(run.ranks)):
        if size and len(run.ranks) > max(SMALL_RUN, 2 * size):
            kept.append(_merged(ladder, group))
            group = []
        group.append(run)
        size += len(run.ranks)
    if group:
        kept.append(_merged(ladder, group))
    return kept


def _merged(ladder: Ladder, runs: list[Run]) -> Run:
    if len(runs) == 1:
        return runs[0]
    return run_of(ladder, np.concatenate([run.ranks for run in runs]))


def run_of(ladder: Ladder, ranks: IntArray) -> Run:
    """The run of these ranks, which may come in any order."""
    ranks = np.sort(ranks)
    reach = np.cumsum(ladder.quantities[ranks])
    return Run(ranks, reach, 0, int(reach[-1]) if len(reach) else 0)


def sums(values: IntArray) -> IntArray:
    """Cumulative sums with a leading zero."""
    cumulative = np.zeros(len(values) + 1, np.int64)
    values.cumsum(out=cumulative[1:])
    return cumulative
