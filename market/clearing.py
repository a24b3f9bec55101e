"""The auction: welfare-optimal fills and locational prices on a radial feeder, in integers.

Orders are ordered by keys: a member's ask at price p has the key 4p, the supplier's bid 4p+1, the
supplier's ask 4p+2, a member's bid 4p+3. So a bid meets an ask at the same price, and members come before
the grid on ties. The curves of the branches are clipped to their limits and added from the leaves up; the
key at which net supply is zero is found at the top and handed down, clamped to each branch's free interval;
then the fills follow, also from the top down. docs/market-clearing.md tells it with an example.

Energies are mWh, prices µ/kWh, money pico. Injection is positive: a flow is positive out of a branch.
"""

from dataclasses import dataclass

import numpy as np

from market.curves import HIGHEST_KEY, LOWEST_KEY, Curve, Ladder, price_keys
from market.errors import OrderError
from market.fee_curves import FeePassUp, StepCurve, pass_up_with_fees
from market.feeder import Feeder, Grid
from market.losses import price_of_injection, price_of_withdrawal
from market.lossy_clearing import LossyFlows, loss_money
from market.orders import IntArray, OrderBook, Side
from market.rationing import UNLIMITED, Rationing, filled_below
from market.zones import PassUp, pass_up


@dataclass(frozen=True, slots=True, eq=False)
class Clearing:
    """What one auction decided; everything per branch is aligned with `feeder.branches`.

    prices: µ/kWh, None where nothing trades (no order of the branch is filled and no energy flows in or out).
    keys: the price keys behind the prices, defined on every branch.
    fills: mWh that each order of the book got, aligned with the book.
    flows: mWh from the branch to its parent (from the root to the grid), negative for into the branch.
    grid_import, grid_export: mWh over the grid connection, at most one of them above zero.
    volume: mWh bought by orders, plus the export.
    welfare: pico; value of what was bought minus cost of what was sold, the grid at its prices.
    rent: pico; what buyers pay beyond what sellers get and the fees, because limits bind. Never negative.
    fees: pico; the branches' fees on their flows. The plan is that of the greatest welfare less fees.
    losses: mWh; what is lost in the branches, rounding included. loss_money: pico; what buyers pay beyond all of
    that because prices are whole numbers, or because one is negative (`market.lossy_clearing` bounds it).
    """

    prices: tuple[int | None, ...]
    keys: tuple[int, ...]
    fills: IntArray
    flows: tuple[int, ...]
    grid_import: int
    grid_export: int
    volume: int
    welfare: int
    rent: int
    fees: int = 0
    losses: int = 0
    loss_money: int = 0


_BUY = Side.BUY.value


def clear(book: OrderBook, feeder: Feeder) -> Clearing:
    """Clear the book on the feeder. Raises OrderError when an order names a branch that is not there."""
    branches = len(feeder.branches)
    if _outside(book, branches):
        raise OrderError(f"an order is on a branch that is not one of the feeder's {branches}")
    order_keys = price_keys(book)
    return clear_ladder(book, order_keys, feeder, Ladder(book, order_keys, branches))


def clear_ladder(book: OrderBook, order_keys: IntArray, feeder: Feeder, ladder: Ladder) -> Clearing:
    """Clear a book whose orders have these keys and are laid out in this ladder, which is used up."""
    if feeder.has_losses:
        return _clear_with_losses(book, feeder, order_keys, ladder)
    connection = _connection_limits(feeder)
    up = passed_up(feeder, ladder)
    top_key = _top_key(feeder, up, connection)
    keys, free = _keys(feeder, up, top_key)
    rationing = Rationing(book, feeder, ladder, keys, free)
    fills = filled_below(book, order_keys, keys)
    root_flow = _root_flow(feeder, connection, top_key, keys[feeder.root], rationing.net_supply(feeder.root))
    flows = rationing.split(root_flow, fills)
    return _summary(book, feeder, ladder, fills, flows, top_key, keys)


def _clear_with_losses(book: OrderBook, feeder: Feeder, order_keys: IntArray, ladder: Ladder) -> Clearing:
    """The same on a feeder with losses; its keys, flows and fills are those of `market.lossy_clearing`."""
    connection = _connection_limits(feeder)
    flows = LossyFlows(book, feeder, ladder, connection)
    (first, last), balanced = flows.root_intervals()
    root, grid = feeder.branches[feeder.root], feeder.grid
    top_key, root_flow, top_price = _middle(first, last), 0, 0
    if grid is not None:
        bid = 4 * price_of_injection(grid.export_price, root.fee, root.loss) + 1
        ask = 4 * price_of_withdrawal(grid.import_price, root.fee, root.loss) + 2
        top_key = _key_at_supplier(bid, ask, *balanced)
        if not first <= top_key <= last:
            root_flow = connection[1] if last < top_key else connection[0]
        elif top_key in (bid, ask):
            root_flow = flows.supply_at_root(top_key)
        top_price = grid.export_price if root_flow > 0 else grid.import_price
        top_key = min(max(top_key, first), last)
    flows.hand_down(top_key, root_flow)
    return _lossy_summary(book, feeder, order_keys, ladder, flows, top_price)


def _lossy_summary(
    book: OrderBook, feeder: Feeder, order_keys: IntArray, ladder: Ladder, flows: LossyFlows, top_price: int
) -> Clearing:
    fills = filled_below(book, order_keys, flows.keys)
    for place, share in flows.shares.items():
        fills[place] = share
    arrival = flows.arrivals[feeder.root]
    grid_import, grid_export = max(0, -arrival), max(0, arrival)
    bought = fills * (book.side == Side.BUY.value)
    welfare = _value(book, ladder, 2 * bought - fills)
    if feeder.grid is not None:
        welfare += grid_export * feeder.grid.export_price - grid_import * feeder.grid.import_price
    trades = _traded(book, fills, len(flows.keys))
    for branch, crossing in zip(feeder.branches, flows.arrivals, strict=True):
        if crossing and branch.parent is not None:
            trades[branch.parent] = True
    trades = [traded or bool(flow) for traded, flow in zip(trades, flows.flows, strict=True)]
    rent, kept = loss_money(feeder, flows.keys, flows, top_price)
    return Clearing(
        prices=tuple(key // 4 if traded else None for key, traded in zip(flows.keys, trades, strict=True)),
        keys=tuple(flows.keys),
        fills=fills,
        flows=tuple(flows.flows),
        grid_import=grid_import,
        grid_export=grid_export,
        volume=int(bought.sum()) + grid_export,
        welfare=welfare,
        rent=rent,
        fees=sum(branch.fee * abs(flow) for branch, flow in zip(feeder.branches, flows.flows, strict=True)),
        losses=int((fills - 2 * bought).sum()) - arrival,
        loss_money=kept,
    )


def clear_below(
    book: OrderBook, order_keys: IntArray, feeder: Feeder, ladder: Ladder, key: int, flow: int
) -> Clearing:
    """Clear a feeder whose root gives `flow` to a place above it that has this key, and has no grid itself.

    The root's key is the nearest to the one above at which the feeder's net supply is the flow; the rent has
    the difference. Raises OrderError where the orders, within the root's limit, cannot make up the flow.
    """
    root, limit = feeder.root, feeder.branches[feeder.root].limit
    if feeder.has_losses:
        lossy = LossyFlows(book, feeder, ladder, _open_limits(limit))
        _check_reach(lossy.curve_at_root(), flow)
        first, last = lossy.keys_of(flow)
        lossy.hand_down(min(max(key, first), last), flow)
        return _lossy_summary(book, feeder, order_keys, ladder, lossy, key // 4)
    up = passed_up(feeder, ladder)
    if limit is not None:
        up.first[root], up.last[root] = up.curve.clip(-limit, limit)
    _check_reach(up.curve, flow)
    first, last = up.curve.clip(flow, flow)
    up.first[root], up.last[root] = max(up.first[root], first), min(up.last[root], last)
    keys, free = _keys(feeder, up, key)
    rationing = Rationing(book, feeder, ladder, keys, free)
    fills = filled_below(book, order_keys, keys)
    flows = rationing.split(flow, fills)
    return _summary(book, feeder, ladder, fills, flows, key, keys)


def curve_below(book: OrderBook, feeder: Feeder, ladder: Ladder) -> Curve | StepCurve:
    """The curve of a feeder without a grid at its root, clipped to the root's limit; uses up the ladder.

    With losses it is what is left of what the branches give, and what they need with what is lost on the way: the
    very curve that a feeder above would make of the root as one of its branches.
    """
    limits = _open_limits(feeder.branches[feeder.root].limit)
    if feeder.has_losses:
        return LossyFlows(book, feeder, ladder, limits).curve_at_root()
    curve = passed_up(feeder, ladder).curve
    curve.clip(*limits)
    return curve


def _open_limits(limit: int | None) -> tuple[int, int]:
    return (-UNLIMITED, UNLIMITED) if limit is None else (-limit, limit)


def _check_reach(curve: Curve | StepCurve, flow: int) -> None:
    if not curve.base <= flow <= curve.top:
        raise OrderError(
            f"a transfer of {flow} mWh, where the cell's orders reach from {curve.base} to {curve.top}"
        )


def passed_up(feeder: Feeder, ladder: Ladder) -> PassUp | FeePassUp:
    """The curve of the whole feeder at its root, not yet clipped there; uses up the ladder's quantities.

    These are steps 2 and 3 of the algorithm. A branch whose limit cannot bind shares its parent's curve and
    key, so curves are kept per zone: a branch whose limit may bind, or the root, with the branches below it
    up to the next such ones. With fees, keys differ by branch, and `market.fee_curves` takes each by itself.
    """
    return pass_up_with_fees(feeder, ladder) if feeder.has_fees else pass_up(feeder, ladder)


def _outside(book: OrderBook, branches: int) -> bool:
    if branches == 1:
        return bool(np.count_nonzero(book.branch))
    return len(book) > 0 and not 0 <= int(book.branch.min()) <= int(book.branch.max()) < branches


def _connection_limits(feeder: Feeder) -> tuple[int, int]:
    """Least and greatest flow from the root to the grid."""
    if feeder.grid is None:
        return 0, 0
    own = feeder.branches[feeder.root].limit
    least = min(limit for limit in (feeder.grid.import_limit, own, UNLIMITED) if limit is not None)
    greatest = min(limit for limit in (feeder.grid.export_limit, own, UNLIMITED) if limit is not None)
    return -least, greatest


def _supplier_keys(feeder: Feeder, grid: Grid) -> tuple[int, int]:
    """The keys of the supplier's bid and ask as the feeder sees them: less and plus the connection's fee."""
    fee = feeder.branches[feeder.root].fee
    return 4 * (grid.export_price - fee) + 1, 4 * (grid.import_price + fee) + 2


def _top_key(feeder: Feeder, up: PassUp | FeePassUp, connection: tuple[int, int]) -> int:
    """The key where the supplier is, or without one the root's; notes the root's free interval of keys."""
    root = feeder.root
    if feeder.grid is None:
        return _middle(*up.curve.interval(0, 0))
    up.first[root], up.last[root] = up.curve.interval(*connection)
    lowest, highest = up.curve.interval(0, 0)
    # What the connection holds back on its own does not move the key of what the supplier could balance.
    lowest = lowest if connection[0] else LOWEST_KEY
    highest = highest if connection[1] else HIGHEST_KEY
    return _key_at_supplier(*_supplier_keys(feeder, feeder.grid), lowest, highest)


def _keys(feeder: Feeder, up: PassUp | FeePassUp, top_key: int) -> tuple[list[int], list[int]]:
    """From the top down the key of each branch, and what it would be without the branch's own limit."""
    zero = up.zero if isinstance(up, FeePassUp) else None
    keys = [top_key] * len(feeder.branches)
    free = keys.copy()
    for index in feeder.top_down:
        branch = feeder.branches[index]
        if branch.parent is not None:
            above = keys[branch.parent]
            free[index] = above
            if zero is not None and branch.fee:
                free[index] = _key_past_fee(above, 4 * branch.fee, *zero[index])
        keys[index] = min(max(free[index], up.first[index]), up.last[index])
    return keys, free


def _key_past_fee(above: int, fee: int, first: int, last: int) -> int:
    """The key nearest to the one above, at most a fee from it, at which the branch takes and gives nothing.

    `first` and `last` bound the keys of that kind. Where none is so near the branch is a whole fee from its
    parent: dearer, because it withdraws, or cheaper, because it injects.
    """
    nearest = min(max(above, first), last)
    return min(max(nearest, above - fee), above + fee)


def _key_at_supplier(bid: int, ask: int, first: int, last: int) -> int:
    """The middle of the keys at which the feeder and the supplier together are balanced.

    `first` and `last` bound the keys at which the feeder alone is; the supplier takes any surplus at its
    bid's key and covers any lack at its ask's.
    """
    return (min(max(first, bid), ask) + max(min(last, ask), bid)) // 2


def _middle(first: int, last: int) -> int:
    """The middle, rounded down; of an interval without one end the other end, without both zero."""
    if first == LOWEST_KEY:
        return 0 if last == HIGHEST_KEY else last
    return first if last == HIGHEST_KEY else (first + last) // 2


def _root_flow(
    feeder: Feeder, connection: tuple[int, int], top_key: int, root_key: int, net_supply: tuple[int, int]
) -> int:
    """What the root gives to the grid: all it has to where the supplier is at the margin, else nothing."""
    if feeder.grid is None:
        return 0
    least, greatest = connection
    if root_key < top_key:
        return greatest
    if root_key > top_key:
        return least
    if top_key in _supplier_keys(feeder, feeder.grid):
        # No order has a supplier's key, so net supply is the same just below and just above it.
        return min(max(net_supply[0], least), greatest)
    return 0


def _summary(
    book: OrderBook,
    feeder: Feeder,
    ladder: Ladder,
    fills: IntArray,
    flows: list[int],
    top_key: int,
    keys: list[int],
) -> Clearing:
    grid_import, grid_export = max(0, -flows[feeder.root]), max(0, flows[feeder.root])
    bought = fills * (book.side == _BUY)
    volume = int(np.add.reduce(bought)) + grid_export
    bought <<= 1
    bought -= fills
    welfare = _value(book, ladder, bought)
    if feeder.grid is not None:
        welfare += grid_export * feeder.grid.export_price - grid_import * feeder.grid.import_price
    rent = fees = 0
    trades = [volume > 0] if len(keys) == 1 else _traded(book, fills, len(keys))
    for index, branch in enumerate(feeder.branches):
        flow = flows[index]
        if flow:
            above = top_key if branch.parent is None else keys[branch.parent]
            fee = branch.fee * abs(flow)
            fees += fee
            # The key at the top is the supplier's, the connection's fee already taken.
            rent += (above // 4 - keys[index] // 4) * flow - (0 if branch.parent is None else fee)
            trades[index] = True
            if branch.parent is not None:
                trades[branch.parent] = True
    prices = tuple(key // 4 if traded else None for key, traded in zip(keys, trades, strict=True))
    return Clearing(
        prices, tuple(keys), fills, tuple(flows), grid_import, grid_export, volume, welfare, rent, fees
    )


def _traded(book: OrderBook, fills: IntArray, branches: int) -> list[bool]:
    """For each branch whether one of its own orders got energy."""
    counts = np.bincount(book.branch[fills > 0], minlength=branches)
    traded: list[bool] = (counts > 0).tolist()
    return traded


def _value(book: OrderBook, ladder: Ladder, energies: IntArray) -> int:
    """Sum of price times energy, exact: in 64 bits where that is safe, in Python's integers where not."""
    if not len(book):
        return 0
    largest = max(abs(int(ladder.keys[0])), abs(int(ladder.keys[-1]))) // 4 + 1
    if largest * int(ladder.reach[-1]) < 2**63:
        return int(book.price.dot(energies))
    traded = energies.nonzero()[0]
    return sum(
        price * energy
        for price, energy in zip(book.price[traded].tolist(), energies[traded].tolist(), strict=True)
    )
