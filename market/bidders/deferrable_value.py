"""What it is worth to serve a load now that may wait: the expected cost of serving it later instead.

A dynamic program over the units still to serve; with prices that are independent from one interval to the next this is
the optimal stopping of each unit (DeGroot, Optimal Statistical Decisions, chapter 13). Energies mWh, prices µ/kWh.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from market.bidding import Deferrable
from market.forecast import Outlook
from market.payloads import Step

FEWEST_UNITS = 8
"""Parts into which a load is cut at least; it is cut finer where an interval can't take so much."""
MOST_UNITS = 256
FloatArray = npt.NDArray[np.float64]


def reservation_steps(load: Deferrable, horizon: Sequence[Outlook], ceiling: int) -> list[Step]:
    """What to buy now, dearest first: each unit at the price above which waiting is expected to be cheaper.

    What can't wait any more, because the intervals left are too few for it, is bought at `ceiling`, as is everything
    that `horizon` is too short to speak of.
    """
    if load.energy <= 0 or load.most <= 0:
        return []
    units = min(max(FEWEST_UNITS, -(-load.energy // load.most)), MOST_UNITS, load.energy)
    unit = load.energy / units
    later = horizon[1 : max(1, load.intervals)]
    cost = cost_to_serve(
        units, load.most / unit, [_prices(outlook, load.most) for outlook in later], 2.0 * ceiling
    )
    steps: list[Step] = []
    left = min(load.most, load.energy)
    for served in range(units):
        price = min(ceiling, int(cost[units - served] - cost[units - served - 1]))
        quantity = min(load.energy * (served + 1) // units - load.energy * served // units, left)
        if quantity <= 0:
            break
        left -= quantity
        if steps and steps[-1].price <= price:
            steps[-1] = Step(steps[-1].price, steps[-1].quantity + quantity)
        else:
            steps.append(Step(price, quantity))
    return steps


def cost_to_serve(units: int, most: float, prices: Sequence[Sequence[float]], unserved: float) -> FloatArray:
    """Expected cost of 0 to `units` units over the intervals, each with its equally likely prices; price per unit.

    At most `most` units fit into one interval, whole ones only; a unit that is never served costs `unserved`.
    """
    fits = min(max(1, int(most)), units)
    cost: FloatArray = np.linspace(0.0, units * unserved, units + 1)
    for outcomes in reversed(prices):
        expected: FloatArray = np.zeros(units + 1)
        for price in outcomes:
            best = cost.copy()
            for count in range(1, fits + 1):
                best[count:] = np.minimum(best[count:], price * count + cost[: units + 1 - count])
            expected += best / len(outcomes)
        cost = expected
    return cost


def _prices(outlook: Outlook, most: int) -> tuple[float, ...]:
    """The prices a unit may cost: where own surplus covers it, what that would have been sold for."""
    surplus = outlook.surplus[len(outlook.surplus) // 2]
    return outlook.sell if surplus >= most else outlook.buy
