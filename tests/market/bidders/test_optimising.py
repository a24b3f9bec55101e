"""What the optimising bidder does in plain situations that one can work out by hand."""

import pytest
from hypothesis import given, settings
from worlds import flexibilities, forecasts, generous

from market.bidders.deferrable_value import cost_to_serve, reservation_steps
from market.bidders.optimising import OptimisingBidder
from market.bidders.preferences import Goal, Preferences
from market.bidding import Account, Deferrable, Flexibility, SimpleBidder, Storage
from market.forecast import Outlook, PriceForecast
from market.payloads import Curve, Step

IMPORT, EXPORT = 300_000, 60_000
ACCOUNT = Account(IMPORT, EXPORT, 10**9, 10**9)
EMPTY = Storage(room=1_000_000, stored=0, most_charge=500_000, most_discharge=500_000, efficiency_ppm=810_000)
FULL = Storage(room=0, stored=900_000, most_charge=500_000, most_discharge=500_000, efficiency_ppm=810_000)


def at_tariff(surplus: float, buy: int = IMPORT, sell: int = EXPORT, carbon: float = 0.0) -> Outlook:
    return Outlook(buy, sell, (float(buy),), (float(sell),), (surplus,), carbon)


def bid(
    storage: Storage | None, horizon: list[Outlook], goal: Goal = Goal.CHEAPEST, account: Account = ACCOUNT
) -> Curve:
    surplus = round(horizon[0].surplus[len(horizon[0].surplus) // 2])
    flexibility = Flexibility(load=max(0, -surplus), generation=max(0, surplus), storage=storage, interval=7)
    bidder = OptimisingBidder(len(horizon), Preferences(goal))
    return bidder.orders(flexibility, PriceForecast(0, 0, tuple(horizon)), account)


def with_supplier(curve: Curve, account: Account = ACCOUNT) -> int:
    """The position where the supplier is the only other party."""
    return sum(step.quantity for step in curve.sells if step.price <= account.export_price) - sum(
        step.quantity for step in curve.buys if step.price >= account.import_price
    )


def test_own_sun_is_stored_for_the_evening_rather_than_sold_to_the_supplier() -> None:
    curve = bid(EMPTY, [at_tariff(400_000), at_tariff(-400_000)])
    assert with_supplier(curve) == 0
    (sell,) = curve.sells
    assert sell.quantity == 400_000
    assert sell.price == pytest.approx(IMPORT * 0.81, rel=0.01), "what it will spare, after the losses"


def test_at_a_cheap_hour_the_load_is_bought_and_the_storage_fills_and_at_a_dear_one_it_gives() -> None:
    cheap = Account(50_000, 10_000, 10**9, 10**9)
    curve = bid(EMPTY, [at_tariff(-100_000, 50_000, 10_000), at_tariff(-400_000)], account=cheap)
    assert with_supplier(curve, cheap) == pytest.approx(-100_000 - 400_000 / 0.81, rel=0.03)
    keeps = bid(FULL, [at_tariff(-100_000, 50_000, 10_000), at_tariff(-900_000)], account=cheap)
    assert with_supplier(keeps, cheap) == -100_000, "the storage waits for the dear hour"
    gives = bid(FULL, [at_tariff(-100_000), at_tariff(-900_000, 100_000)])
    assert with_supplier(gives) == 0, "it spares the dear purchase and keeps what a cheaper one is worth"


def test_wear_keeps_the_storage_still_where_it_costs_more_than_it_brings() -> None:
    worn = Storage(1_000_000, 0, 500_000, 500_000, 810_000, wear=280_000)
    horizon = [at_tariff(-100_000, 50_000, 10_000), at_tariff(-400_000)]
    cheap = Account(50_000, 10_000, 10**9, 10**9)
    assert with_supplier(bid(worn, horizon, account=cheap), cheap) == pytest.approx(-100_000, abs=2)


def test_the_greenest_waits_for_clean_hours_that_the_cheapest_does_not_see() -> None:
    flat = [at_tariff(-100_000, carbon=50.0), at_tariff(-400_000, carbon=600.0), at_tariff(0, carbon=50.0)]
    assert with_supplier(bid(EMPTY, flat)) > -101_000
    assert with_supplier(bid(EMPTY, flat, Goal.GREENEST)) < -400_000


def test_the_most_independent_neither_sells_from_its_storage_nor_charges_it_from_others() -> None:
    local = Outlook(IMPORT, EXPORT, (100_000.0,), (100_000.0,), (0.0,))
    dear = Outlook(IMPORT, EXPORT, (280_000.0,), (280_000.0,), (0.0,))
    assert bid(EMPTY, [local, dear]).buys, "who wants it cheap buys from neighbours to sell to them later"
    assert all(step.price < 0 for step in bid(EMPTY, [local, dear], Goal.INDEPENDENT).buys)
    assert bid(FULL, [dear, local]).sells
    asked = bid(FULL, [dear, local], Goal.INDEPENDENT).sells
    assert all(step.price >= IMPORT - EXPORT for step in asked)


def test_several_steps_show_the_auction_what_each_part_of_the_storage_is_worth() -> None:
    horizon = [at_tariff(0), *(at_tariff(-200_000, 100_000 + 40_000 * hour) for hour in range(5))]
    curve = bid(Storage(room=0, stored=900_000, most_charge=0, most_discharge=900_000), horizon)
    assert len(curve.sells) >= 3
    assert [step.price for step in curve.sells] == sorted(step.price for step in curve.sells)


def test_without_a_storage_more_is_promised_the_better_the_price() -> None:
    uncertain = Outlook(IMPORT, EXPORT, (IMPORT,), (EXPORT,), (100.0, 200.0, 300.0, 400.0, 500.0))
    curve = bid(None, [uncertain])
    assert curve.sells[0] == Step(EXPORT, 100)
    assert [step.quantity for step in curve.sells] == [100] * 5
    middle = EXPORT + (IMPORT - EXPORT) * 0.375
    assert curve.sells[2].price == pytest.approx(middle, abs=1)


@settings(deadline=None, max_examples=50)
@given(flexibilities(), forecasts, generous)
def test_without_a_horizon_it_is_the_threshold_bidder(
    flexibility: Flexibility, forecast: PriceForecast, account: Account
) -> None:
    blind = PriceForecast(forecast.low, forecast.high)
    simple = SimpleBidder().orders(flexibility, blind, account)
    assert OptimisingBidder(4).orders(flexibility, blind, account) == simple


def test_a_load_that_may_wait_is_bid_at_what_waiting_would_cost() -> None:
    later = [at_tariff(0, 200_000), at_tariff(0, 90_000), at_tariff(0, 250_000)]
    load = Deferrable(energy=800, intervals=4, most=800)
    assert reservation_steps(load, [at_tariff(0), *later], IMPORT) == [Step(90_000, 800)]
    slow = Deferrable(energy=800, intervals=4, most=400)
    (step,) = reservation_steps(slow, [at_tariff(0), *later], IMPORT)
    assert step == Step(200_000, 400), (
        "half of it fits into the cheapest interval, so the next one is the chance"
    )


def test_a_load_that_can_not_wait_is_bought_at_any_price() -> None:
    load = Deferrable(energy=800, intervals=1, most=900)
    assert reservation_steps(load, [at_tariff(0)], IMPORT) == [Step(IMPORT, 800)]
    late = Deferrable(energy=800, intervals=2, most=400)
    assert reservation_steps(late, [at_tariff(0), at_tariff(0, 10)], IMPORT)[0] == Step(IMPORT, 400)
    assert reservation_steps(Deferrable(0, 3, 5), [at_tariff(0)], IMPORT) == []


def test_own_sun_makes_waiting_cheap() -> None:
    load = Deferrable(energy=800, intervals=2, most=800)
    assert reservation_steps(load, [at_tariff(0), at_tariff(900)], IMPORT) == [Step(EXPORT, 800)]


def test_serving_later_costs_the_expected_least() -> None:
    cost = cost_to_serve(2, 1.0, [(10.0,), (4.0,)], 100.0)
    assert cost.tolist() == [0.0, 4.0, 14.0]
    assert cost_to_serve(1, 1.0, [(2.0, 8.0), (5.0,)], 100.0).tolist() == [0.0, 3.5], (
        "take 2 when it comes, else 5"
    )
    assert cost_to_serve(3, 5.0, [], 7.0).tolist() == [0.0, 7.0, 14.0, 21.0]
