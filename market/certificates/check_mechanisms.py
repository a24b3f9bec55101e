"""What the mechanisms without a feeder promise beyond the laws that hold for all of them.

Energies are mWh, prices µ/kWh, money pico-currency.
"""

from collections.abc import Mapping, Sequence

from market.certificates.certificate import CertifiedTrade
from market.errors import CertificateError
from market.orders import Order, OrderId, Side

Fills = Mapping[OrderId, tuple[int, int]]
"""Energy and money by order id, of those that got energy."""


def require(holds: bool, otherwise: str) -> None:
    """Raise CertificateError unless it holds."""
    if not holds:
        raise CertificateError(otherwise)


def check_pay_as_bid(trades: Sequence[CertifiedTrade], orders: Sequence[Order], _: Fills) -> None:
    """Each pair trades at its midpoint, rounded up for the buyer and down for the seller."""
    limits = {order.id: order.price for order in orders}
    for trade in trades:
        double = limits[trade.buy] + limits[trade.sell]
        require(
            (trade.price_buy, trade.price_sell) == (-(-double // 2), double // 2),
            f"the trade of {trade.buy!r} with {trade.sell!r} is not at their midpoint",
        )


def check_continuous(trades: Sequence[CertifiedTrade], orders: Sequence[Order], fills: Fills) -> None:
    """Each pair trades at the limit of the order that came first, and no two orders that are left could trade."""
    arrival = {order.id: place for place, order in enumerate(orders)}
    latest = -1
    for trade in trades:
        buy, sell = arrival[trade.buy], arrival[trade.sell]
        price = orders[min(buy, sell)].price
        pair = f"the trade of {trade.buy!r} with {trade.sell!r}"
        require(
            trade.price_buy == trade.price_sell == price, f"{pair} is not at the price of the first of them"
        )
        require(max(buy, sell) >= latest, f"{pair} is later than one that came after it")
        latest = max(buy, sell)
    _check_nothing_left(orders, fills)


def _check_nothing_left(orders: Sequence[Order], fills: Fills) -> None:
    left = [order for order in orders if fills.get(order.id, (0, 0))[0] < order.quantity]
    bid = max((order.price for order in left if order.side is Side.BUY), default=None)
    ask = min((order.price for order in left if order.side is Side.SELL), default=None)
    require(bid is None or ask is None or bid < ask, f"a bid at {bid} and an ask at {ask} are left untraded")


def check_mcafee(reduced: tuple[OrderId, OrderId] | None, orders: Sequence[Order], fills: Fills) -> None:
    """The reduced orders set the prices and get nothing; who is better trades, and the longer side loses equally.

    They are at the margin where they cross, the energy before the one does not reach beyond the other, and
    what follows them does not cross.
    """
    if reduced is None:
        require(not fills, "energy is traded, but no reduced orders say at what prices")
        alone = any(_alone_in_the_money(side, orders) for side in Side)
        require(alone, "nothing is traded, but several bids and several asks are in the money")
        return
    by_id = {order.id: order for order in orders}
    bid, ask = by_id.get(reduced[0]), by_id.get(reduced[1])
    if bid is None or ask is None:
        raise CertificateError(f"there is no bid {reduced[0]!r} or no ask {reduced[1]!r}")
    require(bid.side is Side.BUY and ask.side is Side.SELL, "the reduced orders are not a bid and an ask")
    require(bid.price >= ask.price, "the reduced bid is below the reduced ask: the market would pay in")
    before = []
    for marginal, sign in ((bid, -1), (ask, 1)):
        better = _better(marginal, orders, fills)
        before.append(sum(order.quantity for order in better))
        for order in better:
            energy, money = fills.get(order.id, (0, 0))
            require(
                money == sign * energy * marginal.price, f"order {order.id!r} does not have its side's price"
            )
    traded = sum(energy for energy, _ in fills.values())
    require(traded == 2 * min(before), "the shorter side does not trade all it has")
    within = before[0] < before[1] + ask.quantity and before[1] < before[0] + bid.quantity
    require(within, "the reduced orders are not at the margin")
    _check_beyond(bid, ask, orders, before)


def _alone_in_the_money(side: Side, orders: Sequence[Order]) -> bool:
    """Whether the efficient volume reaches no further than the best order of a side: then nothing is left to trade.

    It does not if all that the second best could trade with fits into the best.
    """
    sign = 1 if side is Side.SELL else -1
    ranked = [(sign * order.price, order.id, order.quantity) for order in orders if order.side is side]
    if len(ranked) < 2:
        return True
    best = min(ranked)
    second = min(rank for rank in ranked if rank is not best)
    reached = sum(
        order.quantity for order in orders if order.side is not side and sign * order.price >= second[0]
    )
    return reached <= best[2]


def _better(marginal: Order, orders: Sequence[Order], fills: Fills) -> list[Order]:
    """Those of a side that come before the reduced one, having lost equally; nobody else has a fill."""
    sign = 1 if marginal.side is Side.SELL else -1
    rank = (sign * marginal.price, marginal.id)
    better = []
    for order in orders:
        if order.side is marginal.side:
            if (sign * order.price, order.id) < rank:
                better.append(order)
            else:
                require(
                    order.id not in fills, f"order {order.id!r} trades, but is not before the reduced one"
                )
    losses = [(order.quantity - fills.get(order.id, (0, 0))[0], order.id in fills) for order in better]
    most = max((loss for loss, _ in losses), default=0)
    least = min((loss for loss, filled in losses if filled), default=most)
    require(most - least <= 1, "the orders of one side do not lose equally")
    return better


def _check_beyond(bid: Order, ask: Order, orders: Sequence[Order], before: Sequence[int]) -> None:
    """Beyond the last efficient unit the next bid and the next ask do not cross."""
    reach = (before[0] + bid.quantity, before[1] + ask.quantity)
    efficient = min(reach)
    next_bid = _next(bid, orders) if reach[0] == efficient else bid.price
    next_ask = _next(ask, orders) if reach[1] == efficient else ask.price
    if next_bid is not None and next_ask is not None:
        require(next_bid < next_ask, "more could trade than up to the reduced orders")


def _next(marginal: Order, orders: Sequence[Order]) -> int | None:
    """The price of the order that follows one in merit, or None."""
    sign = 1 if marginal.side is Side.SELL else -1
    rank = (sign * marginal.price, marginal.id)
    later = [
        (sign * order.price, order.id)
        for order in orders
        if order.side is marginal.side and (sign * order.price, order.id) > rank
    ]
    return sign * min(later)[0] if later else None
