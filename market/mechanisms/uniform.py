"""The uniform price on the tree: the auction that blocks use, in the form that all mechanisms share.

Energies are mWh, prices µ/kWh, money pico-currency.
"""

from collections.abc import Sequence

from market.clearing import Clearing
from market.feeder import Feeder
from market.mechanisms.names import Mechanism
from market.mechanisms.result import Decision, MarketResult, summed
from market.orders import Order, OrderBook, Side


def uniform_result(orders: Sequence[Order], feeder: Feeder, clearing: Clearing) -> MarketResult:
    """What `clearing` decided on the feeder for orders that ascend by id."""
    fills: list[int] = clearing.fills.tolist()
    money = [
        fill * (clearing.prices[order.branch] or 0) * (1 if order.side is Side.SELL else -1) if fill else 0
        for order, fill in zip(orders, fills, strict=True)
    ]
    return summed(
        Mechanism.UNIFORM,
        orders,
        Decision(fills, money),
        volume=clearing.volume,
        grid_money=_grid_money(feeder, clearing),
        clearing=clearing,
    )


def orders_of(book: OrderBook) -> list[Order]:
    """The orders of a book, ascending by id; the book knows no members, so each order is its own member's."""
    columns = (book.branch.tolist(), book.side.tolist(), book.price.tolist(), book.quantity.tolist())
    return [
        Order(order_id, order_id, branch, Side(side), price, quantity)
        for order_id, branch, side, price, quantity in zip(book.ids, *columns, strict=True)
    ]


def _grid_money(feeder: Feeder, clearing: Clearing) -> int:
    if feeder.grid is None:
        return 0
    return clearing.grid_export * feeder.grid.export_price - clearing.grid_import * feeder.grid.import_price
