"""The mechanisms by hand, and the laws that hold for every one of them on random books."""

import itertools
import os
import random
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from market.errors import FeederError, OrderError
from market.feeder import Branch, Feeder, Grid
from market.mechanisms.mcafee import equal_losses
from market.mechanisms.names import Mechanism
from market.mechanisms.result import MarketResult, Trade
from market.mechanisms.run import run
from market.orders import Order, Side

EXAMPLES = int(os.environ.get("WATTSWARM_SOAK", "0")) or 80
OTHERS = [mechanism for mechanism in Mechanism if mechanism is not Mechanism.UNIFORM]


def bid(price: int, quantity: int) -> tuple[Side, int, int]:
    return Side.BUY, price, quantity


def ask(price: int, quantity: int) -> tuple[Side, int, int]:
    return Side.SELL, price, quantity


def orders_of(*rows: tuple[Side, int, int]) -> list[Order]:
    return [
        Order(index, index, 0, side, price, quantity) for index, (side, price, quantity) in enumerate(rows)
    ]


def books(most: int = 12) -> st.SearchStrategy[list[Order]]:
    row = st.tuples(st.sampled_from(Side), st.integers(-8, 20), st.integers(1, 25))
    return st.lists(row, max_size=most).map(lambda rows: orders_of(*rows))


def test_pay_as_bid_gives_each_pair_its_midpoint() -> None:
    result = run(Mechanism.PAY_AS_BID, orders_of(bid(30, 4), bid(20, 3), ask(10, 5), ask(18, 9), ask(40, 1)))
    assert result.trades == (Trade(0, 2, 4, 20, 20), Trade(1, 2, 1, 15, 15), Trade(1, 3, 2, 19, 19))
    assert result.fills == (4, 3, 5, 2, 0)
    assert result.money == (-80, -15 - 38, 80 + 15, 38, 0)
    assert (result.volume, result.kept, result.welfare) == (7, 0, 120 + 60 - 50 - 36)
    assert (result.price_buy, result.price_sell) == (19, 19)


def test_a_midpoint_of_half_a_unit_is_rounded_apart_and_the_remainder_kept() -> None:
    result = run(Mechanism.PAY_AS_BID, orders_of(bid(11, 3), ask(10, 3)))
    assert result.trades == (Trade(0, 1, 3, price_buy=11, price_sell=10),)
    assert (result.kept, result.price_buy, result.price_sell) == (3, 11, 10)
    below = run(Mechanism.PAY_AS_BID, orders_of(bid(-10, 3), ask(-11, 3)))
    assert below.trades == (Trade(0, 1, 3, price_buy=-10, price_sell=-11),)


def test_mcafee_trades_the_marginal_orders_away_and_takes_their_prices() -> None:
    rows = bid(40, 4), bid(30, 4), bid(20, 4), ask(5, 3), ask(10, 4), ask(15, 6), ask(50, 9)
    result = run(Mechanism.MCAFEE, orders_of(*rows))
    assert result.reduced == (2, 5)
    assert (result.price_buy, result.price_sell) == (20, 15)
    assert result.fills == (4, 3, 0, 3, 4, 0, 0)
    assert (result.volume, result.kept) == (7, 5 * 7)


def test_mcafee_with_one_bid_or_one_ask_in_the_money_trades_nothing() -> None:
    for rows in (
        (),
        (bid(9, 9), ask(1, 1), ask(1, 3)),
        (bid(9, 1), bid(9, 1), ask(1, 9)),
        (bid(1, 1), ask(2, 1)),
    ):
        result = run(Mechanism.MCAFEE, orders_of(*rows))
        assert not any(result.fills)
        assert (result.price_buy, result.price_sell, result.reduced, result.kept) == (None, None, None, 0)


def test_the_longer_side_loses_equally_and_small_orders_all_they_have() -> None:
    assert equal_losses([5, 5, 5], 0) == [5, 5, 5]
    assert equal_losses([5, 5, 5], 4) == [4, 4, 3]
    assert equal_losses([1, 9, 9], 7) == [0, 6, 6]
    assert equal_losses([2, 9, 1, 9], 12) == [0, 5, 0, 4]
    assert equal_losses([3, 3], 6) == [0, 0]


@given(st.lists(st.integers(1, 40), min_size=1, max_size=9), st.data())
def test_equal_losses_are_equal_but_for_one_unit(quantities: list[int], data: st.DataObject) -> None:
    surplus = data.draw(st.integers(0, sum(quantities)))
    left = equal_losses(quantities, surplus)
    assert sum(quantities) - sum(left) == surplus
    assert all(0 <= kept <= quantity for kept, quantity in zip(left, quantities, strict=True))
    losses = [quantity - kept for kept, quantity in zip(left, quantities, strict=True)]
    most = max(losses)
    assert all(loss >= most - 1 for kept, loss in zip(left, losses, strict=True) if kept)


def test_continuous_trades_at_the_price_of_the_order_that_was_there() -> None:
    rows = ask(10, 2), ask(8, 2), bid(12, 3), bid(9, 5), ask(9, 1)
    result = run(Mechanism.CONTINUOUS, orders_of(*rows))
    assert result.trades == (Trade(2, 1, 2, 8, 8), Trade(2, 0, 1, 10, 10), Trade(3, 4, 1, 9, 9))
    assert result.kept == 0


def test_continuous_takes_the_first_of_equal_prices_whatever_their_ids() -> None:
    early, late = Order(9, 1, 0, Side.SELL, 10, 1), Order(2, 2, 0, Side.SELL, 10, 1)
    buyer = Order(5, 3, 0, Side.BUY, 10, 1)
    assert run(Mechanism.CONTINUOUS, [early, late, buyer]).fills == (1, 0, 1)
    assert run(Mechanism.CONTINUOUS, [late, early, buyer]).fills == (1, 0, 1)


@pytest.mark.parametrize("mechanism", OTHERS)
def test_a_feeder_is_refused_by_all_but_uniform(mechanism: Mechanism) -> None:
    with pytest.raises(FeederError, match=f"{mechanism.value} knows no feeder"):
        run(mechanism, [], Feeder.single())
    assert run(Mechanism.UNIFORM, [], Feeder((Branch("a"), Branch("b", 0, 3)))).volume == 0


@pytest.mark.parametrize("mechanism", Mechanism)
def test_orders_that_no_auction_can_take_are_refused(mechanism: Mechanism) -> None:
    twice = [*orders_of(bid(3, 1)), *orders_of(bid(3, 1))]
    with pytest.raises(OrderError, match="two orders have the id 0"):
        run(mechanism, twice)


def test_the_grids_money_is_in_the_uniform_results_balance() -> None:
    rows = bid(40, 10), ask(20, 4)
    result = run(Mechanism.UNIFORM, orders_of(*rows), Feeder.single(Grid(30, 5, import_limit=2)))
    assert (result.fills, result.kept) == ((6, 4), (40 - 30) * 2)
    assert sum(result.money) + 30 * 2 + result.kept == 0


@pytest.mark.parametrize("mechanism", Mechanism)
@settings(max_examples=EXAMPLES, deadline=None)
@given(orders=books(25))
def test_energy_and_money_are_conserved_and_nobody_trades_at_a_loss(
    mechanism: Mechanism, orders: list[Order]
) -> None:
    result = run(mechanism, orders)
    check_laws(result)
    best = run(Mechanism.UNIFORM, orders)
    assert 0 <= result.welfare <= best.welfare
    assert result.volume <= best.volume or mechanism is Mechanism.CONTINUOUS
    assert sum(result.gains().values()) + result.kept == result.welfare
    if mechanism is Mechanism.PAY_AS_BID:
        assert (result.welfare, result.volume) == (best.welfare, best.volume)


def check_laws(result: MarketResult) -> None:
    bought = sold = 0
    for order, fill, money in zip(result.orders, result.fills, result.money, strict=True):
        assert 0 <= fill <= order.quantity
        if order.side is Side.BUY:
            bought += fill
            assert -money <= order.price * fill
        else:
            sold += fill
            assert money >= order.price * fill
    assert bought == sold == result.volume
    assert result.kept == -sum(result.money) >= 0
    if result.trades:
        assert sum(trade.energy for trade in result.trades) == result.volume


@pytest.mark.parametrize("mechanism", [Mechanism.UNIFORM, Mechanism.PAY_AS_BID, Mechanism.MCAFEE])
@settings(max_examples=EXAMPLES, deadline=None)
@given(orders=books(), shuffler=st.randoms(use_true_random=False))
def test_the_order_of_arrival_changes_nothing_but_continuous(
    mechanism: Mechanism, orders: list[Order], shuffler: random.Random
) -> None:
    shuffled = orders.copy()
    shuffler.shuffle(shuffled)
    one, other = run(mechanism, orders), run(mechanism, shuffled)
    assert replace(one, clearing=None) == replace(other, clearing=None)


@settings(max_examples=2 * EXAMPLES, deadline=None)
@given(orders=books(10), data=st.data())
def test_under_mcafee_no_other_limit_than_the_true_one_gains_anything(
    orders: list[Order], data: st.DataObject
) -> None:
    if not orders:
        assert run(Mechanism.MCAFEE, orders).volume == 0
        return
    liar = data.draw(st.sampled_from(orders))
    truth = run(Mechanism.MCAFEE, orders).gains()[liar.member]
    limits = [order.price for order in orders]
    for price in range(-10, 23):
        told = [replace(order, price=price) if order is liar else order for order in orders]
        assert run(Mechanism.MCAFEE, told).gains(limits)[liar.member] <= truth


@settings(max_examples=2 * EXAMPLES, deadline=None)
@given(orders=books(14))
def test_continuous_respects_price_and_then_time(orders: list[Order]) -> None:
    result = run(Mechanism.CONTINUOUS, orders)
    left = [order.quantity for order in orders]
    trades = iter(result.trades)
    upcoming = next(trades, None)
    for place, order in enumerate(orders):
        while upcoming is not None and max(upcoming.buy, upcoming.sell) == place:
            resting = min(upcoming.buy, upcoming.sell)
            rivals = [
                other for other in range(place) if left[other] and orders[other].side is orders[resting].side
            ]
            sign = 1 if orders[resting].side is Side.SELL else -1
            assert resting == min(rivals, key=lambda other: (sign * orders[other].price, other))
            assert upcoming.price_buy == upcoming.price_sell == orders[resting].price
            left[resting] -= upcoming.energy
            left[place] -= upcoming.energy
            upcoming = next(trades, None)
        crossing = (
            other
            for other in range(place)
            if left[place]
            and left[other]
            and orders[other].side is not order.side
            and (order.price >= orders[other].price) is (order.side is Side.BUY)
            and order.price != orders[other].price
        )
        assert not list(crossing)
    assert upcoming is None
    assert [order.quantity - fill for order, fill in zip(orders, result.fills, strict=True)] == left


def test_every_order_of_a_small_book_arriving_in_every_order_keeps_the_laws() -> None:
    orders = orders_of(bid(9, 2), bid(7, 3), ask(6, 4), ask(8, 2))
    volumes = set()
    for arrived in itertools.permutations(orders):
        result = run(Mechanism.CONTINUOUS, arrived)
        check_laws(result)
        volumes.add(result.volume)
    assert volumes == {4, 5}
