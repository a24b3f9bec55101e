"""One interval's auction on arrays: what each home contracted and what it pays and gets for it.

Energies are mWh (injection positive), prices µ/kWh, money pico-currency (received positive). `uniform` is
`market.clearing.clear` itself, with the supplier behind the grid connection, and `continuous` is
`market.mechanisms.continuous`; `pay-as-bid` and `mcafee` are those of market/mechanisms/ on arrays, and a test holds
each against its original. Those that know no grid clear the homes' orders among themselves; then the supplier serves
what is left of purchases at its import price or dearer and of sales at its export price or cheaper.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from market.clearing import clear
from market.feeder import Feeder, Grid
from market.mechanisms.continuous import continuous
from market.mechanisms.names import Mechanism
from market.orders import Order, OrderBook, Side
from sim.market_year.bids import Bids

IntArray = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Contracts:
    """What an auction decided.

    energy, money: by home. price: that of the interval, None where nothing trades; where prices differ by pair it is
    the mean that buyers paid, rounded down. local: mWh that went from home to home. uniform: whether `price` is
    everyone's.
    """

    energy: IntArray
    money: IntArray
    price: int | None
    local: int
    uniform: bool


def contract(
    bids: Bids, mechanism: Mechanism | None, prices: tuple[int, int], draw: np.random.Generator
) -> Contracts:
    """Clear the homes' curves; without a mechanism there is only the supplier.

    `prices` are import and export price; `draw` orders the arrivals of `continuous`.
    """
    import_price, export_price = prices
    home, price, quantity, side = bids.orders()
    buys = side == Side.BUY.value
    common: int | None = None
    if mechanism is Mechanism.UNIFORM:
        book = OrderBook.from_arrays(price, quantity, side)
        cleared = clear(book, Feeder.single(Grid(import_price, export_price)))
        fills, common = cleared.fills, cleared.prices[0]
        money = fills * np.where(buys, -1, 1) * (common or 0)
        local = min(int(fills[buys].sum()), int(fills[~buys].sum()))
    else:
        fills, money = among_homes(mechanism, price, quantity, buys, draw)
        local = int(fills[buys].sum())
        if local:
            common = -int(money[buys].sum()) // local
        rest = quantity - fills
        from_supplier = np.where(buys & (price >= import_price), rest, 0)
        to_supplier = np.where(~buys & (price <= export_price), rest, 0)
        fills = fills + from_supplier + to_supplier
        money = money + to_supplier * export_price - from_supplier * import_price
    energy, received = np.zeros(len(bids.price), np.int64), np.zeros(len(bids.price), np.int64)
    np.add.at(energy, home, np.where(buys, -fills, fills))
    np.add.at(received, home, money)
    return Contracts(energy, received, common, local, mechanism is Mechanism.UNIFORM)


def among_homes(
    mechanism: Mechanism | None,
    price: IntArray,
    quantity: IntArray,
    buys: npt.NDArray[np.bool_],
    draw: np.random.Generator,
) -> tuple[IntArray, IntArray]:
    """Fills and money of the orders by a mechanism without a grid; the place of an order is its id."""
    nothing = np.zeros(len(price), np.int64)
    if mechanism is None or not buys.any() or buys.all():
        return nothing, nothing.copy()
    if mechanism is Mechanism.CONTINUOUS:
        return _continuous(price, quantity, buys, draw.permutation(len(price)))
    bids = np.flatnonzero(buys)
    asks = np.flatnonzero(~buys)
    bids = bids[np.argsort(-price[bids], kind="stable")]
    asks = asks[np.argsort(price[asks], kind="stable")]
    bid, ask, energy = _pairs(price, quantity, bids, asks)
    if not len(energy):
        return nothing, nothing.copy()
    if mechanism is Mechanism.MCAFEE:
        return _mcafee(price, quantity, bids[: bid[-1] + 1], asks[: ask[-1] + 1])
    fills, money = nothing, nothing.copy()
    double = price[bids[bid]] + price[asks[ask]]
    np.add.at(fills, bids[bid], energy)
    np.add.at(fills, asks[ask], energy)
    np.add.at(money, bids[bid], energy * (-double // 2))
    np.add.at(money, asks[ask], energy * (double // 2))
    return fills, money


def _pairs(
    price: IntArray, quantity: IntArray, bids: IntArray, asks: IntArray
) -> tuple[IntArray, IntArray, IntArray]:
    """`market.mechanisms.crossing.pairs`: positions in `bids` and `asks` and the energy of each pair that meets."""
    wanted, offered = quantity[bids].cumsum(), quantity[asks].cumsum()
    ends = np.union1d(wanted, offered)
    ends = ends[ends <= min(int(wanted[-1]), int(offered[-1]))]
    starts = np.concatenate(([0], ends[:-1]))
    bid, ask = wanted.searchsorted(starts, "right"), offered.searchsorted(starts, "right")
    # Along the merit order bids fall and asks rise, so those that meet come first.
    meet = price[bids[bid]] >= price[asks[ask]]
    energies: IntArray = (ends - starts)[meet]
    return bid[meet], ask[meet], energies


def _mcafee(price: IntArray, quantity: IntArray, bids: IntArray, asks: IntArray) -> tuple[IntArray, IntArray]:
    """`market.mechanisms.mcafee`: the last bid and the last ask of those that cross set the prices and get nothing."""
    fills, money = np.zeros(len(price), np.int64), np.zeros(len(price), np.int64)
    buyers, sellers = np.sort(bids[:-1]), np.sort(asks[:-1])
    demand, supply = int(quantity[buyers].sum()), int(quantity[sellers].sum())
    volume = min(demand, supply)
    if volume:
        for places, surplus, unit in (
            (buyers, demand - volume, -int(price[bids[-1]])),
            (sellers, supply - volume, int(price[asks[-1]])),
        ):
            fills[places] = equal_losses(quantity[places], surplus)
            money[places] = fills[places] * unit
    return fills, money


def equal_losses(quantities: IntArray, surplus: int) -> IntArray:
    """`market.mechanisms.mcafee.equal_losses`: what is left when all lose equally until `surplus` is gone."""
    count = len(quantities)
    by_size = np.argsort(quantities, kind="stable")
    sizes = quantities[by_size]
    before = np.concatenate(([0], sizes.cumsum()[:-1]))
    survives = np.flatnonzero(sizes * (count - np.arange(count)) > surplus - before)
    left = quantities.copy()
    gone = int(survives[0]) if len(survives) else count
    left[by_size[:gone]] = 0
    losing = np.sort(by_size[gone:])
    if len(losing):
        each, odd = divmod(surplus - int(before[gone]), len(losing))
        left[losing] -= each + (np.arange(len(losing)) >= len(losing) - odd)
    return left


def _continuous(
    price: IntArray, quantity: IntArray, buys: npt.NDArray[np.bool_], arrival: IntArray
) -> tuple[IntArray, IntArray]:
    columns = (arrival.tolist(), price[arrival].tolist(), quantity[arrival].tolist(), buys[arrival].tolist())
    orders = [
        Order(place, place, 0, Side.BUY if is_buy else Side.SELL, limit, amount)
        for place, limit, amount, is_buy in zip(*columns, strict=True)
    ]
    decision = continuous(orders)
    fills, money = np.zeros(len(price), np.int64), np.zeros(len(price), np.int64)
    fills[arrival], money[arrival] = decision.fills, decision.money
    return fills, money
