"""Plays the intervals of a world: bids, auction, batteries, meters, settlement, for all homes at once.

Energies are mWh (injection positive), prices µ/kWh, money pico-currency. Each interval: every home expects its
surplus (expected.py), bids, gets its contract, and holds its meter at the contract as far as its
battery can, as the control process does; then its meter is settled by the rules of market/settlement.py. Everything
is an integer, and what members pay is to the last pico what the supplier and the community account get. Ways that are
played on one world share a `WorldView` and go through it side by side, interval by interval.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from market.bidders.strategies import Strategy
from market.forecast import PriceForecast, PriceHistory
from market.forecasting.forecaster import MEDIAN
from market.mechanisms.names import Mechanism
from market.rationing import pro_rata
from market.rules import TariffStep
from market.settlement import bill, long_price, short_price
from sim.homes.neighbourhood import CHALLENGE_BATTERY, HouseholdError
from sim.market_year.batteries import Batteries
from sim.market_year.bids import Needs, bids_of
from sim.market_year.clearing import Contracts, contract
from sim.market_year.world import World
from sim.market_year.world_view import WorldView

IntArray = npt.NDArray[np.int64]
HISTORY_DAYS = 3
"""Days of prices that a bidder remembers."""
MOST_MONEY = 2**62


@dataclass(slots=True, eq=False)
class Outcome:
    """What came of one way of doing it.

    bills: by home, what it paid in all. supplier: what the supplier got. kept: the community account and what the
    mechanism kept; `bills` sum to both. grid_import, grid_export: by interval, the exchange of all homes together with
    the grid, at most one above zero. local: by interval, what was traded from home to home. prices: by interval, the
    local price where there was one (`traded`). given: by interval, what batteries gave. left: what is left in them.
    """

    bills: IntArray
    supplier: int
    kept: int
    grid_import: IntArray
    grid_export: IntArray
    local: IntArray
    prices: IntArray
    traded: npt.NDArray[np.bool_]
    given: IntArray
    left: int = 0

    @property
    def discharged(self) -> int:
        """What batteries gave in all."""
        return int(self.given.sum())


@dataclass(frozen=True, slots=True)
class Alone:
    """The baselines without trade: each home on its own meter, and the same homes sharing their surplus."""

    separate: Outcome
    collective: Outcome


def play_market(
    world: World, strategy: Strategy, mechanism: Mechanism, *, seed: int, known: bool = False
) -> Outcome:
    """The market; with `known` every home knows its load and solar of the interval that it bids for."""
    outcome = empty_outcome(world)
    for _ in market_steps(WorldView(world, known=known), strategy, mechanism, seed, outcome):
        pass
    return outcome


def market_steps(
    view: WorldView, strategy: Strategy, mechanism: Mechanism, seed: int, outcome: Outcome
) -> Iterator[None]:
    """Plays the market into an empty outcome, one interval for each step; the last one is followed by the end."""
    for interval, tariff, contracts, meter in _intervals(view, strategy, mechanism, seed, outcome):
        money = settle(contracts, meter, tariff)
        outcome.bills -= money
        real = -int(meter.sum())
        supplier = bill(tariff, real)
        outcome.supplier += supplier
        outcome.kept += -int(money.sum()) - supplier
        _exchange(outcome, interval, real)
        outcome.local[interval] = contracts.local
        if contracts.price is not None and contracts.local:
            outcome.prices[interval], outcome.traded[interval] = contracts.price, True
        yield


def alone_steps(view: WorldView, strategy: Strategy, seed: int, alone: Alone) -> Iterator[None]:
    """Plays, as `market_steps`, each home with its battery and the supplier only, steered by the same strategy; and,
    with the same meters, collective self-consumption: what some feed in while others draw is shared in proportion, at
    the middle of the supplier's prices, buyers' and sellers' side alike.
    """
    separate, collective = alone.separate, alone.collective
    for interval, tariff, _, meter in _intervals(view, strategy, None, seed, separate):
        _bill_separately(separate, interval, tariff, meter)
        _bill_collectively(collective, interval, tariff, meter)
        yield
    collective.given, collective.left = separate.given, separate.left


def play_tariff(world: World) -> Outcome:
    """No market and no batteries: every home pays the tariff on its own meter."""
    check_money(world)
    outcome = empty_outcome(world)
    for interval in range(world.intervals):
        _bill_separately(
            outcome, interval, TariffStep(0, *world.prices_of(interval)), world.surplus_of(interval)
        )
    return outcome


def settle(contracts: Contracts, meter: IntArray, tariff: TariffStep) -> IntArray:
    """What each home receives in all: contract and imbalance, by the rules of market/settlement.py."""
    price = contracts.price if contracts.uniform else None
    imbalance = meter - contracts.energy
    unit = np.where(imbalance < 0, short_price(tariff, price), long_price(tariff, price))
    received: IntArray = contracts.money + imbalance * unit
    return received


def share_surplus(meter: IntArray, tariff: TariffStep) -> tuple[IntArray, int]:
    """Collective self-consumption: what each home receives, and how much energy was shared."""
    given, drawn = np.maximum(meter, 0), np.maximum(-meter, 0)
    supply, demand = int(given.sum()), int(drawn.sum())
    shared = min(supply, demand)
    sold = pro_rata(shared, given) if supply else given
    bought = pro_rata(shared, drawn) if demand else drawn
    middle = (tariff.import_price + tariff.export_price) // 2
    money: IntArray = (
        (sold - bought) * middle
        + (given - sold) * tariff.export_price
        - (drawn - bought) * tariff.import_price
    )
    return money, shared


def _intervals(
    view: WorldView, strategy: Strategy, mechanism: Mechanism | None, seed: int, outcome: Outcome
) -> Iterator[tuple[int, TariffStep, Contracts, IntArray]]:
    """Each interval with its tariff, contracts and meters; counts what batteries do into the outcome."""
    world = view.world
    check_money(world)
    draw = np.random.default_rng([seed, *strategy.value.encode()])
    batteries = Batteries(world.battery, CHALLENGE_BATTERY, world.interval_s)
    history = PriceHistory(HISTORY_DAYS * world.day)
    lookahead = view.lookahead(together=mechanism is not None) if strategy is Strategy.OPTIMISING else None
    for interval in range(world.intervals):
        view.reach(interval)
        prices = view.prices
        tariff = TariffStep(0, *prices)
        if lookahead is None:
            needs = _needs(view.quantiles, batteries)
            bids = bids_of(strategy, needs, _quartiles(history, tariff), prices, draw)
        else:
            bids = lookahead.bids(interval, view.quantiles, batteries)
        contracts = contract(bids, mechanism, prices, draw)
        moved = batteries.move(contracts.energy - view.surplus)
        outcome.given[interval] = int(np.maximum(moved, 0).sum())
        history = history.with_price(tariff.import_price if contracts.price is None else contracts.price)
        outcome.left = int(batteries.stored.sum())
        yield interval, tariff, contracts, view.surplus + moved


def _needs(quantiles: npt.NDArray[np.float64], batteries: Batteries) -> Needs:
    middle = np.rint(quantiles[:, MEDIAN]).astype(np.int64)
    return Needs(middle, batteries.most_charge(), batteries.most_discharge(), batteries.efficiency_ppm)


def _quartiles(history: PriceHistory, tariff: TariffStep) -> PriceForecast:
    forecast = (history if history.prices else history.with_price(tariff.import_price)).forecast()
    if forecast is None:
        raise AssertionError("a history with a price has quartiles")
    return forecast


def empty_outcome(world: World) -> Outcome:
    """Nothing played yet."""

    def zeros() -> IntArray:
        return np.zeros(world.intervals, np.int64)

    bills = np.zeros(world.homes, np.int64)
    return Outcome(bills, 0, 0, zeros(), zeros(), zeros(), zeros(), np.zeros(world.intervals, bool), zeros())


def _bill_separately(outcome: Outcome, interval: int, tariff: TariffStep, meter: IntArray) -> None:
    paid = np.where(meter < 0, -meter * tariff.import_price, -meter * tariff.export_price)
    outcome.bills += paid
    outcome.supplier += int(paid.sum())
    _exchange(outcome, interval, -int(meter.sum()))


def _bill_collectively(outcome: Outcome, interval: int, tariff: TariffStep, meter: IntArray) -> None:
    money, shared = share_surplus(meter, tariff)
    outcome.bills -= money
    outcome.supplier -= int(money.sum())
    outcome.local[interval] = shared
    if shared:
        outcome.prices[interval] = (tariff.import_price + tariff.export_price) // 2
        outcome.traded[interval] = True
    _exchange(outcome, interval, -int(meter.sum()))


def _exchange(outcome: Outcome, interval: int, real: int) -> None:
    outcome.grid_import[interval], outcome.grid_export[interval] = max(real, 0), max(-real, 0)


def check_money(world: World) -> None:
    """Sums of money are 64-bit integers here."""
    largest = int(max(world.load.max(), world.pv.max())) + CHALLENGE_BATTERY.power
    dearest = int(max(np.abs(world.import_price).max(), np.abs(world.export_price).max()))
    if largest * dearest * max(world.intervals, world.homes) >= MOST_MONEY:
        raise HouseholdError(
            f"{world.source}: energies up to {largest / 1e6:.0f} kWh at {dearest / 1e6:.2f} per kWh over"
            f" {world.intervals} intervals and {world.homes} homes are too much for exact sums; check the units"
        )
