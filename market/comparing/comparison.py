"""Mechanisms side by side on the same auctions: welfare, volume, who gains, what a liar gains.

All orders of an auction are at one place and trade among themselves alone, because only `uniform` knows
limits and a grid. A liar is a member that shades all its orders: it bids less and asks more than its true
limits, and its gain is counted at the true ones. Energies are mWh, prices µ/kWh, money pico-currency.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

from market.mechanisms.names import Mechanism
from market.mechanisms.result import MarketResult
from market.mechanisms.run import run
from market.orders import Order, OrderId, Side
from market.units import MAX_PRICE

SHADES = (1, 2, 5, 10, 20, 50)
"""Percent of its limits by which a liar shades."""

LIAR_WORK = 1_000_000
"""Orders cleared again, at most, to measure liars when their number is not given: some five seconds."""


@dataclass(frozen=True, slots=True)
class Auction:
    """The orders of one auction, in order of arrival; `name` tells it from others (an interval)."""

    name: str
    orders: tuple[Order, ...]


@dataclass(frozen=True, slots=True)
class Lie:
    """The best of a member's lies: what it gains beyond telling the truth, and by which percentage."""

    member: OrderId
    gain: int
    shade: int


@dataclass(frozen=True, slots=True)
class Comparison:
    """One mechanism's sums over all auctions.

    gains: by member, over not trading. buyers_gain, sellers_gain: the same by side of the order. kept: what
    the market keeps. lies: the best lie of each member that was tried; its gain is zero where none pays.
    """

    mechanism: Mechanism
    volume: int
    welfare: int
    buyers_gain: int
    sellers_gain: int
    kept: int
    gains: dict[OrderId, int]
    lies: tuple[Lie, ...]


def compare(auctions: Sequence[Auction], liars: int | None = None) -> tuple[Comparison, ...]:
    """Every mechanism on the same auctions, `uniform` (the optimum) first.

    liars: how many members are tried as liars, evenly chosen from all in order of id; None for as many as
    are quickly done.
    """
    members = sorted({order.member for auction in auctions for order in auction.orders}, key=_by_text)
    wanted = _quick(auctions) if liars is None else liars
    count = min(wanted, len(members))
    chosen = [members[index * len(members) // count] for index in range(count)]
    return tuple(_compared(mechanism, auctions, chosen) for mechanism in Mechanism)


def members_with_several_orders(auctions: Sequence[Auction]) -> int:
    """How many members have more than one order in an auction: `mcafee` is truthful only for the others."""
    several: set[OrderId] = set()
    for auction in auctions:
        counts = Counter(order.member for order in auction.orders)
        several.update(member for member, count in counts.items() if count > 1)
    return len(several)


def _by_text(member: OrderId) -> str:
    return str(member)


def _quick(auctions: Sequence[Auction]) -> int:
    once = sum(len(auction.orders) for auction in auctions) * len(SHADES) * len(Mechanism)
    return max(1, LIAR_WORK // max(once, 1))


def _compared(mechanism: Mechanism, auctions: Sequence[Auction], liars: Sequence[OrderId]) -> Comparison:
    results = [run(mechanism, auction.orders) for auction in auctions]
    gains: dict[OrderId, int] = {}
    by_side = {Side.BUY: 0, Side.SELL: 0}
    for result in results:
        for member, gain in result.gains().items():
            gains[member] = gains.get(member, 0) + gain
        for order, fill, money in zip(result.orders, result.fills, result.money, strict=True):
            worth = order.price * fill
            by_side[order.side] += money + (worth if order.side is Side.BUY else -worth)
    return Comparison(
        mechanism=mechanism,
        volume=sum(result.volume for result in results),
        welfare=sum(result.welfare for result in results),
        buyers_gain=by_side[Side.BUY],
        sellers_gain=by_side[Side.SELL],
        kept=sum(result.kept for result in results),
        gains=gains,
        lies=tuple(_best_lie(mechanism, auctions, results, liar) for liar in liars),
    )


def _best_lie(
    mechanism: Mechanism, auctions: Sequence[Auction], results: Sequence[MarketResult], liar: OrderId
) -> Lie:
    """What the member gains by the shade that pays best, the same in all auctions; zero if none pays."""
    best = Lie(liar, 0, 0)
    its = [
        (auction, result.gains().get(liar, 0))
        for auction, result in zip(auctions, results, strict=True)
        if any(order.member == liar for order in auction.orders)
    ]
    for shade in SHADES:
        gain = sum(gain_of_lie(mechanism, auction.orders, liar, shade) - truth for auction, truth in its)
        if gain > best.gain:
            best = Lie(liar, gain, shade)
    return best


def gain_of_lie(mechanism: Mechanism, orders: Sequence[Order], liar: OrderId, shade: int) -> int:
    """What the member gains over not trading, at its true limits, when it shades all its orders by `shade` %."""
    told = [shaded(order, shade) if order.member == liar else order for order in orders]
    true_limits = {order.id: order.price for order in orders}
    result = run(mechanism, told)
    return result.gains([true_limits[order.id] for order in result.orders])[liar]


def shaded(order: Order, shade: int) -> Order:
    """The order with a limit that is worse for others by `shade` percent of its size, at least rounded so."""
    distance = -(-abs(order.price) * shade // 100)
    price = order.price - distance if order.side is Side.BUY else order.price + distance
    return replace(order, price=max(-MAX_PRICE, min(MAX_PRICE, price)))
