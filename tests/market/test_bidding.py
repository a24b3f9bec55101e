"""The simple bidder and its curve of net positions."""

from hypothesis import given
from hypothesis import strategies as st

from market.bidding import PRICE_TICK, Account, Bidder, Flexibility, SimpleBidder, net_curve
from market.forecast import PriceForecast
from market.payloads import Curve, Step

energies = st.just(0) | st.integers(1, 10**7)
prices = st.integers(-50, 400)
flexibilities = st.builds(
    Flexibility,
    load=energies,
    generation=energies,
    charge=energies,
    discharge=energies,
    efficiency_ppm=st.integers(0, 1_000_000),
)
forecasts = st.tuples(prices, prices).map(lambda pair: PriceForecast(min(pair), max(pair)))
accounts = st.builds(
    lambda pair, injection, withdrawal: Account(max(pair), min(pair), injection, withdrawal),
    st.tuples(prices, prices),
    energies,
    energies,
)
generous = accounts.map(lambda a: Account(a.import_price, a.export_price, 10**9, 10**9))
steps = st.lists(st.builds(Step, st.integers(-20, 20), st.integers(1, 100)), max_size=6)


def position_at(curve: Curve, price: int) -> int:
    """The net position of a curve between the ticks `price` and `price + 1`, where nobody is indifferent."""
    sold = sum(step.quantity for step in curve.sells if step.price <= price)
    return sold - sum(step.quantity for step in curve.buys if step.price > price)


def wanted_at(must_run: int, buys: list[Step], sells: list[Step], price: int) -> int:
    return (
        must_run
        + sum(step.quantity for step in sells if step.price <= price)
        - sum(step.quantity for step in buys if step.price > price)
    )


@given(st.integers(-150, 150), steps, steps)
def test_a_net_curve_has_the_position_that_its_parts_want_at_every_price(
    must_run: int, buys: list[Step], sells: list[Step]
) -> None:
    """To one tick: a step that changed sides trades a tick later than it might, when it is indifferent."""
    curve = net_curve(must_run, buys, sells, ceiling=30, floor=-30, dearest=31)
    for price in range(-28, 28):
        before, after = (wanted_at(must_run, buys, sells, price + shift) for shift in (-1, 1))
        assert before <= position_at(curve, price) <= after


@given(st.integers(-150, 150), steps, steps, st.integers(-25, 25), st.integers(-25, 25))
def test_a_net_curve_never_trades_with_itself_or_beyond_its_means(
    must_run: int, buys: list[Step], sells: list[Step], ceiling: int, floor: int
) -> None:
    curve = net_curve(must_run, buys, sells, ceiling=ceiling, floor=floor, dearest=ceiling + 1)
    lowest = must_run - sum(step.quantity for step in buys)
    highest = must_run + sum(step.quantity for step in sells)
    assert sum(step.quantity for step in curve.buys) == max(-lowest, 0)
    assert sum(step.quantity for step in curve.sells) == max(highest, 0)
    assert all(step.price <= ceiling + 1 for step in curve.buys)
    assert all(step.price >= floor for step in curve.sells)
    if curve.buys and curve.sells:
        assert curve.buys[0].price < curve.sells[0].price


@given(flexibilities, forecasts, accounts)
def test_only_storage_buys_at_retail_and_no_sale_goes_down_to_feed_in(
    flexibility: Flexibility, forecast: PriceForecast, account: Account
) -> None:
    curve = SimpleBidder().orders(flexibility, forecast, account)
    assert all(step.price <= account.import_price for step in curve.buys)
    at_retail = sum(step.quantity for step in curve.buys if step.price == account.import_price)
    assert at_retail <= flexibility.charge
    assert all(step.price > account.export_price for step in curve.sells)


def test_a_battery_charges_from_the_supplier_where_retail_is_cheap() -> None:
    flexibility = Flexibility(load=300, charge=1000, efficiency_ppm=900_000)
    account = Account(import_price=40, export_price=35, max_injection=10**6, max_withdrawal=10**6)
    curve = SimpleBidder().orders(flexibility, PriceForecast(117, 118), account)
    assert curve == Curve((Step(40, 1000), Step(39, 300)), ())


@given(flexibilities, forecasts, accounts)
def test_buy_and_sell_can_not_both_fill_at_one_price(
    flexibility: Flexibility, forecast: PriceForecast, account: Account
) -> None:
    curve = SimpleBidder().orders(flexibility, forecast, account)
    assert not (curve.buys and curve.sells) or curve.buys[0].price < curve.sells[0].price


@given(flexibilities, forecasts, accounts)
def test_no_more_is_offered_than_the_reserve_and_the_nameplate_allow(
    flexibility: Flexibility, forecast: PriceForecast, account: Account
) -> None:
    curve = SimpleBidder().orders(flexibility, forecast, account)
    surplus = flexibility.generation - flexibility.load
    sold = sum(step.quantity for step in curve.sells)
    bought = sum(step.quantity for step in curve.buys)
    assert sold <= min(max(surplus + flexibility.discharge, surplus, 0), account.max_injection)
    assert bought <= min(max(flexibility.charge - surplus, 0), account.max_withdrawal)


@given(flexibilities, forecasts, generous)
def test_a_battery_moves_only_where_the_round_trip_pays(
    flexibility: Flexibility, forecast: PriceForecast, account: Account
) -> None:
    alone = Flexibility(0, 0, flexibility.charge, flexibility.discharge, flexibility.efficiency_ppm)
    curve = SimpleBidder().orders(alone, forecast, account)
    assert [step.quantity for step in curve.buys] == [alone.charge] * bool(alone.charge)
    assert [step.quantity for step in curve.sells] == [alone.discharge] * bool(alone.discharge)
    for buy in curve.buys:
        assert buy.price <= forecast.low
        for sell in curve.sells:
            assert sell.price >= forecast.high
            assert sell.price * alone.efficiency_ppm > buy.price * 1_000_000


@given(energies, energies, forecasts, generous)
def test_load_is_bid_just_below_retail_and_surplus_just_above_feed_in(
    load: int, generation: int, forecast: PriceForecast, account: Account
) -> None:
    bidder: Bidder = SimpleBidder()
    curve = bidder.orders(Flexibility(load=load, generation=generation), forecast, account)
    if generation > load:
        assert curve == Curve((), (Step(account.export_price + PRICE_TICK, generation - load),))
    elif load > generation:
        assert curve == Curve((Step(account.import_price - PRICE_TICK, load - generation),), ())
    else:
        assert curve.is_empty


def test_a_battery_serves_its_own_load_before_it_sells() -> None:
    flexibility = Flexibility(load=300, discharge=1000)
    account = Account(import_price=310, export_price=40, max_injection=10**6, max_withdrawal=10**6)
    curve = SimpleBidder().orders(flexibility, PriceForecast(100, 200), account)
    assert curve == Curve((Step(199, 300),), (Step(200, 700),))


def test_equal_prices_are_merged() -> None:
    curve = net_curve(0, [Step(5, 1), Step(5, 2)], [Step(9, 4), Step(9, 3)], ceiling=20, floor=0, dearest=21)
    assert curve == Curve((Step(5, 3),), (Step(9, 7),))
