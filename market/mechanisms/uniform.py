"""The uniform price on the tree: the auction that blocks use, in the form that all mechanisms share.

Energies are mWh, prices µ/kWh, money pico-currency.
"""

from collections.abc import Sequence

from market.clearing import Clearing, clear
from market.feeder import Feeder
from market.mechanisms.names import Mechanism
from market.mechanisms.result import Decision, MarketResult, summed
from market.orders import Order, OrderBook, Side


def uniform(orders: Sequence[Order], book: OrderBook, feeder: Feeder) -> MarketResult:
    """Clear on the feeder orders that ascend by id, which `book` holds. Raises OrderError."""
    clearing = clear(book, feeder)
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


def _grid_money(feeder: Feeder, clearing: Clearing) -> int:
    if feeder.grid is None:
        return 0
    return clearing.grid_export * feeder.grid.export_price - clearing.grid_import * feeder.grid.import_price
