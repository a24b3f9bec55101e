"""Continuous trading with price-time priority: an order meets the best resting ones when it arrives, then rests.

The best is the highest bid or the lowest ask, of equals the one that came first; the trade has the resting
order's price for both sides. It is the only mechanism whose result depends on the order of arrival.
Energies are mWh, prices µ/kWh.
"""

import heapq
from collections.abc import Iterator, Sequence

from market.mechanisms.result import Decision, Trade, moved
from market.orders import Order, Side


def continuous(orders: Sequence[Order]) -> Decision:
    """Trade orders in the order in which they come."""
    return moved(orders, _trades(orders))


def _trades(orders: Sequence[Order]) -> Iterator[Trade]:
    # Each resting order as (how far its price is from the best, arrival), so that the least is the best.
    resting: dict[Side, list[tuple[int, int]]] = {Side.BUY: [], Side.SELL: []}
    left = [order.quantity for order in orders]
    for place, order in enumerate(orders):
        buys = order.side is Side.BUY
        opposite = resting[Side.SELL if buys else Side.BUY]
        while left[place] and opposite:
            best = opposite[0][1]
            price = orders[best].price
            if (order.price < price) if buys else (order.price > price):
                break
            energy = min(left[place], left[best])
            left[place] -= energy
            left[best] -= energy
            yield Trade(place if buys else best, best if buys else place, energy, price, price)
            if not left[best]:
                heapq.heappop(opposite)
        if left[place]:
            heapq.heappush(resting[order.side], (-order.price if buys else order.price, place))
