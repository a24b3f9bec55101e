"""What is told of an outcome: bills, independence, peak, carbon, prices, fairness, and the share of what was possible.

Fairness after R. Jain, D. Chiu, W. Hawe, A Quantitative Measure of Fairness (1984), and the Gini coefficient; both of
the members' gains over being alone, in which a loss counts as no gain (losers are counted on their own).
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from math import sqrt

import numpy as np
import numpy.typing as npt
from scipy.stats import t as student

from market.units import ENERGY_PER_KWH, MONEY_PER_UNIT, PRICE_PER_UNIT, S_PER_HOUR
from sim.market_year.foresight import Foresight
from sim.market_year.play import Outcome
from sim.market_year.world import World

LEVEL = 0.95
"""Of the intervals over seeds."""
LEAST_SAVING = 1e-9
"""Of the bill: below it nothing could be saved, and no share of it is told."""


@dataclass(frozen=True, slots=True)
class Measures:
    """Figures of one outcome; None where there is nothing to measure. Money in currency units, shares from 0 to 1.

    bill: what all homes together pay the supplier. bill_per_member: the mean of what a home pays; more than the share
    of `bill` by what the community account keeps. saving: bill without market and batteries less this one.
    share_of_bound: of the saving that perfect foresight has. self_sufficiency: 1 less import through load.
    self_consumption: 1 less export through solar. peak_import_kw, peak_export_kw: highest mean power of an interval.
    carbon_kg: of what was imported. local_kwh: traded from home to home. price_mean, price_deviation: of the local
    price, over the intervals in which homes traded. better_off, worse_off: homes that pay less and more than alone.
    worse_off_shared: of these, still so when the community account is paid out in equal parts. worst_loss: what the
    home that lost most pays more than alone. jain, gini: of the gains over being alone. kept: the community account.
    discharged_kwh: what batteries gave.
    """

    bill: float
    saving: float
    share_of_bound: float | None
    self_sufficiency: float | None
    self_consumption: float | None
    peak_import_kw: float
    peak_export_kw: float
    carbon_kg: float | None
    discharged_kwh: float
    bill_per_member: float | None = None
    local_kwh: float | None = None
    price_mean: float | None = None
    price_deviation: float | None = None
    better_off: float | None = None
    worse_off: float | None = None
    worse_off_shared: float | None = None
    worst_loss: float | None = None
    jain: float | None = None
    gini: float | None = None
    kept: float | None = None


@dataclass(frozen=True, slots=True)
class Spread:
    """A figure over seeds: its mean, and the 95 % interval of that mean by Student's t (both None of one seed)."""

    mean: float
    low: float | None
    high: float | None


def measures_of(
    world: World, outcome: Outcome, *, tariff: Outcome, alone: Outcome | None, best: Foresight
) -> Measures:
    """All figures of a played outcome; those against being alone only where `alone` is given."""
    flows = outcome.grid_import / ENERGY_PER_KWH, outcome.grid_export / ENERGY_PER_KWH
    prices = outcome.prices[outcome.traded] / PRICE_PER_UNIT
    gains = None if alone is None else alone.bills - outcome.bills
    bill, base = outcome.supplier / MONEY_PER_UNIT, tariff.supplier / MONEY_PER_UNIT
    discharged = outcome.discharged / ENERGY_PER_KWH
    return replace(
        _of_community(world, *flows, bill, base, best, discharged),
        bill_per_member=float(outcome.bills.mean()) / MONEY_PER_UNIT,
        local_kwh=int(outcome.local.sum()) / ENERGY_PER_KWH,
        price_mean=float(prices.mean()) if len(prices) else None,
        price_deviation=float(prices.std()) if len(prices) else None,
        better_off=None if gains is None else int((gains > 0).sum()),
        worse_off=None if gains is None else int((gains < 0).sum()),
        worse_off_shared=None if gains is None else int((gains + outcome.kept // world.homes < 0).sum()),
        worst_loss=None if gains is None else max(0, -int(gains.min())) / MONEY_PER_UNIT,
        jain=None if gains is None else jain(np.maximum(gains, 0)),
        gini=None if gains is None else gini(np.maximum(gains, 0)),
        kept=outcome.kept / MONEY_PER_UNIT,
    )


def measures_of_bound(world: World, best: Foresight, tariff: Outcome) -> Measures:
    """The figures of perfect foresight, which says nothing about single homes and prices."""
    base = tariff.supplier / MONEY_PER_UNIT
    return _of_community(world, best.grid_import, best.grid_export, best.bill, base, best, best.discharged)


def jain(gains: npt.NDArray[np.int64]) -> float | None:
    """1 where all gain alike, 1/n where one gains all; None where nobody gains. Gains >= 0."""
    values = gains.astype(np.float64)
    squares = float((values * values).sum())
    return float(values.sum()) ** 2 / (len(values) * squares) if squares else None


def gini(gains: npt.NDArray[np.int64]) -> float | None:
    """0 where all gain alike, near 1 where one gains all; None where nobody gains. Gains >= 0."""
    values = np.sort(gains.astype(np.float64))
    total, count = float(values.sum()), len(values)
    if not total:
        return None
    return float(((2 * np.arange(1, count + 1) - count - 1) * values).sum()) / (count * total)


def spread_over_seeds(measures: Sequence[Measures]) -> dict[str, Spread | None]:
    """Each figure over the seeds; None where one of them has none."""
    columns = [asdict(each) for each in measures]
    return {name: _spread([column[name] for column in columns]) for name in columns[0]}


def _spread(values: Sequence[float | None]) -> Spread | None:
    known = [value for value in values if value is not None]
    if len(known) < len(values):
        return None
    mean = float(np.mean(known))
    if len(known) == 1:
        return Spread(mean, None, None)
    half = (
        float(student.ppf((1 + LEVEL) / 2, len(known) - 1)) * float(np.std(known, ddof=1)) / sqrt(len(known))
    )
    return Spread(mean, mean - half, mean + half)


def _of_community(
    world: World,
    grid_import: npt.NDArray[np.float64],
    grid_export: npt.NDArray[np.float64],
    bill: float,
    base: float,
    best: Foresight,
    discharged: float,
) -> Measures:
    """What follows from the bill and the exchange with the grid, kWh per interval; `base` is the bill at the tariff."""
    recorded = np.array([world.recorded(interval) for interval in range(world.intervals)])
    load, solar = totals(world)
    per_hour = S_PER_HOUR / world.interval_s
    possible = base - best.bill
    grams = None if world.carbon is None else float((grid_import * world.carbon[recorded]).sum())
    return Measures(
        bill=bill,
        saving=base - bill,
        share_of_bound=(base - bill) / possible if possible > LEAST_SAVING * abs(base) else None,
        self_sufficiency=1 - float(grid_import.sum()) / load if load else None,
        self_consumption=1 - float(grid_export.sum()) / solar if solar else None,
        peak_import_kw=float(grid_import.max()) * per_hour,
        peak_export_kw=float(grid_export.max()) * per_hour,
        carbon_kg=None if grams is None else grams / 1000,
        discharged_kwh=discharged,
    )


def totals(world: World) -> tuple[float, float]:
    """Load and solar of all homes over all days, kWh."""
    load_by_day, solar_by_day = _by_day(world, world.load), _by_day(world, world.pv)
    load = sum(
        int(load_by_day[record, days].sum())
        for record, days in zip(world.record, world.load_day, strict=True)
    )
    solar = int(solar_by_day[:, world.weather_day].sum(axis=1)[world.record].sum())
    return load / ENERGY_PER_KWH, solar / ENERGY_PER_KWH


def _by_day(world: World, energies: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """The sums of each record's whole recorded days; what is left of a day at the end is not played."""
    whole = energies.shape[1] // world.day
    sums: npt.NDArray[np.int64] = (
        energies[:, : whole * world.day].reshape(len(energies), whole, world.day).sum(axis=2)
    )
    return sums
