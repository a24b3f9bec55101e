"""What stored energy is worth: a dynamic program over the intervals to come, under uncertain prices and own surplus.

Backward induction (Bellman, 1957) on a grid of stored energy, as for storage in a price-taking market: Jiang and
Powell, Optimal hour-ahead bidding in the real-time electricity market with battery storage using approximate dynamic
programming (2015). In each interval price and surplus are seen before the storage moves, and are independent from one
interval to the next. Energies are mWh, prices µ/kWh, values µ/kWh x mWh; the terminals inject when positive.
"""

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from market.bidders.preferences import Preferences
from market.bidding import Storage
from market.forecast import Outlook

LEAST_LEVELS, MOST_LEVELS = 33, 257
"""Levels of the grid, reserve and full included: steps of 3 %, finer where an interval's power moves less than that."""
FloatArray = npt.NDArray[np.float64]

_WEIGHTS = (0.175, 0.2, 0.25, 0.2, 0.175)
"""What each of the levels of a forecast stands for: half of the way to its neighbours."""


@dataclass(frozen=True, slots=True)
class Reservoir:
    """A storage seen from inside: `level` now and `capacity`, mWh above the reserve, and its losses each way."""

    level: float
    capacity: float
    efficiency: float
    most_charge: float
    most_discharge: float
    wear: float

    @classmethod
    def of(cls, storage: Storage) -> "Reservoir":
        """The losses of the round trip are shared equally by both ways."""
        one_way = math.sqrt(max(storage.efficiency_ppm, 1) / 1_000_000)
        level = storage.stored / one_way
        return cls(
            level=level,
            capacity=level + storage.room * one_way,
            efficiency=one_way,
            most_charge=float(storage.most_charge),
            most_discharge=float(storage.most_discharge),
            wear=float(storage.wear),
        )

    def at_terminals(self, before: FloatArray, after: FloatArray) -> FloatArray:
        """Energy at the terminals when the level changes so; broadcasts."""
        change = before - after
        return np.where(change > 0, change * self.efficiency, change / self.efficiency)

    def after(self, terminals: FloatArray) -> FloatArray:
        """The level after the storage gave so much at its terminals."""
        drawn = np.where(terminals > 0, terminals / self.efficiency, terminals * self.efficiency)
        return np.clip(self.level - drawn, 0.0, self.capacity)


def grid_of(reservoir: Reservoir) -> FloatArray:
    """The levels of stored energy that the program knows, ascending from the reserve to full."""
    moves = (reservoir.most_charge * reservoir.efficiency, reservoir.most_discharge / reservoir.efficiency)
    slowest = min((move for move in moves if move > 0), default=reservoir.capacity)
    wanted = math.ceil(reservoir.capacity / slowest) + 1 if slowest > 0 else LEAST_LEVELS
    return np.linspace(0.0, reservoir.capacity, max(LEAST_LEVELS, min(wanted, MOST_LEVELS)))


def value_of_storage(
    reservoir: Reservoir, horizon: Sequence[Outlook], preferences: Preferences, *, day: int = 0
) -> FloatArray:
    """The value of each level of `grid_of` at the start of `horizon`.

    What is left at the end is worth what the last `day` intervals of the horizon would make of it once more, so that
    nothing is sold off because the program stops looking; with `day` 0 it is worth nothing.
    """
    grid = grid_of(reservoir)
    terminals = reservoir.at_terminals(grid[:, np.newaxis], grid[np.newaxis, :])
    # The grid's own rounding must not forbid what the limit just allows.
    slack = 1e-9 * (reservoir.capacity + 1.0)
    allowed = (terminals <= reservoir.most_discharge + slack) & (terminals >= -reservoir.most_charge - slack)
    moved = np.where(allowed, -reservoir.wear * np.maximum(terminals, 0.0), -np.inf)
    value = np.zeros(len(grid))
    for outlook in reversed([*horizon, *(horizon[-day:] if day else ())]):
        value = _stage(terminals, moved + value[np.newaxis, :], outlook, preferences)
    return value


def _stage(
    terminals: FloatArray, worth: FloatArray, outlook: Outlook, preferences: Preferences
) -> FloatArray:
    """The value before one interval; `worth` is what every transition is worth but for what it trades."""
    premium = preferences.premium(outlook.import_price, outlook.export_price)
    green = preferences.carbon_price * outlook.carbon
    both = list(itertools.product(cases(outlook.buy, outlook.sell), cases(outlook.surplus)))
    shape = (len(both), 1, 1)
    surplus = np.reshape([own for (_, _), ((own,), _) in both], shape)
    cheap = np.reshape([sell + green - premium for ((_, sell), _), _ in both], shape)
    dear = np.reshape([max(buy, sell) + green + premium for ((buy, sell), _), _ in both], shape)
    net = terminals[np.newaxis] + surplus
    # The dearer price on what is bought and the cheaper on what is sold is the lesser of both, whatever the sign.
    best = np.max(np.minimum(net * dear, net * cheap) + worth[np.newaxis], axis=2)
    weights = np.array([weight * share for (_, weight), (_, share) in both])
    value: FloatArray = weights @ best
    return value


def cases(*quantiles: tuple[float, ...]) -> list[tuple[tuple[float, ...], float]]:
    """What stands for distributions that rise together: their quantiles with weights, or one where all is certain."""
    if all(len(set(each)) == 1 for each in quantiles):
        return [(tuple(each[0] for each in quantiles), 1.0)]
    known = [each if len(each) > 1 else each * len(_WEIGHTS) for each in quantiles]
    return list(zip(zip(*known, strict=True), _WEIGHTS, strict=True))
