"""The optimising bidder on arrays is the market's, its program the market's by slopes, and it expects no miracles."""

from math import sqrt

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from market.bidders.optimising import OptimisingBidder
from market.bidders.preferences import Preferences
from market.bidders.storage_value import Reservoir, grid_of, value_of_storage
from market.bidders.strategies import Strategy
from market.bidding import Account, Flexibility, Storage
from market.forecast import Outlook, PriceForecast
from market.mechanisms.names import Mechanism
from market.payloads import Curve
from market.units import MONEY_PER_UNIT
from sim.homes.household_samples import SEASONS, load_sample
from sim.market_year.bids import Bids
from sim.market_year.expected import LAG, Expected
from sim.market_year.foresight import foresight
from sim.market_year.lookahead import prices_of_risk, rising_curves, storage_curves
from sim.market_year.play import play_market, play_tariff
from sim.market_year.stored_worth import LEVELS, Store, worth_of_levels
from sim.market_year.world import resampled

EFFICIENCY_PPM = 900_000
ONE_WAY = sqrt(EFFICIENCY_PPM / 1_000_000)
CAPACITY, LIMIT = 6_400_000, 2_500_000
STORE = Store(float(CAPACITY), ONE_WAY, float(LIMIT))
QUANTILES = 5

surpluses = st.lists(st.integers(-3_000_000, 3_000_000), min_size=QUANTILES, max_size=QUANTILES).map(sorted)
tariffs = st.tuples(st.integers(0, 500_000), st.integers(0, 500_000)).map(sorted)
outlooks = st.lists(st.tuples(tariffs, surpluses), min_size=2, max_size=4)


def outlook(tariff: list[int], surplus: list[int]) -> Outlook:
    """Of a storage in a cell that trades with the supplier at this tariff."""
    export_price, import_price = tariff
    own = tuple(float(each) for each in surplus)
    return Outlook(import_price, export_price, (float(import_price),), (float(export_price),), own)


def slopes_of(horizon: list[tuple[list[int], list[int]]]) -> np.ndarray:
    """What the program on arrays makes of a horizon, for one battery."""
    tariff = np.array([each for each, _ in horizon], float)
    surplus = np.array([each for _, each in horizon], float)[:, np.newaxis, :]
    return worth_of_levels(STORE, surplus, tariff[:, 1], tariff[:, 0])


def storage(level: int) -> Storage:
    """The battery with so much stored inside, mWh."""
    return Storage(
        room=int((CAPACITY - level) / ONE_WAY),
        stored=int(level * ONE_WAY),
        most_charge=LIMIT,
        most_discharge=LIMIT,
        efficiency_ppm=EFFICIENCY_PPM,
    )


def bought_and_sold(curve: Curve, price: float) -> int:
    """The net position of a curve at a price that none of its steps has."""
    sold = sum(step.quantity for step in curve.sells if step.price < price)
    return sold - sum(step.quantity for step in curve.buys if step.price > price)


def position(bids: Bids, price: float) -> int:
    """The same of the first home on arrays."""
    half = bids.price.shape[1] // 2
    bought = bids.quantity[0, :half][bids.price[0, :half] > price].sum()
    sold = bids.quantity[0, half:][bids.price[0, half:] < price].sum()
    return int(sold - bought)


@settings(max_examples=60, deadline=None)
@given(horizon=outlooks)
def test_slopes_are_those_of_the_market_s_program(horizon: list[tuple[list[int], list[int]]]) -> None:
    reservoir = Reservoir.of(storage(0))
    assert len(grid_of(reservoir)) == LEVELS
    told = [outlook(*each) for each in horizon]
    value = value_of_storage(reservoir, told, Preferences(), day=len(told))
    assert slopes_of(horizon)[0, 0] == pytest.approx(np.diff(value), rel=1e-5, abs=1e6)


@settings(max_examples=80, deadline=None)
@given(horizon=outlooks, own=surpluses, level=st.integers(0, CAPACITY), share=st.floats(0.01, 0.99))
def test_a_battery_bids_as_its_bidder_would(
    horizon: list[tuple[list[int], list[int]]], own: list[int], level: int, share: float
) -> None:
    export_price, import_price = horizon[0][0]
    battery = storage(level)
    charge, discharge = min(battery.room, LIMIT), min(battery.stored, LIMIT)
    flexibility = Flexibility(
        load=max(0, -own[2]), generation=max(0, own[2]), charge=charge, discharge=discharge, storage=battery
    )
    forecast = PriceForecast(1, 2, (outlook(horizon[0][0], own),), tuple(outlook(*each) for each in horizon))
    account = Account(import_price, export_price, 2**40, 2**40)
    curve = OptimisingBidder(len(horizon)).orders(flexibility, forecast, account)
    rising = storage_curves(
        STORE,
        slopes_of(horizon[1:])[0],
        np.array([float(level)]),
        (np.array([charge]), np.array([discharge])),
        np.array([own], float),
        (import_price, export_price),
    )
    bids = rising_curves(*rising, import_price, export_price)
    # Within a hundredth of the capacity: the bidder joins the steps of a curve to sixteen and rounds its level.
    price = export_price + share * (import_price - export_price)
    near = [
        bought_and_sold(curve, each) for each in (price * 0.97 - 3, price - 3, price + 3, price * 1.03 + 3)
    ]
    assert min(near) - CAPACITY // 50 <= position(bids, price) <= max(near) + CAPACITY // 50


@given(own=surpluses, tariff=tariffs, share=st.floats(0.01, 0.99))
def test_without_a_battery_more_is_promised_the_better_the_price(
    own: list[int], tariff: list[int], share: float
) -> None:
    export_price, import_price = tariff
    forecast = PriceForecast(1, 2, (outlook(tariff, own),))
    flexibility = Flexibility(load=max(0, -own[2]), generation=max(0, own[2]))
    curve = OptimisingBidder(4).orders(
        flexibility, forecast, Account(import_price, export_price, 2**40, 2**40)
    )
    quantity = np.diff(np.array([own]), axis=1)
    bids = rising_curves(
        np.array(own[:1]),
        prices_of_risk(import_price, export_price)[np.newaxis],
        quantity,
        import_price,
        export_price,
    )
    price = export_price + share * (import_price - export_price)
    if export_price < price < import_price and not any(
        abs(step.price - price) < 2 for step in curve.buys + curve.sells
    ):
        assert position(bids, price) == bought_and_sold(curve, price)


def test_what_repeats_is_expected_and_what_lasts_is_followed() -> None:
    day, homes = 24, 2
    draw = np.random.default_rng(0)
    expected = Expected(homes, day)
    drift, surplus, errors = np.zeros(homes), [], []
    for interval in range(20 * day):
        drift = 0.9 * drift + draw.normal(0, 100_000, homes)
        # One home repeats itself exactly; the other wanders around the same day.
        shape = 1_000_000 * np.sin(2 * np.pi * (interval % day) / day)
        surplus.append(np.array([shape, shape + drift[1]]).astype(np.int64))
        if interval >= LAG:
            expected.learn(interval - LAG, surplus[interval - LAG])
        told = expected.quantiles(interval)
        assert (np.diff(told, axis=1) >= 0).all()
        if interval >= 15 * day:
            errors.append((told[:, 2] - surplus[-1], told[:, 0] <= surplus[-1], surplus[-1] <= told[:, 4]))
    off = np.array([error for error, _, _ in errors])
    yesterday = np.array(surplus[15 * day :]) - np.array(surplus[14 * day : -day])
    assert np.abs(off[:, 0]).max() < 1
    assert np.abs(off[:, 1]).mean() < 0.8 * np.abs(yesterday[:, 1]).mean()
    inside = np.mean([low[1] and high[1] for _, low, high in errors])
    assert 0.6 < inside <= 1


def test_after_its_first_days_looking_ahead_saves_most_of_what_foresight_would() -> None:
    seasons = [load_sample("fontana", season) for season in SEASONS]
    world = resampled(seasons, homes=6, days=28, seed=1, batteries=50)
    tariff = play_tariff(world)
    best = tariff.supplier / MONEY_PER_UNIT - foresight(world, tariff.grid_export - tariff.grid_import).bill
    plays = [
        play_market(world, strategy, Mechanism.UNIFORM, seed=1)
        for strategy in (Strategy.THRESHOLD, Strategy.OPTIMISING)
    ]
    threshold, optimising = ((tariff.supplier - play.supplier) / MONEY_PER_UNIT / best for play in plays)
    assert max(threshold, 0.75) < optimising < 1
