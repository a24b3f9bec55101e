"""From what each position is worth to a supply curve: at which price a member moves from one position to the next.

A price taker that is worth g(z) at position z takes the z that maximises p z + g(z). Over all prices p these are the
corners of the upper concave envelope of g, and it moves from one corner to the next where p is minus the slope between
them; so the supply is monotone whatever g is (Rockafellar, Convex Analysis, section 23). Positions are mWh, injection
positive, prices µ/kWh.
"""

import itertools
import math
from collections.abc import Sequence

from market.payloads import Step
from market.units import MAX_PRICE

MOST_JUMPS = 16
"""Steps that one part of a curve may take of the 32 that the whole has."""


def jumps(positions: Sequence[int], worth: Sequence[float], most: int = MOST_JUMPS) -> tuple[int, list[Step]]:
    """The lowest position of the envelope, and the steps by which it rises, ascending strictly by price.

    `positions` ascend strictly, `worth` is g at each, -inf where it is forbidden; at least one is allowed. Prices are
    rounded up, so that nothing moves for less than it is worth. Of more than `most` steps neighbours are joined, the
    nearest in price first, at the higher price.
    """
    corners: list[tuple[int, float]] = []
    for position, value in zip(positions, worth, strict=True):
        if value == -math.inf:
            continue
        while len(corners) > 1 and _asked(corners[-2], corners[-1]) >= _asked(corners[-1], (position, value)):
            corners.pop()
        corners.append((position, value))
    steps: list[Step] = []
    for before, after in itertools.pairwise(corners):
        price = max(-MAX_PRICE, min(MAX_PRICE, math.ceil(_asked(before, after))))
        quantity = after[0] - before[0]
        if steps and steps[-1].price == price:
            steps[-1] = Step(price, steps[-1].quantity + quantity)
        else:
            steps.append(Step(price, quantity))
    return corners[0][0], joined(steps, most)


def joined(steps: Sequence[Step], most: int) -> list[Step]:
    """At most `most` of the steps, which ascend by price: the nearest in price are joined at the higher one."""
    kept = list(steps)
    while len(kept) > most:
        nearest = min(range(len(kept) - 1), key=lambda index: kept[index + 1].price - kept[index].price)
        both = Step(kept[nearest + 1].price, kept[nearest].quantity + kept[nearest + 1].quantity)
        kept[nearest : nearest + 2] = [both]
    return kept


def _asked(before: tuple[int, float], after: tuple[int, float]) -> float:
    """The price from which on the later position is the better one."""
    return (before[1] - after[1]) / (after[0] - before[0])
