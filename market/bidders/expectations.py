"""What a member expects of the intervals to come: own load and generation, and where in the tariff's spread prices lie.

Local prices lie between what the supplier pays and what it asks, so what is learned of them is their place between:
0 at the export price, 1 at the import price. Where nothing traded, whoever bought paid 1 and whoever sold got 0.
Energies go in as mWh and prices as µ/kWh; nothing here is agreed between nodes.
"""

import math
from collections.abc import Callable

import numpy as np

from market.forecast import Outlook
from market.forecasting.forecaster import MEDIAN, FloatArray, Forecaster
from market.units import ENERGY_PER_KWH

MOST_DAYS_MISSING = 7
"""A longer gap starts a series anew: what was before says little."""

Maker = Callable[[int, int, float | None], Forecaster]
"""Season, first interval and least value to a new forecaster."""


class OnlineSeries:
    """A forecaster that is told values by interval: late ones are dropped, gaps are missing values."""

    def __init__(self, season: int, maker: Maker, least: float | None) -> None:
        self._season, self._maker, self._least = season, maker, least
        self._forecaster: Forecaster | None = None
        self._next = 0

    def observe(self, interval: int, value: float) -> None:
        """The value of an interval became known."""
        if self._forecaster is None or interval - self._next > MOST_DAYS_MISSING * self._season:
            self._forecaster = self._maker(self._season, interval, self._least)
            self._next = interval
        if interval < self._next:
            return
        for _ in range(interval - self._next):
            self._forecaster.observe(math.nan)
        self._forecaster.observe(value)
        self._next = interval + 1

    def forecast(self, first: int, count: int) -> FloatArray | None:
        """Quantiles of `count` intervals from `first` on; None before the first value and for intervals past."""
        if self._forecaster is None or first < self._next:
            return None
        ahead = first - self._next
        return self._forecaster.forecast(ahead + count)[ahead:]


class Expectations:
    """All that a member forecasts. `season` is the number of intervals in a day."""

    def __init__(self, season: int, maker: Maker) -> None:
        self.season = season
        self._load = OnlineSeries(season, maker, 0.0)
        self._generation = OnlineSeries(season, maker, 0.0)
        self._buy = OnlineSeries(season, maker, 0.0)
        self._sell = OnlineSeries(season, maker, 0.0)

    def metered(self, interval: int, load: int, generation: int) -> None:
        """What the member used and made in an interval, both positive."""
        self._load.observe(interval, load / ENERGY_PER_KWH)
        self._generation.observe(interval, generation / ENERGY_PER_KWH)

    def priced(self, interval: int, import_price: int, export_price: int, price: int | None) -> None:
        """The local price of an interval, None where nothing traded."""
        spread = import_price - export_price
        if price is None or spread <= 0:
            buy, sell = 1.0, 0.0
        else:
            buy = sell = min(1.0, max(0.0, (price - export_price) / spread))
        self._buy.observe(interval, buy)
        self._sell.observe(interval, sell)

    def expected(self, interval: int) -> tuple[int, int] | None:
        """Median load and generation of an interval, mWh; None before the first reading."""
        load, generation = self._load.forecast(interval, 1), self._generation.forecast(interval, 1)
        if load is None or generation is None:
            return None
        return round(load[0, MEDIAN] * ENERGY_PER_KWH), round(generation[0, MEDIAN] * ENERGY_PER_KWH)

    def horizon(
        self, first: int, count: int, tariff: Callable[[int], tuple[int, int]], carbon: Callable[[int], float]
    ) -> tuple[Outlook, ...]:
        """The outlook of `count` intervals from `first` on; empty before the first reading.

        `tariff` gives import and export price of an interval, µ/kWh, and `carbon` the grid's g/kWh.
        """
        load, generation = self._load.forecast(first, count), self._generation.forecast(first, count)
        if load is None or generation is None:
            return ()
        surplus = _surplus(load, generation) * ENERGY_PER_KWH
        buy, sell = self._buy.forecast(first, count), self._sell.forecast(first, count)
        outlooks = []
        for ahead in range(count):
            import_price, export_price = tariff(first + ahead)
            spread = max(0, import_price - export_price)
            outlooks.append(
                Outlook(
                    import_price=import_price,
                    export_price=export_price,
                    buy=_within(import_price, spread, None if buy is None else 1.0 - buy[ahead], -1),
                    sell=_within(export_price, spread, None if sell is None else sell[ahead], 1),
                    surplus=tuple(surplus[ahead].tolist()),
                    carbon=carbon(first + ahead),
                )
            )
        return tuple(outlooks)


def _surplus(load: FloatArray, generation: FloatArray) -> FloatArray:
    """Quantiles of generation less load: medians subtract, and what is around them adds as if independent."""
    middle = generation[:, [MEDIAN]] - load[:, [MEDIAN]]
    ups = generation - generation[:, [MEDIAN]]
    downs = load[:, [MEDIAN]] - load[:, ::-1]
    around = np.sign(ups + downs) * np.hypot(ups, downs)
    return np.sort(middle + around, axis=1)


def _within(price: int, spread: int, place: FloatArray | None, sign: int) -> tuple[float, ...]:
    """Prices that lie by these shares of the spread above (or below) a price of the tariff; ascending."""
    if place is None or not place.any():
        return (float(price),)
    # A model's errors may reach beyond the tariff, where no price can be.
    return tuple(sorted((price + sign * spread * np.clip(place, 0.0, 1.0)).tolist()))
