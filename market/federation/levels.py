"""One cell of a federation: the curve that it passes up, and its clearing once the market above has decided.

A cell sees each cell below it as one more branch, whose steps are that cell's curve instead of orders. So the
recursion is the one that `market.clearing` does over the branches of one feeder, cut at the connections:
up goes a curve, down come a price and a flow. Energies are mWh with injection positive, prices µ/kWh, money
pico-currency.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from market.clearing import Clearing, clear_below, clear_ladder, curve_below
from market.curves import Ladder, price_keys
from market.errors import FeederError, OrderError
from market.federation.cell_curve import BID, CellCurve, curve_of
from market.feeder import Branch, Feeder
from market.orders import MAX_ORDERS, IntArray, OrderBook, Side
from market.units import MAX_LIMIT, MAX_PRICE

OWN_GRID = "a cell below another has no grid of its own: what is above it is the other cell"


@dataclass(frozen=True, slots=True)
class Connection:
    """A cell below: the branch it hangs on, its curve, and of the connection the fee, µ/kWh, and the loss, millionths.

    The curve is at the cell's own end of the connection, and so are the fee and the transfer.
    """

    name: str
    branch: int
    curve: CellCurve
    fee: int = 0
    loss: int = 0


@dataclass(frozen=True, slots=True)
class Transfer:
    """What the market above decided for a cell: the energy it injects (withdraws, where negative), at a key.

    The price is the key divided by four, rounded down, and holds at the cell's side of the connection.
    """

    key: int
    flow: int

    @property
    def price(self) -> int:
        """µ/kWh."""
        return self.key // 4


@dataclass(frozen=True, slots=True, eq=False)
class CellClearing:
    """A cell's own clearing, and what it decided for each cell below, in the order of its connections.

    In `clearing` everything is the cell's own: prices, keys and flows of its branches, fills of its book,
    volume and welfare of its orders (of the grid, where the cell has one), rent within it and at its own
    limit. Its fees, its losses and what the loss account keeps are those of its branches and of the connections
    below it. The grid's import and export are, in a cell below another, what crosses its connection.
    """

    clearing: Clearing
    transfers: tuple[Transfer, ...]


def cell_curve(book: OrderBook, feeder: Feeder, below: Sequence[Connection] = ()) -> CellCurve:
    """The cell's net supply at its root, clipped to the root's limit. Raises OrderError and FeederError."""
    if feeder.grid is not None:
        raise FeederError(OWN_GRID)
    level = _Level.of(book, feeder, below)
    curve = curve_below(level.book, level.feeder, level.ladder())
    return curve_of(
        *_within_prices(curve.base, *curve.steps()),
        lost=sum(each.curve.lost for each in below),
        hidden=sum(each.curve.hidden for each in below),
    )


def clear_top(book: OrderBook, feeder: Feeder, below: Sequence[Connection] = ()) -> CellClearing:
    """Clear the cell that has none above it. Raises OrderError and FeederError."""
    level = _Level.of(book, feeder, below, top=True)
    return level.own(clear_ladder(level.book, level.keys, level.feeder, level.ladder()), feeder, len(below))


def clear_cell(
    book: OrderBook, feeder: Feeder, transfer: Transfer, below: Sequence[Connection] = ()
) -> CellClearing:
    """Clear a cell with the transfer that the market above decided for it.

    Raises OrderError where the cell's orders cannot make up the flow: it was not decided from their curve.
    """
    if feeder.grid is not None:
        raise FeederError(OWN_GRID)
    level = _Level.of(book, feeder, below)
    cleared = clear_below(level.book, level.keys, level.feeder, level.ladder(), transfer.key, transfer.flow)
    return level.own(cleared, feeder, len(below))


@dataclass(frozen=True, slots=True, eq=False)
class _Level:
    """A cell's orders, and the steps of the cells below as if they were orders on branches of their own."""

    own_orders: int
    book: OrderBook
    keys: IntArray
    feeder: Feeder
    bases: dict[int, int]

    @staticmethod
    def of(book: OrderBook, feeder: Feeder, below: Sequence[Connection], *, top: bool = False) -> "_Level":
        count = len(feeder.branches)
        if len(book) and not 0 <= int(book.branch.min()) <= int(book.branch.max()) < count:
            raise OrderError(f"an order is on a branch that is not one of the feeder's {count}")
        branches = list(feeder.branches)
        if not top:
            # The market above takes fee and loss of the connection, and moves the key by them.
            branches[feeder.root] = replace(branches[feeder.root], fee=0, loss=0)
        for each in below:
            if not 0 <= each.branch < count:
                raise FeederError(
                    f"cell {each.name!r} hangs on a branch that is not one of the feeder's {count}"
                )
            branches.append(Branch(each.name, each.branch, None, each.fee, each.loss))
        keys = np.concatenate([price_keys(book), *(each.curve.keys for each in below)])
        quantities = np.concatenate([book.quantity, *(each.curve.quantities for each in below)])
        energy = sum(each.curve.top - each.curve.base for each in below) + sum(book.quantity.tolist())
        if len(keys) > MAX_ORDERS or energy > MAX_LIMIT:
            raise OrderError(f"more than {MAX_ORDERS} orders and steps, or more than {MAX_LIMIT} mWh of them")
        places = [np.full(len(each.curve.keys), count + at) for at, each in enumerate(below)]
        bids = (keys & 3) == BID
        together = OrderBook(
            range(len(keys)),
            keys >> 2,
            quantities,
            np.where(bids, Side.BUY.value, Side.SELL.value).astype(np.int8),
            np.concatenate([book.branch, *places]).astype(np.int32),
        )
        bases = {count + at: each.curve.base for at, each in enumerate(below)}
        return _Level(len(book), together, keys, Feeder(tuple(branches), feeder.grid), bases)

    def ladder(self) -> Ladder:
        """A fresh one: each pass up uses one up."""
        ladder = Ladder(self.book, self.keys, len(self.feeder.branches))
        for branch, base in self.bases.items():
            ladder.set_base(branch, base)
        return ladder

    def own(self, cleared: Clearing, feeder: Feeder, below: int) -> CellClearing:
        """The cell's own part of a clearing of the whole level."""
        count = len(feeder.branches)
        fills = cleared.fills[: self.own_orders]
        bought = fills * (self.book.side[: self.own_orders] == Side.BUY.value)
        volume, welfare = int(bought.sum()), _value(self.book.price[: self.own_orders], 2 * bought - fills)
        if feeder.grid is not None:
            volume += cleared.grid_export
            welfare += cleared.grid_export * feeder.grid.export_price
            welfare -= cleared.grid_import * feeder.grid.import_price
        transfers = tuple(
            Transfer(cleared.keys[count + at], cleared.flows[count + at]) for at in range(below)
        )
        # The steps of cells below are no orders: what they give is their flow.
        given = int((fills - 2 * bought).sum()) + sum(each.flow for each in transfers)
        losses = given - cleared.grid_export + cleared.grid_import if self.feeder.has_losses else 0
        own = replace(
            cleared,
            losses=losses,
            prices=cleared.prices[:count],
            keys=cleared.keys[:count],
            fills=fills,
            flows=cleared.flows[:count],
            volume=volume,
            welfare=welfare,
        )
        return CellClearing(own, transfers)


def _within_prices(base: int, keys: IntArray, quantities: IntArray) -> tuple[int, IntArray, IntArray]:
    """The curve without what no order above can reach: fees and losses may carry a price beyond the greatest.

    An ask there is dearer than any bid may be, a bid worth less than any ask.
    """
    low, high = keys < -4 * MAX_PRICE, keys > 4 * MAX_PRICE + BID
    kept = ~(low | high)
    return base + int(quantities[low].sum()), keys[kept], quantities[kept]


def _value(prices: IntArray, energies: IntArray) -> int:
    traded = energies.nonzero()[0]
    pairs = zip(prices[traded].tolist(), energies[traded].tolist(), strict=True)
    return sum(price * energy for price, energy in pairs)
