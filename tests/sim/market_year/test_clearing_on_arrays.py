"""The auctions on arrays decide what the market's mechanisms decide, and move no energy or money that is not there."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from market.mechanisms.mcafee import equal_losses as exact_losses
from market.mechanisms.names import Mechanism
from market.mechanisms.run import AT_ONE_PLACE
from market.orders import Order, Side
from sim.market_year.bids import PURCHASES, Bids
from sim.market_year.clearing import among_homes, contract, equal_losses

prices = st.integers(1, 12) | st.integers(1, 400_000)
quantities = st.integers(1, 9) | st.integers(1, 10**7)
orders = st.lists(st.tuples(prices, quantities, st.booleans()), min_size=1, max_size=14)
LOCAL = (Mechanism.PAY_AS_BID, Mechanism.MCAFEE, Mechanism.CONTINUOUS)


@pytest.mark.parametrize("mechanism", LOCAL)
@given(drawn=orders, seed=st.integers(0, 99))
def test_fills_and_money_are_those_of_the_mechanism(
    mechanism: Mechanism, drawn: list[tuple[int, int, bool]], seed: int
) -> None:
    price, quantity, buys = (np.array(column) for column in zip(*drawn, strict=True))
    fills, money = among_homes(mechanism, price, quantity, buys, np.random.default_rng(seed))
    listed = [
        Order(place, place, 0, Side.BUY if is_buy else Side.SELL, limit, amount)
        for place, (limit, amount, is_buy) in enumerate(drawn)
    ]
    arrival = np.arange(len(drawn))
    if mechanism is Mechanism.CONTINUOUS and buys.any() and not buys.all():
        arrival = np.random.default_rng(seed).permutation(len(drawn))
    decision = AT_ONE_PLACE[mechanism]([listed[place] for place in arrival])
    assert fills[arrival].tolist() == decision.fills
    assert money[arrival].tolist() == decision.money


@given(sizes=st.lists(quantities, min_size=1, max_size=12), share=st.floats(0, 1))
def test_losses_are_shared_as_by_the_mechanism(sizes: list[int], share: float) -> None:
    surplus = int(sum(sizes) * share)
    assert equal_losses(np.array(sizes), surplus).tolist() == exact_losses(sizes, surplus)


books = st.lists(
    st.lists(st.tuples(st.integers(10, 60), st.just(0) | quantities), min_size=6, max_size=6),
    min_size=1,
    max_size=6,
)


@pytest.mark.parametrize("mechanism", [None, *Mechanism])
@given(drawn=books, seed=st.integers(0, 99))
def test_nobody_trades_beyond_its_orders_or_at_a_loss_and_nothing_comes_from_nowhere(
    mechanism: Mechanism | None, drawn: list[list[tuple[int, int]]], seed: int
) -> None:
    table = np.array(drawn, np.int64)
    bids = Bids(table[:, :, 0], table[:, :, 1])
    import_price, export_price = 50, 20
    made = contract(bids, mechanism, (import_price, export_price), np.random.default_rng(seed))
    assert (made.energy >= -bids.quantity[:, :PURCHASES].sum(axis=1)).all()
    assert (made.energy <= bids.quantity[:, PURCHASES:].sum(axis=1)).all()
    # What homes pay together covers what the supplier gets for what they take from it or give it.
    exchange = -int(made.energy.sum())
    supplier = exchange * (import_price if exchange > 0 else export_price)
    assert -int(made.money.sum()) >= supplier
    worth = (bids.price * bids.quantity).max(axis=1) * 6
    assert (np.abs(made.money) <= np.maximum(worth, 50 * bids.quantity.sum(axis=1))).all()
    assert made.local >= 0
    assert mechanism is not None or (made.local == 0 and made.price is None)
