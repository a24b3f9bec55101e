"""Fills: what is in the money in full, what is at the margin pro rata, from the root of the feeder down.

Energies are mWh; flows are positive towards the parent. Whole units that do not divide go by largest
remainder, equal remainders to the lowest order id first and to child branches last, in the order of the
feeder.
"""

import numpy as np

from market.curves import Ladder
from market.feeder import Feeder
from market.orders import IntArray, OrderBook, Side

UNLIMITED = 2**62
"""Beyond every flow."""


class Rationing:
    """Net supply of every branch just below and just above its key, and the split of what lies between.

    `low` and `high` are what a branch passes to its parent below and above the parent's key. `free` are the
    keys that the branches would have without their own limits; where a branch has another one, `low` and
    `high` are both its limit.
    """

    def __init__(
        self, book: OrderBook, feeder: Feeder, ladder: Ladder, keys: list[int], free: list[int]
    ) -> None:
        self._book = book
        self._feeder = feeder
        self._ladder = ladder
        self._keys = keys
        self._free = free
        key_array = np.array(keys, np.int64)
        tied_from, tied_to = ladder.ends_below(key_array), ladder.ends_below(key_array + 1)
        self._tied_from: list[int] = tied_from.tolist()
        self._tied_to: list[int] = tied_to.tolist()
        self._before = ladder.net_supply(tied_from)
        self._after = ladder.net_supply(tied_to)
        self._low = [0] * len(keys)
        self._high = [0] * len(keys)
        for index in reversed(feeder.top_down):
            self._pass_up(index)

    def _pass_up(self, index: int) -> None:
        branch = self._feeder.branches[index]
        limit = UNLIMITED if branch.limit is None else branch.limit
        parent = branch.parent
        if parent is None:
            return
        key, fee = self._keys[index], 4 * branch.fee
        if key != self._free[index]:
            self._low[index] = self._high[index] = limit if key < self._free[index] else -limit
        elif not fee:
            self._low[index] = max(-limit, min(limit, self._before[index]))
            self._high[index] = max(-limit, min(limit, self._after[index]))
        else:
            self._low[index] = self._beyond_fee(index, self._before[index], limit)
            self._high[index] = self._beyond_fee(index, self._after[index], limit)
        self._before[parent] += self._low[index]
        self._after[parent] += self._high[index]

    def _beyond_fee(self, index: int, supply: int, limit: int) -> int:
        """What of a net supply passes a branch with a fee: what is withdrawn a whole fee above the parent's key,
        what is injected a whole fee below it, and nothing between.
        """
        branch = self._feeder.branches[index]
        above = self._keys[branch.parent or 0]
        if self._keys[index] == above + 4 * branch.fee:
            return max(-limit, min(supply, 0))
        if self._keys[index] == above - 4 * branch.fee:
            return min(limit, max(supply, 0))
        return 0

    def net_supply(self, index: int) -> tuple[int, int]:
        """Net supply of a branch with all below it, just below and just above its key."""
        return self._before[index], self._after[index]

    def split(self, root_flow: int, fills: IntArray) -> list[int]:
        """Give `root_flow` to the root and its share to each branch; fill the orders at the margin.

        `fills` holds each order's state just below its branch's key (a bid at that key filled, an ask not)
        and is completed in place. Returns the flow of each branch to its parent.
        """
        flows = self._low.copy()
        flows[self._feeder.root] = root_flow
        children: list[list[int]] = [[] for _ in flows]
        for index in self._feeder.top_down[1:]:
            children[self._feeder.branches[index].parent or 0].append(index)
        for index in self._feeder.top_down:
            rise = flows[index] - self._before[index]
            if rise:
                self._split_rise(index, rise, children[index], flows, fills)
        return flows

    def _split_rise(
        self, index: int, rise: int, children: list[int], flows: list[int], fills: IntArray
    ) -> None:
        """Raise the branch's net supply by `rise` over the orders and children that can rise at its key."""
        ladder = self._ladder
        tied = ladder.order[ladder.steps[self._tied_from[index] : self._tied_to[index]] & ladder.mask]
        # All at one key are of one side. Of bids, what is shared out is the energy that they still get.
        asks = self._keys[index] % 4 == 0
        shared = rise if asks else self._after[index] - self._before[index] - rise
        rising = [child for child in children if self._high[child] > self._low[child]]
        if not rising:
            fills[tied] = pro_rata(shared, self._book.quantity[tied])
            return
        jumps = [self._high[child] - self._low[child] for child in rising]
        quantities = np.concatenate((self._book.quantity[tied], np.array(jumps, np.int64)))
        shares = pro_rata(shared, quantities)
        rises = shares if asks else quantities - shares
        fills[tied] = shares[: len(tied)]
        for child, child_rise in zip(rising, rises[len(tied) :].tolist(), strict=True):
            flows[child] += child_rise


def pro_rata(amount: int, quantities: IntArray) -> IntArray:
    """Split `amount` in proportion to `quantities`, exactly, with 0 <= amount <= sum of quantities.

    Each share is the exact proportion rounded down or up, never more than its quantity. Whole units left
    over go to the largest remainders, the first of equals first.
    """
    if len(quantities) == 1:
        return np.array([amount])
    total = int(quantities.sum())
    if amount * int(quantities.max()) < 2**63:
        shares, remainders = np.divmod(quantities * amount, total)
    else:
        exact = [divmod(quantity * amount, total) for quantity in quantities.tolist()]
        shares, remainders = np.array(exact, np.int64).T
    left_over = amount - int(shares.sum())
    shares[np.argsort(-remainders, kind="stable")[:left_over]] += 1
    return shares


def filled_below(book: OrderBook, order_keys: IntArray, keys: list[int]) -> IntArray:
    """What each order gets just below its branch's key: in the money all, out of it nothing, a bid at it all."""
    key_of_order = np.array(keys, np.int64)[book.branch] if len(keys) > 1 else keys[0]
    filled: IntArray = (order_keys < key_of_order) == (book.side == Side.SELL.value)
    return filled * book.quantity
