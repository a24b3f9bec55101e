"""Forecasts that a member makes for itself: running price quantiles and seasonal-naive energies, in integers.

Energies are mWh, prices µ/kWh. Nothing here is agreed state; integers keep runs reproducible. A better
forecaster gives the same two shapes: a `PriceForecast` for the bidder and an `EnergyForecaster` for loads and
generation.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol


@dataclass(frozen=True, slots=True)
class PriceForecast:
    """The lower and upper quartile of the prices to expect: below `low` is cheap, above `high` is dear."""

    low: int
    high: int
    horizon: "tuple[Outlook, ...]" = ()
    """The interval of the bid and those after it; empty where nobody looks ahead."""
    storage_horizon: "tuple[Outlook, ...]" = ()
    """The same intervals as this storage's share of all storages of the cell will meet them: their `surplus` is that of
    the cell in the share of this storage's capacity. Empty where only the member's own surplus is known."""


@dataclass(frozen=True, slots=True)
class Outlook:
    """What a member expects of one interval. Floats, because nobody else must agree with them.

    `buy` are the prices at which it may have to buy, `sell` those at which it may sell, both µ/kWh, `surplus` its
    must-run generation less load, mWh: ascending quantiles at the levels of `market.forecasting`, or one value each
    that is certain. In a market where everything trades locally the first two are the same; at a tariff they are
    import and export price. `carbon` is the grid's intensity in g/kWh, 0 where it is not known.
    """

    import_price: int
    export_price: int
    buy: tuple[float, ...]
    sell: tuple[float, ...]
    surplus: tuple[float, ...]
    carbon: float = 0.0


@dataclass(frozen=True, slots=True)
class PriceHistory:
    """The last `capacity` prices of a member's branch (the tariff where nothing traded), oldest first."""

    capacity: int
    prices: tuple[int, ...] = ()

    def with_price(self, price: int) -> "PriceHistory":
        """The history after one more interval."""
        return PriceHistory(self.capacity, (*self.prices, price)[-self.capacity :])

    def quantile(self, numerator: int, denominator: int) -> int | None:
        """Nearest-rank quantile: the least price with at least that share at or below it; None when empty."""
        if not 0 < numerator <= denominator:
            raise ValueError(f"a quantile lies in (0, 1], not {numerator}/{denominator}")
        if not self.prices:
            return None
        rank = -(-len(self.prices) * numerator // denominator)
        return sorted(self.prices)[rank - 1]

    def forecast(self) -> PriceForecast | None:
        """Quartiles of the history, or None before the first price."""
        low, high = self.quantile(1, 4), self.quantile(3, 4)
        return None if low is None or high is None else PriceForecast(low, high)


class EnergyForecaster(Protocol):
    """What a member expects to use or make; learns one metered interval at a time."""

    def observe(self, interval: int, energy: int) -> "EnergyForecaster":
        """The forecaster after the energy of `interval` became known."""
        ...

    def expect(self, interval: int) -> int:
        """The energy to expect in `interval`."""
        ...


@dataclass(frozen=True, slots=True)
class SeasonalNaive:
    """The same interval of the day before; without it, the latest known; without any, `initial`.

    `season` is the number of intervals in a day. Only the last season (and a day's spare) is kept.
    """

    season: int
    initial: int = 0
    seen: Mapping[int, int] = field(default_factory=dict)

    def observe(self, interval: int, energy: int) -> "SeasonalNaive":
        """The forecaster after the energy of `interval` became known."""
        oldest = max(max(self.seen, default=interval), interval) - 2 * self.season
        kept = {known: value for known, value in self.seen.items() if known > oldest}
        kept[interval] = energy
        return SeasonalNaive(self.season, self.initial, kept)

    def expect(self, interval: int) -> int:
        """The energy to expect in `interval`."""
        yesterday = self.seen.get(interval - self.season)
        if yesterday is not None:
            return yesterday
        earlier = [known for known in self.seen if known < interval]
        return self.seen[max(earlier)] if earlier else self.initial
