"""Laws that the orders of every strategy keep, whatever it is told."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from worlds import DAY, accounts, flexibilities, forecasts, generous, preferences

from market.bidders.preferences import Goal, PreferenceError, Preferences
from market.bidders.strategies import Strategy, bidder_of
from market.bidding import Account, Flexibility
from market.forecast import PriceForecast
from market.payloads import MAX_STEPS, Curve

strategies = st.sampled_from(list(Strategy))


def filled_at(curve: Curve, price: int) -> tuple[int, int]:
    """The positions between which an auction may fill the curve at a price: ties may go either way."""
    sure = sum(step.quantity for step in curve.sells if step.price < price) - sum(
        step.quantity for step in curve.buys if step.price > price
    )
    bought = sum(step.quantity for step in curve.buys if step.price == price)
    return sure - bought, sure + sum(step.quantity for step in curve.sells if step.price == price)


@settings(deadline=None, max_examples=70)
@given(strategies, preferences, flexibilities(), forecasts, accounts)
def test_no_order_passes_nameplate_floor_or_cap_and_none_trades_with_itself(
    strategy: Strategy,
    wanted: Preferences,
    flexibility: Flexibility,
    forecast: PriceForecast,
    account: Account,
) -> None:
    bidder = bidder_of(strategy, DAY, wanted, seed=1)
    curve = bidder.orders(flexibility, forecast, account)
    assert curve == bidder_of(strategy, DAY, wanted, seed=1).orders(flexibility, forecast, account)
    assert sum(step.quantity for step in curve.buys) <= account.max_withdrawal
    assert sum(step.quantity for step in curve.sells) <= account.max_injection
    assert len(curve.buys) + len(curve.sells) <= MAX_STEPS
    assert all(step.price <= account.import_price for step in curve.buys)
    assert all(step.price >= account.export_price for step in curve.sells)
    if wanted.cap is not None:
        assert all(step.price <= wanted.cap for step in curve.buys)
    if wanted.floor is not None:
        assert all(step.price >= wanted.floor for step in curve.sells)
    if curve.buys and curve.sells:
        assert curve.buys[0].price < curve.sells[0].price


@settings(deadline=None, max_examples=70)
@given(strategies, preferences, flexibilities(), forecasts, generous)
def test_a_filled_order_never_asks_more_of_the_storage_than_power_capacity_and_reserve_allow(
    strategy: Strategy,
    wanted: Preferences,
    flexibility: Flexibility,
    forecast: PriceForecast,
    account: Account,
) -> None:
    """Without loads that wait, what is filled less the expected surplus is the storage's to do, at any price."""
    alone = Flexibility(
        load=flexibility.load,
        generation=flexibility.generation,
        charge=flexibility.charge,
        discharge=flexibility.discharge,
        efficiency_ppm=flexibility.efficiency_ppm,
        interval=flexibility.interval,
        storage=flexibility.storage,
    )
    if alone.storage is None or not (alone.storage.most_charge or alone.storage.most_discharge):
        return
    curve = bidder_of(strategy, DAY, wanted).orders(alone, forecast, account)
    surplus = alone.generation - alone.load
    for price in {step.price for step in (*curve.buys, *curve.sells)}:
        for position in filled_at(curve, price):
            # Between nothing and the surplus it is must-run energy that is left to the tariff.
            if position > max(surplus, 0):
                assert position - surplus <= alone.discharge
            if position < min(surplus, 0):
                assert surplus - position <= alone.charge


@given(flexibilities(), forecasts, generous)
def test_zero_intelligence_draws_anew_for_each_seed_and_never_at_a_loss(
    flexibility: Flexibility, forecast: PriceForecast, account: Account
) -> None:
    curves = [
        bidder_of(Strategy.ZERO_INTELLIGENCE, DAY, seed=seed).orders(flexibility, forecast, account)
        for seed in range(8)
    ]
    for curve in curves:
        for step in (*curve.buys, *curve.sells):
            assert account.export_price <= step.price <= account.import_price
    if account.import_price - account.export_price > 1_000 and not curves[0].is_empty:
        assert len(set(curves)) > 1


def test_the_truthful_bidder_says_what_things_are_worth() -> None:
    account = Account(300_000, 60_000, 10**9, 10**9)
    bidder = bidder_of(Strategy.TRUTHFUL, DAY)
    forecast = PriceForecast(100_000, 200_000)
    load = bidder.orders(Flexibility(load=500), forecast, account)
    assert [(step.price, step.quantity) for step in load.buys] == [(300_000, 500)]
    surplus = bidder.orders(Flexibility(generation=500), forecast, account)
    assert [(step.price, step.quantity) for step in surplus.sells] == [(60_000, 500)]
    stored = bidder.orders(Flexibility(charge=10, discharge=20, efficiency_ppm=810_000), forecast, account)
    assert [(step.price, step.quantity) for step in stored.buys] == [(134_999, 10)]
    assert [(step.price, step.quantity) for step in stored.sells] == [(166_667, 20)]


def test_what_an_owner_wants_has_to_make_sense() -> None:
    with pytest.raises(PreferenceError, match="a cap of -1"):
        Preferences(cap=-1)
    assert Preferences().premium(300, 100) == 0
    assert Preferences(Goal.INDEPENDENT).premium(300, 100) == 200
    assert Preferences(Goal.GREENEST).carbon_price > 0 == Preferences().carbon_price
    assert (Preferences(floor=5).least(3), Preferences(cap=5).ceiling(9)) == (5, 5)
    assert np.isclose(Preferences(Goal.INDEPENDENT).premium(100, 300), 0)
