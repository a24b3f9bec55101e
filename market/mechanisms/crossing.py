"""The merit order: bids from the highest, asks from the lowest, equal prices by id, and how far they cross.

Energies are mWh, prices µ/kWh. Orders are named by their places in the sequence given.
"""

from collections.abc import Iterator, Sequence

from market.orders import Order, Side


def merit_order(orders: Sequence[Order]) -> tuple[list[int], list[int]]:
    """The places of the bids, highest first, and of the asks, lowest first, of orders ascending by id."""
    bids = [place for place, order in enumerate(orders) if order.side is Side.BUY]
    asks = [place for place, order in enumerate(orders) if order.side is Side.SELL]
    bids.sort(key=lambda place: -orders[place].price)
    asks.sort(key=lambda place: orders[place].price)
    return bids, asks


def pairs(
    orders: Sequence[Order], bids: Sequence[int], asks: Sequence[int]
) -> Iterator[tuple[int, int, int]]:
    """Positions in `bids` and `asks` of those that meet, best with best, and their energy, while bid >= ask.

    All energy that can trade with a gain, or with none lost, is in these pairs, so their sum is the
    greatest volume among the greatest welfare.
    """
    bid = ask = 0
    wanted = orders[bids[0]].quantity if bids else 0
    offered = orders[asks[0]].quantity if asks else 0
    while bid < len(bids) and ask < len(asks) and orders[bids[bid]].price >= orders[asks[ask]].price:
        energy = min(wanted, offered)
        yield bid, ask, energy
        wanted, offered = wanted - energy, offered - energy
        if not wanted:
            bid += 1
            wanted = orders[bids[bid]].quantity if bid < len(bids) else 0
        if not offered:
            ask += 1
            offered = orders[asks[ask]].quantity if ask < len(asks) else 0
