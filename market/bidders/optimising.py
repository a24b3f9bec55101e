"""The optimising bidder: must-run energy by its risk, storage by its later worth, loads that wait by their chance.

All three are supply curves, and their sum is the order. Where the tariff is the only market, its import and export
price are the two ends of the curve, so the same order says what to do there.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from market.bidders.deferrable_value import reservation_steps
from market.bidders.preferences import Preferences
from market.bidders.storage_value import Reservoir, cases, grid_of, value_of_storage
from market.bidders.supply import joined, jumps
from market.bidding import Account, Flexibility, SimpleBidder, Storage, net_curve, within_nameplate
from market.forecast import Outlook, PriceForecast
from market.forecasting.forecaster import LEVELS
from market.payloads import Curve, Step

MOST_WAITING = 12
"""Steps of a curve for loads that may wait: with those of the storage, and where they split, at most 32."""


@dataclass(frozen=True, slots=True)
class OptimisingBidder:
    """Looks over the horizon of the forecast; without one it bids as `SimpleBidder` does.

    `day` is the number of intervals in a day, after which the horizon is thought to repeat.
    """

    day: int
    preferences: Preferences = field(default_factory=Preferences)

    def orders(self, flexibility: Flexibility, forecast: PriceForecast, account: Account) -> Curve:
        """The curve to offer; within nameplate, floor and cap, empty when there is nothing to offer."""
        ceiling = self.preferences.ceiling(account.import_price)
        floor = self.preferences.least(account.export_price)
        if not forecast.horizon:
            return limited(SimpleBidder().orders(flexibility, forecast, account), floor, ceiling)
        must_run, sells = self._firm(flexibility, forecast, account)
        waiting = [
            step
            for load in flexibility.deferrable
            for step in reservation_steps(load, forecast.horizon, ceiling)
        ]
        buys = joined(sorted(waiting, key=lambda step: step.price), MOST_WAITING)
        curve = net_curve(must_run, buys, sells, ceiling=ceiling, floor=floor, dearest=ceiling)
        return within_nameplate(limited(curve, floor, ceiling), account)

    def _firm(
        self, flexibility: Flexibility, forecast: PriceForecast, account: Account
    ) -> tuple[int, list[Step]]:
        """The lowest position of must-run energy and storage together, and the steps by which it rises."""
        storage = flexibility.storage
        if storage is not None and (storage.most_charge > 0 or storage.most_discharge > 0):
            surplus = flexibility.generation - flexibility.load
            return self._with_storage(storage, surplus, forecast, account)
        return _by_risk(forecast.horizon[0], account)

    def _with_storage(
        self, storage: Storage, surplus: int, forecast: PriceForecast, account: Account
    ) -> tuple[int, list[Step]]:
        """The worth of each position, given that the storage then makes up for what was not foreseen, as far as it can.

        What it can't make up for is imbalance: short pays the import price, long brings the export price. What is
        stored is worth later what the whole cell's storages will make of it, where that is known: all of them trade in
        one market, so whose surplus fills them and whose load empties them makes no difference.
        """
        horizon = forecast.horizon
        reservoir = Reservoir.of(storage)
        later = (forecast.storage_horizon or horizon)[1:]
        value = value_of_storage(reservoir, later, self.preferences, day=self.day)
        grid = grid_of(reservoir)
        most, least = min(storage.stored, storage.most_discharge), -min(storage.room, storage.most_charge)
        levels = reservoir.at_terminals(np.array([reservoir.level]), grid)
        between = {int(each) for each in levels if least < each < most}
        terminals = sorted({least, most, 0, *between, *([-surplus] if least < -surplus < most else [])})
        positions = np.array([float(surplus + each) for each in terminals])
        premium = self.preferences.premium(account.import_price, account.export_price)
        green = self.preferences.carbon_price * horizon[0].carbon
        worth = np.zeros(len(positions))
        for (real,), weight in cases(horizon[0].surplus):
            moved = np.clip(positions - real, least, most)
            missed = real + moved - positions
            settled = np.where(missed < 0, missed * account.import_price, missed * account.export_price)
            kept = np.interp(reservoir.after(moved), grid, value) - reservoir.wear * np.maximum(moved, 0.0)
            worth += weight * (kept + settled + green * moved - premium * np.abs(real + moved))
        return jumps([surplus + each for each in terminals], worth.tolist())


def limited(curve: Curve, floor: int, ceiling: int) -> Curve:
    """The curve without anything bought above `ceiling` or sold below `floor`; prices beyond are moved to them."""
    return Curve(
        _merged([Step(min(step.price, ceiling), step.quantity) for step in curve.buys]),
        _merged([Step(max(step.price, floor), step.quantity) for step in curve.sells]),
    )


def _by_risk(outlook: Outlook, account: Account) -> tuple[int, list[Step]]:
    """Must-run energy without a storage: more is promised the better the price pays for the risk of not having it.

    Short costs the import price and long brings the export price, so the best promise at price p is the quantile
    (p - export) / (import - export) of what will be there: the newsvendor's rule (Arrow, Harris and Marschak, 1951).
    """
    quantiles = [round(each) for each in outlook.surplus]
    levels = LEVELS if len(quantiles) == len(LEVELS) else tuple(0.5 for _ in quantiles)
    spread = max(0, account.import_price - account.export_price)
    steps: list[Step] = []
    for index in range(1, len(quantiles)):
        quantity = quantiles[index] - quantiles[index - 1]
        price = account.export_price + round(spread * (levels[index - 1] + levels[index]) / 2)
        if quantity > 0:
            steps.append(Step(price, quantity))
    return quantiles[0], steps


def _merged(steps: Sequence[Step]) -> tuple[Step, ...]:
    merged: list[Step] = []
    for step in steps:
        if merged and merged[-1].price == step.price:
            merged[-1] = Step(step.price, merged[-1].quantity + step.quantity)
        else:
            merged.append(step)
    return tuple(merged)
