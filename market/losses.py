"""Losses of a branch in whole numbers: what of a flow arrives, and what a price is worth on the other side.

A branch loses a fixed share of what enters it, in millionths. Everything is rounded against the flow: what
arrives is rounded down, what has to be sent up, a seller's price down, a buyer's price up. So nobody trades at a
loss and no energy comes from nowhere; what rounding leaves goes to the loss account (`market.lossy_clearing`).

Energy is always lost. Prices feel it only from zero upwards: below, losing energy would earn money, and no
prices would support a plan (the problem is not convex), so there prices cross a branch unchanged.

Energies are mWh, positive from the branch to its parent; prices and fees µ/kWh. A fee is paid on the flow at the
branch's own end. The functions take integers, and arrays of 64 bits with the same result: no product of a
quantity with a share is ever formed in full.
"""

from typing import TypeVar

import numpy as np

from market.orders import IntArray

SCALE = 1_000_000
"""Losses are in millionths."""
MAX_PATH_LOSS = 500_000
"""The most that may be lost on the whole way from a branch to the grid: sums then still fit 64 bits."""

Whole = TypeVar("Whole", int, IntArray)


def scaled(value: Whole, numerator: int, denominator: int) -> Whole:
    """`value * numerator / denominator` rounded down."""
    whole, part = divmod(value, denominator)
    return whole * numerator + part * numerator // denominator


def scaled_up(value: Whole, numerator: int, denominator: int) -> Whole:
    """`value * numerator / denominator` rounded up."""
    return -scaled(-value, numerator, denominator)


def arriving(flow: int, loss: int) -> int:
    """What a flow out of a branch is at the parent's end: less than was sent, or more than the branch receives."""
    left = SCALE - loss
    return scaled(flow, left, SCALE) if flow > 0 else scaled(flow, SCALE, left)


def arriving_each(flows: IntArray, loss: int) -> IntArray:
    """`arriving` of each flow."""
    left = SCALE - loss
    return np.where(flows > 0, scaled(flows, left, SCALE), scaled(flows, SCALE, left))


def flows_of(arrival: int, loss: int) -> tuple[int, int]:
    """Least and greatest flow at the branch's end for what crosses at the parent's: mostly one and the same.

    Of what the parent sends into the branch up to one mWh may be lost to rounding; then no flow is exactly
    that, and the one that needs no more is given.
    """
    left = SCALE - loss
    if arrival >= 0:
        return scaled_up(arrival, SCALE, left), scaled_up(arrival + 1, SCALE, left) - 1
    received = scaled(-arrival, left, SCALE)
    return -received, -received


def ask_at_parent(price: Whole, fee: int, loss: int) -> Whole:
    """The least price at the parent at which injecting pays a seller who asks `price` behind the branch."""
    asked = price + fee
    return np.where(asked > 0, scaled_up(asked, SCALE, SCALE - loss), asked)  # type: ignore[return-value]


def bid_at_parent(price: Whole, fee: int, loss: int) -> Whole:
    """The greatest price at the parent at which withdrawing pays a buyer who bids `price` behind the branch."""
    bid = price - fee
    return np.where(bid > 0, scaled(bid, SCALE - loss, SCALE), bid)  # type: ignore[return-value]


def price_of_injection(above: int, fee: int, loss: int) -> int:
    """What a seller behind the branch gets at most where the parent's price is `above`."""
    return (scaled(above, SCALE - loss, SCALE) if above > 0 else above) - fee


def price_of_withdrawal(above: int, fee: int, loss: int) -> int:
    """What a buyer behind the branch pays at least where the parent's price is `above`."""
    return (scaled_up(above, SCALE, SCALE - loss) if above > 0 else above) + fee


def dearest_withdrawal(above: int, fee: int, loss: int) -> int:
    """The greatest price behind the branch whose bid is still worth no more than `above` at the parent."""
    if above < 0:
        return above + fee
    return scaled_up(above + 1, SCALE, SCALE - loss) - 1 + fee


def shortfall_bound(price: int, loss: int) -> int:
    """The most that the loss account can lose on a branch, pico: the parent's price of a mWh and of its loss."""
    return scaled_up(abs(price), SCALE, SCALE - loss)
