"""A played year conserves energy and money to the last unit, and no play beats perfect foresight."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from market.bidders.strategies import Strategy
from market.mechanisms.names import Mechanism
from market.rules import TariffStep
from market.settlement import bill, contract_money, imbalance_money
from sim.homes.household_samples import SEASONS, load_sample
from sim.homes.neighbourhood import CHALLENGE_BATTERY, HouseholdError, Prices, Record, Recording
from sim.market_year.batteries import Batteries
from sim.market_year.bids import PLAIN
from sim.market_year.clearing import Contracts
from sim.market_year.comparison import BOUND, TARIFF, Played, compare
from sim.market_year.measures import gini, jain, spread_over_seeds, totals
from sim.market_year.play import settle, share_surplus
from sim.market_year.side_by_side import alone_name, collective_name, market_name
from sim.market_year.world import World, as_recorded, resampled

DAY = 4
INTERVAL_S = 21_600
UNIT = 10**12


def recording(load: list[list[int]], pv: list[list[int]], prices: list[tuple[int, int]]) -> Recording:
    """Homes over intervals of six hours."""
    return Recording(
        source="drawn",
        season="recorded",
        interval_s=INTERVAL_S,
        first_start_ns=0,
        records=tuple(
            Record(f"home {number}", tuple(used), tuple(made))
            for number, (used, made) in enumerate(zip(load, pv, strict=True))
        ),
        prices=Prices("unit", tuple(price for price, _ in prices), tuple(price for _, price in prices)),
    )


@st.composite
def worlds(draw: st.DrawFn) -> World:
    """One to four homes over one to three days."""
    homes, days = draw(st.integers(1, 4)), draw(st.integers(1, 3))
    energies = st.just(0) | st.integers(1, 20_000_000)
    rows = st.lists(energies, min_size=days * DAY, max_size=days * DAY)
    tables = st.lists(rows, min_size=homes, max_size=homes)
    tariffs = st.tuples(st.integers(0, 500_000), st.integers(0, 500_000)).map(
        lambda pair: (max(pair), min(pair))
    )
    prices = draw(st.lists(tariffs, min_size=days * DAY, max_size=days * DAY))
    measured = recording(draw(tables), draw(tables), prices)
    return as_recorded(
        measured, homes=homes, days=None, seed=0, batteries=draw(st.sampled_from([0, 50, 100]))
    )


@settings(max_examples=20, deadline=None)
@given(world=worlds(), seed=st.integers(0, 99), known=st.booleans())
def test_money_and_energy_are_conserved_and_nothing_beats_the_bound(
    world: World, seed: int, known: bool
) -> None:
    check_conservation(world, compare(world, PLAIN, list(Mechanism), seed=seed, known=known))


@settings(max_examples=8, deadline=None)
@given(world=worlds())
def test_money_and_energy_are_conserved_by_homes_that_look_ahead(world: World) -> None:
    check_conservation(world, compare(world, [Strategy.OPTIMISING], [Mechanism.UNIFORM], seed=0))


def check_conservation(world: World, played: Played) -> None:
    """To the last pico and the last mWh, and never below the bound."""
    load, solar = totals(world)
    for name, outcome in played.outcomes.items():
        assert int(outcome.bills.sum()) == outcome.supplier + outcome.kept, name
        assert outcome.kept >= 0, name
        net = int(outcome.grid_export.sum() - outcome.grid_import.sum())
        lost = round(solar * 1e6) - round(load * 1e6) - net - outcome.left
        assert lost >= 0, name
        assert name != TARIFF or lost == 0
        assert outcome.supplier / UNIT >= played.best.bill - 1e-6 * (1 + abs(played.best.bill)), name
        assert (outcome.traded <= (outcome.local > 0)).all(), name


@given(
    energy=st.integers(-(10**7), 10**7),
    meter=st.integers(-(10**7), 10**7),
    price=st.none() | st.integers(-500, 500_000),
    tariff=st.tuples(st.integers(0, 500_000), st.integers(0, 500_000)),
)
def test_settlement_is_the_cell_s(
    energy: int, meter: int, price: int | None, tariff: tuple[int, int]
) -> None:
    step = TariffStep(0, max(tariff), min(tariff))
    contracted = contract_money(price, energy)
    made = Contracts(np.array([energy]), np.array([contracted]), price, 0, uniform=True)
    expected = contracted + imbalance_money(step, price, meter - energy)
    assert settle(made, np.array([meter]), step).tolist() == [expected]


@given(meter=st.lists(st.integers(-(10**7), 10**7), min_size=1, max_size=8))
def test_sharing_the_surplus_makes_nobody_worse_off_and_the_supplier_bills_the_sum(meter: list[int]) -> None:
    step = TariffStep(0, 300_000, 60_000)
    money, shared = share_surplus(np.array(meter), step)
    assert -int(money.sum()) == bill(step, -sum(meter))
    assert all(got >= -bill(step, -own) for got, own in zip(money.tolist(), meter, strict=True))
    assert shared == min(sum(each for each in meter if each > 0), -sum(each for each in meter if each < 0))


@given(wanted=st.lists(st.integers(-(10**7), 10**7), min_size=1, max_size=12))
def test_a_battery_stays_within_its_limits_and_loses_at_least_what_it_must(wanted: list[int]) -> None:
    batteries = Batteries(np.array([True, False]), CHALLENGE_BATTERY, 1800)
    moves = [batteries.move(np.array([each, each])).tolist() for each in wanted]
    assert all(second == 0 for _, second in moves)
    taken, given_ = sum(-min(first, 0) for first, _ in moves), sum(max(first, 0) for first, _ in moves)
    assert 0 <= batteries.stored[0] <= CHALLENGE_BATTERY.energy
    assert given_ <= taken * 0.9
    assert all(abs(first) <= CHALLENGE_BATTERY.power // 2 for first, _ in moves)


def test_a_full_battery_gives_back_its_efficiency() -> None:
    batteries = Batteries(np.array([True]), CHALLENGE_BATTERY, 86_400)
    taken = -int(batteries.move(np.array([-(10**9)]))[0])
    given_ = int(batteries.move(np.array([10**9]))[0])
    assert given_ == pytest.approx(0.9 * taken, rel=1e-5)
    assert batteries.stored[0] <= 1


def test_a_year_of_weeks_keeps_weekdays_seasons_and_the_tariff_s_days() -> None:
    seasons = [load_sample("fontana", season) for season in SEASONS]
    world = resampled(seasons, homes=20, days=365, seed=3, batteries=50)
    assert len(world.names) == len(set(world.names)) == world.homes == 20
    assert world.battery.sum() == 10
    originals = int((world.record[1:] > world.record[:-1]).sum()) + 1
    assert (world.load_day[: len(world.load)] == world.weather_day).all()
    assert originals > len(world.load) - 1
    # Monday 3 July 2017 and Monday 5 December 2016 begin the recordings, so a recorded day's weekday is its place.
    assert (world.weather_day % 7 == np.arange(365) % 7).all()
    weekend = np.arange(365) % 7 >= 5
    assert ((world.load_day % 7 >= 5) == weekend).all()
    summer = world.weather_day < 14
    assert ((world.load_day < 14) == summer).all()
    assert summer[140:220].mean() > 0.8 > 0.2 > summer[[*range(30), *range(335, 365)]].mean()
    weeks = [summer[first : first + 7] for first in range(0, 364, 7)]
    assert all(len(set(week.tolist())) == 1 for week in weeks)


def test_the_same_seed_gives_the_same_year_and_another_one_another() -> None:
    seasons = [load_sample("swiss", season) for season in SEASONS]
    first, again, other = (
        resampled(seasons, homes=4, days=30, seed=seed, batteries=50) for seed in (1, 1, 2)
    )
    assert (first.weather_day == again.weather_day).all()
    assert (first.load_day == again.load_day).all()
    assert first.names != other.names or (first.weather_day != other.weather_day).any()


def test_two_weeks_of_real_homes_gain_by_the_market() -> None:
    seasons = [load_sample("fontana", season) for season in SEASONS]
    world = resampled(seasons, homes=8, days=14, seed=0, batteries=50)
    played = compare(world, [Strategy.THRESHOLD], [Mechanism.UNIFORM], seed=0)
    rows = [
        played.measures[name]
        for name in (
            TARIFF,
            alone_name(Strategy.THRESHOLD),
            collective_name(Strategy.THRESHOLD),
            market_name(Mechanism.UNIFORM, Strategy.THRESHOLD),
            BOUND,
        )
    ]
    assert all(worse.bill > better.bill for worse, better in pairwise(rows))
    shares = [row.share_of_bound for row in rows]
    assert shares[0] == 0
    assert shares[-1] == 1
    assert rows[2].worse_off == 0
    assert rows[3].local_kwh is not None
    assert rows[3].local_kwh > 0


def test_what_is_not_there_is_refused_with_what_there_is() -> None:
    measured = recording([[1] * DAY], [[0] * DAY], [(2, 1)] * DAY)
    with pytest.raises(HouseholdError, match="ask for 1 to 1"):
        as_recorded(measured, homes=2, days=None, seed=0, batteries=50)
    with pytest.raises(HouseholdError, match="1 whole days"):
        as_recorded(measured, homes=1, days=2, seed=0, batteries=50)
    with pytest.raises(HouseholdError, match="every day of the week"):
        resampled([measured, measured], homes=1, days=30, seed=0, batteries=50)


def test_energies_too_large_for_exact_sums_are_refused() -> None:
    measured = recording([[10**14] * DAY], [[0] * DAY], [(500_000, 1)] * DAY)
    world = as_recorded(measured, homes=1, days=None, seed=0, batteries=0)
    with pytest.raises(HouseholdError, match="check the units"):
        compare(world, [Strategy.THRESHOLD], [Mechanism.UNIFORM], seed=0)


def test_fairness_knows_its_extremes() -> None:
    equal, one, nobody = np.array([5, 5, 5, 5]), np.array([0, 0, 0, 8]), np.array([0, 0])
    assert (jain(equal), gini(equal)) == (1.0, 0.0)
    assert (jain(one), gini(one)) == (0.25, 0.75)
    assert (jain(nobody), gini(nobody)) == (None, None)


def test_the_interval_over_seeds_is_student_s() -> None:
    seasons = [load_sample("swiss", season) for season in SEASONS]
    measures = [
        compare(resampled(seasons, homes=3, days=2, seed=seed, batteries=50), [], [], seed=seed).measures[
            TARIFF
        ]
        for seed in (0, 1)
    ]
    bills = [each.bill for each in measures]
    spread = spread_over_seeds(measures)["bill"]
    assert spread is not None
    assert spread.mean == pytest.approx(sum(bills) / 2)
    # Of two values, Student's t at 95 % is 12.706 and the standard error half their distance.
    assert spread.high == pytest.approx(spread.mean + 12.706 * abs(bills[0] - bills[1]) / 2, rel=1e-3)
    assert spread_over_seeds(measures[:1])["bill"].low is None
    assert spread_over_seeds(measures)["jain"] is None
