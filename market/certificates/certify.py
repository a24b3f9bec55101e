"""Certificates of results: of any mechanism, and of the auction that a block holds."""

from market.certificates.certificate import (
    Certificate,
    CertifiedFill,
    CertifiedTrade,
    feeder_hash,
    orders_hash,
)
from market.clearing import Clearing
from market.feeder import Feeder
from market.mechanisms.names import Mechanism
from market.mechanisms.result import MarketResult
from market.mechanisms.uniform import orders_of, uniform_result
from market.orders import Order, OrderBook, Side


def certify(result: MarketResult, feeder: Feeder | None = None) -> Certificate:
    """The certificate of a result; `feeder` is the one it was cleared on, None for one place."""
    ids = [order.id for order in result.orders]
    clearing = result.clearing
    fills = [
        CertifiedFill(order_id, energy, money)
        for order_id, energy, money in zip(ids, result.fills, result.money, strict=True)
        if energy
    ]
    if result.mechanism is Mechanism.CONTINUOUS:
        fills.sort(key=lambda fill: fill.order)
    return Certificate(
        mechanism=result.mechanism,
        orders_hash=orders_hash(result.orders),
        feeder_hash=feeder_hash(Feeder.single() if feeder is None else feeder),
        keys=clearing.keys if clearing is not None else _supporting_keys(result),
        fills=tuple(fills),
        flows=clearing.flows if clearing is not None else (0,),
        trades=tuple(
            CertifiedTrade(ids[trade.buy], ids[trade.sell], trade.energy, trade.price_buy, trade.price_sell)
            for trade in result.trades
        ),
        reduced=None if result.reduced is None else (ids[result.reduced[0]], ids[result.reduced[1]]),
        volume=result.volume,
        welfare=result.welfare,
        kept=result.kept,
    )


def certify_clearing(book: OrderBook, feeder: Feeder, clearing: Clearing) -> Certificate:
    """The certificate of an auction that was cleared from a book."""
    return certify(uniform_result(orders_of(book), feeder, clearing), feeder)


def _supporting_keys(result: MarketResult) -> tuple[int, ...]:
    """A key that supports the fills of `pay-as-bid`, which are an optimum's; nothing supports the others'.

    It lies at or above every ask that got something and every bid that did not get all, and at or below
    every bid that got something and every ask that did not get all.
    """
    if result.mechanism is not Mechanism.PAY_AS_BID:
        return ()
    lower: list[int] = []
    upper: list[int] = []
    for order, fill in zip(result.orders, result.fills, strict=True):
        key = _key(order)
        buys = order.side is Side.BUY
        if fill:
            (upper if buys else lower).append(key)
        if fill < order.quantity:
            (lower if buys else upper).append(key)
    bounds = ([max(lower)] if lower else []) + ([min(upper)] if upper else [])
    return (sum(bounds) // max(len(bounds), 1),)


def _key(order: Order) -> int:
    return 4 * order.price + (3 if order.side is Side.BUY else 0)
