"""What every home expects of its own surplus in the interval that it bids for: quantiles, for all homes at once.

A home knows its meter up to two intervals before, because the one before still runs when the gate closes. What it
expects is the middle of the last days at this time (as `market.forecasting.seasonal.Climate`), moved by how far it has
just been off that, and was a day ago; both weights are learned online by least squares, discounted over two weeks. A
home for which seasonal-naive was nearer so far uses that. The quantiles are those of what this missed by on the last
days at this time. Nothing is trained in advance, and nothing is known before it is metered. Energies are mWh as floats,
injection positive.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from market.forecasting.forecaster import LEVELS, MEDIAN
from market.forecasting.seasonal import DAYS

FloatArray = npt.NDArray[np.float64]

LAG = 2
"""Intervals from the latest known one to that which is bid for."""
RIDGE = 1e-3
"""Of the regressors' mean square: keeps the weights finite where a home hardly ever differs from its middle."""


@dataclass(frozen=True, slots=True, eq=False)
class _Told:
    """What was expected of an interval, for when it becomes known."""

    middle: FloatArray
    regressors: FloatArray
    naive: FloatArray
    moved: FloatArray
    used: FloatArray


class Expected:
    """Learns the surplus of all homes, interval by interval; `day` is the number of intervals in one."""

    def __init__(self, homes: int, day: int) -> None:
        self._day, self._reach, self._known = day, day // 48, 0
        self._seen, self._missed = np.zeros((DAYS, day, homes)), np.zeros((DAYS, day, homes))
        self._off = np.zeros((day, homes))
        self._open: dict[int, _Told] = {}
        self._squares, self._products = np.zeros((3, homes)), np.zeros((2, homes))
        self._errors = np.zeros((2, homes))
        self._keep = 1 - 1 / (DAYS * day)

    def learn(self, interval: int, surplus: npt.NDArray[np.int64]) -> None:
        """The meters of the next interval became known."""
        row, slot = interval // self._day % DAYS, interval % self._day
        if slot == 0 and 0 < interval < DAYS * self._day:
            # Until a day is over, the one before stands for what it has not had yet.
            self._seen[row], self._missed[row] = self._seen[row - 1], self._missed[row - 1]
        self._seen[row, slot] = surplus
        if interval < self._day:
            self._seen[row, slot:] = surplus
        self._known = interval + 1
        told = self._open.pop(interval, None)
        if told is None:
            return
        off = surplus - told.middle
        self._off[slot] = off
        first, second = told.regressors
        squares, products = (first * first, first * second, second * second), (first * off, second * off)
        self._squares = self._keep * self._squares + np.array(squares)
        self._products = self._keep * self._products + np.array(products)
        self._missed[row, slot] = surplus - told.used
        errors = np.abs(np.array((surplus - told.naive, surplus - told.moved)))
        self._errors = self._keep * self._errors + errors

    def quantiles(self, interval: int) -> FloatArray:
        """Of the interval that is bid for, shape (homes, levels); to be asked once for each interval, in order."""
        slot = interval % self._day
        told = self._tell(interval, slot)
        self._open[interval] = told
        if interval < 2 * self._day:
            return np.repeat(told.used[:, np.newaxis], len(LEVELS), axis=1)
        around = np.quantile(self._nearby(self._missed, slot), LEVELS, axis=0)
        around[MEDIAN] = np.clip(0.0, around[MEDIAN - 1], around[MEDIAN + 1])
        ascending: FloatArray = (told.used + around).T
        return ascending

    def day_ahead(self, interval: int, chosen: npt.NDArray[np.intp]) -> FloatArray:
        """Quantiles of the day from `interval` on for some homes, as the last days were: (intervals, homes, levels)."""
        seen = self._rows(self._seen)[:, :, chosen]
        near = np.concatenate(
            [np.roll(seen, shift, axis=1) for shift in range(-self._reach, self._reach + 1)]
        )
        quantiles = np.moveaxis(np.quantile(near, LEVELS, axis=0), 0, -1)
        ahead: FloatArray = np.roll(quantiles, -(interval % self._day), axis=0)
        return ahead

    def _tell(self, interval: int, slot: int) -> _Told:
        middle: FloatArray = np.median(self._nearby(self._seen, slot), axis=0)
        if interval < self._day:
            latest = self._seen[0, interval - LAG] if interval >= LAG else np.zeros_like(middle)
            return _Told(middle, np.zeros((2, len(middle))), latest, middle, latest)
        yesterday = self._seen[(interval // self._day - 1) % DAYS, slot].copy()
        regressors = np.array((self._off[(interval - LAG) % self._day], yesterday - middle))
        moved = middle + (self._weights() * regressors).sum(axis=0)
        used = np.where(self._errors[0] <= self._errors[1], yesterday, moved)
        return _Told(middle, regressors, yesterday, moved, used)

    def _weights(self) -> FloatArray:
        """Of the two regressors, by the normal equations of each home."""
        first, both, second = self._squares
        ridge = RIDGE * (first + second) + 1.0
        first, second = first + ridge, second + ridge
        x, y = self._products
        return np.array((second * x - both * y, first * y - both * x)) / (first * second - both * both)

    def _rows(self, ring: FloatArray) -> FloatArray:
        return ring[: max(1, min(DAYS, -(-self._known // self._day)))]

    def _nearby(self, ring: FloatArray, slot: int) -> FloatArray:
        near = np.arange(slot - self._reach, slot + self._reach + 1) % self._day
        rows = self._rows(ring)[:, near]
        return rows.reshape(-1, rows.shape[-1])
