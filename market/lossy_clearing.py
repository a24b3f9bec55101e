"""The auction on a feeder with losses: the same recursion, with every branch's curve scaled on its way up.

What a branch injects arrives at its parent diminished by the loss, what it withdraws has to be sent increased by
it, and prices are scaled to match (`market.losses`). On the way down each branch gets its flow first and then the
key that supports it, nearest to what its parent's key is worth there.

The loss account keeps what price steps leave over: of a branch whose parent has the price P >= 0 and whose own
end carries the flow F,

    - P / (1 - loss) < kept < |F|        (pico-currency: µ/kWh times mWh)

and the welfare less fees is below that of the best plan in real numbers by less than the sum over the branches of
(|F*| + P) / (1 - loss), F* being the best plan's flow. Both hold where no branch has a negative price; where one
has, the account keeps |P| times the energy lost on a branch, and the plan is feasible but may not be the best.

Energies are mWh, prices µ/kWh, money pico; a flow is positive out of a branch.
"""

from collections.abc import Sequence

import numpy as np

from market.curves import Ladder
from market.fee_curves import StepCurve, joined_curve
from market.feeder import Feeder
from market.losses import (
    arriving,
    arriving_each,
    ask_at_parent,
    bid_at_parent,
    flows_of,
    price_of_injection,
    price_of_withdrawal,
)
from market.orders import IntArray, OrderBook
from market.rationing import pro_rata

Interval = tuple[int, int]


class LossyFlows:
    """Keys and flows of every branch, and the fills, worked out on construction.

    `arrivals` are the flows at the parents' ends; the difference to `flows` is lost. `top_price` is the
    supplier's at which the root exchanges with the grid.
    """

    def __init__(self, book: OrderBook, feeder: Feeder, ladder: Ladder, connection: Interval) -> None:
        count = len(feeder.branches)
        self._book, self._feeder, self._ladder = book, feeder, ladder
        self._children: list[list[int]] = [[] for _ in range(count)]
        for index in feeder.top_down[1:]:
            self._children[feeder.branches[index].parent or 0].append(index)
        self._connection = connection
        self._full: list[StepCurve] = [StepCurve.nothing()] * count
        self._clipped = self._full.copy()
        self._passed = self._full.copy()
        for index in reversed(feeder.top_down):
            self._pass_up(index)
        self.keys = [0] * count
        self.flows = [0] * count
        self.arrivals = [0] * count
        self.shares: dict[int, int] = {}

    def _pass_up(self, index: int) -> None:
        branch, ladder = self._feeder.branches[index], self._ladder
        ranks = ladder.steps[ladder.starts[index] : ladder.starts[index + 1]] & ladder.mask
        own = StepCurve.of(-int(ladder.demand[index]), ladder.keys[ranks], ladder.quantities[ranks])
        full = joined_curve([own, *(self._passed[child] for child in self._children[index])])
        lower, upper = self._connection
        if branch.parent is not None:
            lower, upper = (-(2**62), 2**62) if branch.limit is None else (-branch.limit, branch.limit)
        self._full[index] = full
        self._clipped[index] = full.copy()
        self._clipped[index].clip(lower, upper)
        if branch.parent is not None:
            self._passed[index] = _passed(self._clipped[index], branch.fee, branch.loss)

    def root_intervals(self) -> tuple[Interval, Interval]:
        """The keys that the connection's limits leave the root free, and those at which the feeder is balanced."""
        root = self._feeder.root
        return self._full[root].interval(*self._connection), self._clipped[root].interval(0, 0)

    def curve_at_root(self) -> StepCurve:
        """The whole feeder's net supply at its root, within the connection's limits; not to be changed."""
        return self._clipped[self._feeder.root]

    def keys_of(self, flow: int) -> Interval:
        """The keys at which the root's orders and branches together give a flow."""
        return self._full[self._feeder.root].interval(flow, flow)

    def supply_at_root(self, key: int) -> int:
        """Net supply of the root within the connection's limits, below a key."""
        return self._clipped[self._feeder.root].around(key)[0]

    def hand_down(self, root_key: int, root_flow: int) -> None:
        """Give the root its key and flow, and every branch below what follows."""
        root = self._feeder.root
        self.keys[root], self.flows[root] = root_key, root_flow
        self.arrivals[root] = arriving(root_flow, self._feeder.branches[root].loss)
        for index in self._feeder.top_down:
            self._split(index)

    def _split(self, index: int) -> None:
        """Share a branch's flow over its own orders at its key and its children's steps there."""
        key, ladder, children = self.keys[index], self._ladder, self._children[index]
        steps = ladder.steps[ladder.starts[index] : ladder.starts[index + 1]] & ladder.mask
        keys = ladder.keys[steps]
        tied = ladder.order[steps[keys.searchsorted(key) : keys.searchsorted(key + 1)]]
        before, after = self._full[index].around(key)
        around = [self._passed[child].around(key) for child in children]
        jumps = [high - low for low, high in around]
        quantities = np.concatenate((self._book.quantity[tied], np.array(jumps, np.int64)))
        rises, shares = quantities[:0], quantities[:0]
        if len(quantities) and after > before:
            # Of bids, what is shared out is the energy that they still get.
            asks = key % 4 == 0
            amount = self.flows[index] - before if asks else after - self.flows[index]
            shares = _shared(amount, quantities)
            rises = shares if asks else quantities - shares
        self.shares.update(zip(tied.tolist(), shares.tolist(), strict=False))
        child_rises = rises[len(tied) :].tolist() or [0] * len(children)
        for child, (low, _), rise in zip(children, around, child_rises, strict=True):
            self._enter(child, key, low + rise)

    def _enter(self, index: int, above: int, arrival: int) -> None:
        """Give a branch the flow that makes `arrival` at its parent, whose key is `above`, and a key for it."""
        branch, full = self._feeder.branches[index], self._full[index]
        lowest, highest = (
            injection_key(above, branch.fee, branch.loss),
            withdrawal_key(above, branch.fee, branch.loss),
        )
        least, greatest = flows_of(arrival, branch.loss)
        flow = least
        if least < greatest:
            # Several flows arrive as this: the one at which no order is left with a mWh unfilled.
            before, after = self._clipped[index].around(lowest)
            flow = after if least <= after <= greatest else min(max(before, least), greatest)
            flow = before if least <= before <= greatest else flow
        if flow:
            key = lowest if flow > 0 else highest
        else:
            first, last = full.interval(0, 0)
            key = min(max(min(max(above, first), last), lowest), highest)
        first, last = full.interval(flow, flow)
        self.keys[index], self.flows[index] = min(max(key, first), last), flow
        self.arrivals[index] = arrival


def injection_key(above: int, fee: int, loss: int) -> int:
    """The greatest key behind a branch of which no ask is dearer at the parent than its key `above`."""
    price = price_of_injection(above // 4, fee, loss)
    exact = int(ask_at_parent(price, fee, loss)) == above // 4
    return 4 * price + (above % 4 if exact else 3)


def withdrawal_key(above: int, fee: int, loss: int) -> int:
    """The least key behind a branch of which no bid is worth less at the parent than its key `above`."""
    price = price_of_withdrawal(above // 4, fee, loss)
    exact = int(bid_at_parent(price, fee, loss)) == above // 4
    return 4 * price + (above % 4 if exact else 0)


def _passed(curve: StepCurve, fee: int, loss: int) -> StepCurve:
    """A branch's curve as its parent sees it."""
    keys, before, after = curve.supply_at_steps()
    parts = []
    for low, high, move in (
        (np.minimum(before, 0), np.minimum(after, 0), bid_at_parent),
        (np.maximum(before, 0), np.maximum(after, 0), ask_at_parent),
    ):
        sizes = arriving_each(high, loss) - arriving_each(low, loss)
        kept = sizes > 0
        parts.append((4 * move(keys[kept] >> 2, fee, loss) + (keys[kept] & 3), sizes[kept]))
    return StepCurve.of(
        arriving(curve.base, loss), *(np.concatenate(columns) for columns in zip(*parts, strict=True))
    )


def _shared(amount: int, quantities: IntArray) -> IntArray:
    return pro_rata(amount, quantities) if int(quantities.sum()) else quantities


def loss_money(feeder: Feeder, keys: Sequence[int], flows: LossyFlows, top_price: int) -> tuple[int, int]:
    """What full branches (rent) and what rounding and negative prices (the loss account) leave over, pico."""
    rent = kept = 0
    for index, branch in enumerate(feeder.branches):
        flow, arrival = flows.flows[index], flows.arrivals[index]
        above = top_price if branch.parent is None else keys[branch.parent] // 4
        if not flow:
            kept += above * arrival
            continue
        worth = price_of_injection if flow > 0 else price_of_withdrawal
        unbound = worth(above, branch.fee, branch.loss)
        rent += (unbound - keys[index] // 4) * flow
        kept += above * arrival - unbound * flow - branch.fee * abs(flow)
    return rent, kept
