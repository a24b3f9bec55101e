"""McAfee's trade reduction for orders of many units.

After Huang, Scheller-Wolf and Sycara, "Design of a multi-unit double auction e-market", Computational
Intelligence 18(4), 2002. The bid and the ask in which the last unit of the efficient volume falls are traded
away: they set the price that all better buyers pay (that bid) and all better sellers get (that ask), and get
nothing themselves. So no order's own limit ever sets its price, and the market never pays in. Where the
better bids and the better asks are not of one size, each order of the longer side loses the same energy (an
order smaller than that loses all it has): what is lost depends on no price.

A member with one order therefore gains nothing by any other limit than its true one (McAfee, Journal of
Economic Theory 56, 1992). It is not so for a member with several orders, one of which may set the price of
another, nor for quantities. Energies are mWh, prices µ/kWh.
"""

from collections.abc import Sequence

from market.mechanisms.crossing import merit_order, pairs
from market.mechanisms.result import Decision
from market.orders import Order


def mcafee(orders: Sequence[Order]) -> Decision:
    """Clear orders that ascend by id."""
    fills, money = [0] * len(orders), [0] * len(orders)
    bids, asks = merit_order(orders)
    last_bid, last_ask = 0, 0
    for bid, ask, _ in pairs(orders, bids, asks):
        last_bid, last_ask = bid, ask
    buyers, sellers = sorted(bids[:last_bid]), sorted(asks[:last_ask])
    demand = sum(orders[place].quantity for place in buyers)
    supply = sum(orders[place].quantity for place in sellers)
    volume = min(demand, supply)
    if not volume:
        return Decision(fills, money)
    reduced = bids[last_bid], asks[last_ask]
    for places, surplus, price in (
        (buyers, demand - volume, -orders[reduced[0]].price),
        (sellers, supply - volume, orders[reduced[1]].price),
    ):
        quantities = [orders[place].quantity for place in places]
        for place, energy in zip(places, equal_losses(quantities, surplus), strict=True):
            fills[place] = energy
            money[place] = energy * price
    return Decision(fills, money, reduced=reduced)


def equal_losses(quantities: Sequence[int], surplus: int) -> list[int]:
    """What is left of each quantity when all lose equally until `surplus` is gone; none below zero.

    0 <= surplus <= sum of the quantities. Units that do not divide are lost by the last ones.
    """
    left = list(quantities)
    by_size = sorted(range(len(left)), key=left.__getitem__)
    count = len(by_size)
    for position in by_size:
        if left[position] * count > surplus:
            break
        surplus -= left[position]
        left[position] = 0
        count -= 1
    losing = sorted(by_size[len(by_size) - count :])
    if losing:
        each, odd = divmod(surplus, count)
        for number, position in enumerate(losing):
            left[position] -= each + (number >= count - odd)
    return left
