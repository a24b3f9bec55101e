"""What a mechanism decided, in one form for all of them.

Energies are mWh, prices µ/kWh, money pico-currency, positive for what an order's member receives.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from market.clearing import Clearing
from market.mechanisms.names import Mechanism
from market.orders import Order, OrderId, Side


@dataclass(frozen=True, slots=True)
class Trade:
    """A bid and an ask that met, by their places in the result's orders, and what each side's price was."""

    buy: int
    sell: int
    energy: int
    price_buy: int
    price_sell: int


@dataclass(frozen=True, slots=True)
class Decision:
    """What a mechanism without a feeder decided: fills and money by place, trades, orders traded away."""

    fills: list[int]
    money: list[int]
    trades: tuple[Trade, ...] = ()
    reduced: tuple[int, int] | None = None


@dataclass(frozen=True, slots=True)
class MarketResult:
    """One auction's result; `fills` and `money` are aligned with `orders`.

    orders: ascending by id; for `continuous` in order of arrival.
    price_buy, price_sell: what buyers paid and sellers got per kWh on average, rounded up and down; None
    where nothing trades.
    trades: who met whom, where the mechanism says so (`pay-as-bid`, `continuous`).
    reduced: the places of the bid and the ask that set the prices of `mcafee` and do not trade.
    volume: bought by orders, plus the export.
    welfare: value of what was bought minus cost of what was sold at the orders' limits, the grid at its
    prices.
    kept: what the market keeps: buyers' payments beyond sellers' receipts (rent of limits, McAfee's surplus,
    the remainder of rounding). Never negative.
    clearing: all of the result on the feeder, `uniform` only.
    """

    mechanism: Mechanism
    orders: tuple[Order, ...]
    fills: tuple[int, ...]
    money: tuple[int, ...]
    price_buy: int | None
    price_sell: int | None
    trades: tuple[Trade, ...]
    reduced: tuple[int, int] | None
    volume: int
    welfare: int
    kept: int
    clearing: Clearing | None = None

    def gains(self, limits: Sequence[int] | None = None) -> dict[OrderId, int]:
        """What each member gained over not trading, pico, by its `limits` (default: those of its orders)."""
        gains: dict[OrderId, int] = {}
        for place, order in enumerate(self.orders):
            limit = order.price if limits is None else limits[place]
            worth = limit * self.fills[place]
            gain = self.money[place] + (worth if order.side is Side.BUY else -worth)
            gains[order.member] = gains.get(order.member, 0) + gain
        return gains


def result_at_one_place(mechanism: Mechanism, orders: Sequence[Order], decision: Decision) -> MarketResult:
    """The result of a mechanism that knows no feeder."""
    return summed(mechanism, orders, decision, volume=None, grid_money=0)


def summed(
    mechanism: Mechanism,
    orders: Sequence[Order],
    decision: Decision,
    *,
    volume: int | None,
    grid_money: int,
    clearing: Clearing | None = None,
) -> MarketResult:
    """The result with its totals; `grid_money` is what the supplier pays for the export less the import.

    `volume` None is what orders bought.
    """
    bought = sold = paid = received = welfare = 0
    for order, fill, money in zip(orders, decision.fills, decision.money, strict=True):
        if order.side is Side.BUY:
            bought, paid, welfare = bought + fill, paid - money, welfare + order.price * fill
        else:
            sold, received, welfare = sold + fill, received + money, welfare - order.price * fill
    return MarketResult(
        mechanism=mechanism,
        orders=tuple(orders),
        fills=tuple(decision.fills),
        money=tuple(decision.money),
        price_buy=-(-paid // bought) if bought else None,
        price_sell=received // sold if sold else None,
        trades=decision.trades,
        reduced=decision.reduced,
        volume=bought if volume is None else volume,
        welfare=welfare + grid_money,
        kept=paid - received + grid_money,
        clearing=clearing,
    )


def moved(orders: Sequence[Order], trades: Iterable[Trade]) -> Decision:
    """The decision that these trades make."""
    trades = tuple(trades)
    fills, money = [0] * len(orders), [0] * len(orders)
    for trade in trades:
        fills[trade.buy] += trade.energy
        fills[trade.sell] += trade.energy
        money[trade.buy] -= trade.energy * trade.price_buy
        money[trade.sell] += trade.energy * trade.price_sell
    return Decision(fills, money, trades)
