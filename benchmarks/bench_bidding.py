"""How much of the saving that perfect foresight would bring a bidder reaches, on measured homes at their tariff.

Run as `python benchmarks/bench_bidding.py [HOMES] [DAYS]`. It prints a table for people and, as its last line, one JSON
object. Each home has the sample's battery (6.4 kWh, 5 kW, 90 % round trip, a tenth kept as reserve) and trades with
the supplier alone, at the import and export price of each interval, which it knows in advance as its tariff; load and
solar it has to forecast. In each interval the battery holds the meter at what the order bought or sold, as the control
process does, so errors of the forecast have to be borne. The saving is against the same home without a battery; what
lies in the battery at the end is worth what a home with perfect foresight would pay for it (the mean import price).
The reference is the linear program (HiGHS) that knows every reading and price of the whole time in advance.
"""

import json
import platform
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy.optimize import linprog
from scipy.sparse import coo_array, eye_array, hstack, vstack

from market.bidders.expectations import Expectations, Maker
from market.bidders.strategies import Strategy, bidder_of
from market.bidding import Account, Bidder, Flexibility, Storage
from market.forecast import Outlook, PriceHistory
from market.forecasting.seasonal import Climate, SeasonalNaive
from market.forecasting.selection import light
from market.payloads import Curve
from sim.homes.household_samples import SEASONS, SOURCES
from sim.homes.households import read_recording
from sim.homes.neighbourhood import CHALLENGE_BATTERY, NS_PER_S, SECONDS_PER_DAY, Recording, ranked

RESERVE = 0.1
WARM_DAYS = 7
"""Days of each recording that are only learned from."""
ONE_WAY = (CHALLENGE_BATTERY.efficiency_per_mille / 1000) ** 0.5
CAPACITY = CHALLENGE_BATTERY.energy * (1 - RESERVE)
UNIT = 1e12
"""pico-currency (mWh x µ/kWh) in a currency unit."""


@dataclass(frozen=True, slots=True)
class Site:
    """One home over one recording: energies in mWh per interval, prices in µ/kWh."""

    first: int
    day: int
    interval_s: int
    load: np.ndarray
    pv: np.ndarray
    buy: np.ndarray
    sell: np.ndarray

    @property
    def limit(self) -> int:
        """The most that the battery takes or gives in an interval, mWh."""
        return CHALLENGE_BATTERY.power * self.interval_s // 3600


def main() -> None:
    """Measure every strategy on every sample, print, and say which share of the best each one reaches."""
    homes = int(sys.argv[1]) if len(sys.argv) > 1 else 2
    days = int(sys.argv[2]) if len(sys.argv) > 2 else 14
    results = []
    for source in SOURCES:
        for season in SEASONS:
            recording = read_recording(source, season)
            sites = [site_of(recording, index, days) for index in range(homes)]
            results.append({"data": source, "season": season, **measure(sites)})
            print(line(results[-1]), flush=True)
    print(f"\nOn {platform.machine()}, Python {platform.python_version()}.")
    print(json.dumps({"homes": homes, "days": days, "results": results}))


def line(result: dict[str, object]) -> str:
    """One row for people."""
    shares = "  ".join(f"{name} {share:7.1%}" for name, share in result["share"].items())
    place = f"{result['data']:>8} {result['season']:<6} best {result['best']:8.2f}"
    return f"{place}  {shares}  {result['ms_per_bid']:.0f} ms a bid"


def site_of(recording: Recording, index: int, days: int) -> Site:
    """The home of this rank, seed 0."""
    record = [each for each in ranked(recording.records, 0) if each.complete][index]
    day = SECONDS_PER_DAY // recording.interval_s
    kept = slice(0, days * day)
    return Site(
        first=recording.first_start_ns // (recording.interval_s * NS_PER_S),
        day=day,
        interval_s=recording.interval_s,
        load=np.array(record.load)[kept],
        pv=np.array(record.pv)[kept],
        buy=np.array(recording.prices.import_price)[kept],
        sell=np.array(recording.prices.export_price)[kept],
    )


def measure(sites: Sequence[Site]) -> dict[str, object]:
    """Saving of perfect foresight and the share of it that each way of bidding reaches, over all sites together."""
    best = sum(saving_of(site, foresight(site)) for site in sites)
    ways: dict[str, tuple[Strategy, Maker | None]] = {
        "optimising": (Strategy.OPTIMISING, light),
        "reacting": (Strategy.OPTIMISING, light),
        "with the climate": (Strategy.OPTIMISING, Climate),
        "with the naive": (Strategy.OPTIMISING, SeasonalNaive),
        "knowing all": (Strategy.OPTIMISING, None),
        "threshold": (Strategy.THRESHOLD, light),
        "truthful": (Strategy.TRUTHFUL, light),
    }
    shares = {}
    seconds = []
    for name, (strategy, maker) in ways.items():
        started = time.perf_counter()
        saved = sum(
            saving_of(site, simulate(site, bidder_of(strategy, site.day), maker, reacts=name == "reacting"))
            for site in sites
        )
        seconds.append(time.perf_counter() - started)
        shares[name] = saved / best
    bids = sum(len(site.load) - WARM_DAYS * site.day for site in sites)
    return {"best": best / UNIT, "share": shares, "ms_per_bid": 1000 * seconds[0] / bids}


def saving_of(site: Site, moved: np.ndarray) -> float:
    """What the battery's energies at its terminals saved, pico-currency; injection positive."""
    start = WARM_DAYS * site.day
    surplus = (site.pv - site.load)[start:].astype(float)
    buy, sell = site.buy[start:], site.sell[start:]
    stored = -np.where(moved > 0, moved / ONE_WAY, moved * ONE_WAY).sum()
    return cost(surplus, buy, sell) - cost(surplus + moved, buy, sell) + stored * ONE_WAY * float(buy.mean())


def cost(net: np.ndarray, buy: np.ndarray, sell: np.ndarray) -> float:
    """What the net energies cost at the tariff."""
    return float(np.where(net < 0, -net * buy, -net * sell).sum())


def simulate(site: Site, bidder: Bidder, maker: Maker | None, *, reacts: bool = False) -> np.ndarray:
    """Energies of the battery after the first days; `maker` None lets the bidder know load and solar to come.

    With `reacts` the bidder knows those of the interval that it bids for, and forecasts what follows: that is a
    control that moves the battery by what its energy is worth while the interval runs.
    """
    start = WARM_DAYS * site.day
    expectations = Expectations(site.day, maker or Climate)
    history = PriceHistory(3 * site.day, tuple(site.buy[max(0, start - 3 * site.day) : start].tolist()))
    for position in range(start - 1):
        learn(expectations, site, position)
    level = CAPACITY / 2
    moved = np.zeros(len(site.load) - start)
    for position in range(start, len(site.load)):
        storage = storage_of(site, level)
        forecast = history.forecast()
        assert forecast is not None, "days of prices are known"
        horizon = outlook(site, position, expectations, maker)
        surplus = int(site.pv[position] - site.load[position])
        if reacts:
            horizon = (replace(horizon[0], surplus=(float(surplus),) * 5), *horizon[1:])
        generation, load = (max(0, round(horizon[0].surplus[2])), max(0, -round(horizon[0].surplus[2])))
        flexibility = Flexibility(
            load=load,
            generation=generation,
            charge=min(storage.room, storage.most_charge),
            discharge=min(storage.stored, storage.most_discharge),
            efficiency_ppm=storage.efficiency_ppm,
            interval=site.first + position,
            storage=storage,
        )
        account = Account(int(site.buy[position]), int(site.sell[position]), 2**40, 2**40)
        curve = bidder.orders(flexibility, type(forecast)(forecast.low, forecast.high, horizon), account)
        wanted = position_of(curve, account) - surplus
        terminals = max(-flexibility.charge, min(flexibility.discharge, wanted))
        level -= terminals / ONE_WAY if terminals > 0 else terminals * ONE_WAY
        level = min(max(level, 0.0), CAPACITY)
        moved[position - start] = terminals
        # When the next gate closes this interval still runs: only the one before it is known.
        learn(expectations, site, position - 1)
        history = history.with_price(int(site.buy[position]))
    return moved


def learn(expectations: Expectations, site: Site, position: int) -> None:
    """What is known once an interval is over; nothing trades but with the supplier."""
    interval = site.first + position
    expectations.metered(interval, int(site.load[position]), int(site.pv[position]))
    expectations.priced(interval, int(site.buy[position]), int(site.sell[position]), None)


def outlook(
    site: Site, position: int, expectations: Expectations, maker: Maker | None
) -> tuple[Outlook, ...]:
    """A day ahead: the tariff as it is, and the surplus as forecast or, without a maker, as it will be."""
    last = len(site.load) - 1
    if maker is not None:
        return expectations.horizon(
            site.first + position,
            min(site.day, last - position + 1),
            lambda interval: (int(site.buy[interval - site.first]), int(site.sell[interval - site.first])),
            lambda _: 0.0,
        )
    return tuple(
        Outlook(
            import_price=int(site.buy[each]),
            export_price=int(site.sell[each]),
            buy=(float(site.buy[each]),),
            sell=(float(site.sell[each]),),
            surplus=(float(site.pv[each] - site.load[each]),) * 5,
        )
        for each in range(position, min(last, position + site.day - 1) + 1)
    )


def storage_of(site: Site, level: float) -> Storage:
    """The battery with so much above its reserve, mWh inside."""
    return Storage(
        room=max(0, int((CAPACITY - level) / ONE_WAY)),
        stored=max(0, int(level * ONE_WAY)),
        most_charge=site.limit,
        most_discharge=site.limit,
        efficiency_ppm=CHALLENGE_BATTERY.efficiency_per_mille * 1000,
    )


def position_of(curve: Curve, account: Account) -> int:
    """What the supplier fills of a curve: purchases at its import price and sales at its export price."""
    bought = sum(step.quantity for step in curve.buys if step.price >= account.import_price)
    return sum(step.quantity for step in curve.sells if step.price <= account.export_price) - bought


def foresight(site: Site) -> np.ndarray:
    """The best energies of the battery, by a linear program that knows everything: charge, discharge, in, out."""
    start = WARM_DAYS * site.day
    surplus = (site.pv - site.load)[start:].astype(float)
    buy, sell = site.buy[start:].astype(float), site.sell[start:].astype(float)
    count = len(surplus)
    one = eye_array(count, format="coo")
    net = hstack([one, -one, -one, one])  # charge - discharge - in + out = surplus
    rows, columns = np.tril_indices(count)
    lower = coo_array((np.ones(len(rows)), (rows, columns)), shape=(count, count))
    nothing = coo_array((count, count))
    level = hstack([lower * ONE_WAY, lower * (-1 / ONE_WAY), nothing, nothing])
    worth = float(buy.mean()) * ONE_WAY
    costs = np.concatenate([np.full(count, -worth * ONE_WAY), np.full(count, worth / ONE_WAY), buy, -sell])
    solved = linprog(
        costs / 1e6,
        A_ub=vstack([level, -level]).tocsr(),
        b_ub=np.concatenate([np.full(count, CAPACITY / 2), np.full(count, CAPACITY / 2)]) / 1e6,
        A_eq=net.tocsr(),
        b_eq=surplus / 1e6,
        bounds=[(0, site.limit / 1e6)] * (2 * count) + [(0, None)] * (2 * count),
        method="highs",
    )
    assert solved.success, solved.message
    return (solved.x[count : 2 * count] - solved.x[:count]) * 1e6


if __name__ == "__main__":
    main()
