"""Pay as bid: the highest bid meets the lowest ask, then what is left of both goes on; each pair at its midpoint.

The midpoint of two prices in µ/kWh may be half a µ. Then the buyer pays the midpoint rounded up and the
seller gets it rounded down (both stay within their limits), and the remainder, one µ/kWh times the energy of
the pair, is kept by the market and reported. Energies are mWh.
"""

from collections.abc import Sequence

from market.mechanisms.crossing import merit_order, pairs
from market.mechanisms.result import Decision, Trade, moved
from market.orders import Order


def pay_as_bid(orders: Sequence[Order]) -> Decision:
    """Clear orders that ascend by id."""
    bids, asks = merit_order(orders)
    return moved(
        orders,
        (
            _at_midpoint(orders, bids[bid], asks[ask], energy)
            for bid, ask, energy in pairs(orders, bids, asks)
        ),
    )


def _at_midpoint(orders: Sequence[Order], buy: int, sell: int, energy: int) -> Trade:
    double = orders[buy].price + orders[sell].price
    return Trade(buy, sell, energy, price_buy=-(-double // 2), price_sell=double // 2)
