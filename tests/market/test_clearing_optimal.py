"""Laws of the auction on random radial feeders, and its optimum against a linear program (HiGHS)."""

import os
import random

import highspy
import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from market.clearing import Clearing, clear
from market.feeder import Branch, Feeder, Grid
from market.orders import Order, OrderBook, Side

EXAMPLES = int(os.environ.get("WATTSWARM_SOAK", "0")) or 80
FREE = 1_000  # more than all orders of a market together


@st.composite
def feeders(draw: st.DrawFn) -> Feeder:
    count = draw(st.integers(1, 7))
    limits = st.none() | st.integers(0, 30)
    branches = [
        Branch(f"b{index}", draw(st.integers(0, index - 1)) if index else None, draw(limits))
        for index in range(count)
    ]
    grid = None
    if draw(st.booleans()):
        feed_in = draw(st.integers(-5, 12))
        grid = Grid(feed_in + draw(st.integers(0, 8)), feed_in, draw(limits), draw(limits))
    return Feeder(tuple(branches), grid)


@st.composite
def markets(draw: st.DrawFn) -> tuple[list[Order], Feeder]:
    feeder = draw(feeders())
    order = st.tuples(
        st.integers(0, len(feeder.branches) - 1),
        st.sampled_from(Side),
        st.integers(-8, 20),
        st.integers(1, 25),
    )
    drawn = draw(st.lists(order, max_size=25))
    return [Order(index, b"m", *fields) for index, fields in enumerate(drawn)], feeder


def connection_limits(feeder: Feeder) -> tuple[int, int]:
    """Greatest import and export."""
    if feeder.grid is None:
        return 0, 0
    own = feeder.branches[feeder.root].limit
    limits = (feeder.grid.import_limit, feeder.grid.export_limit)
    least, greatest = (
        min(FREE if limit is None else limit, FREE if own is None else own) for limit in limits
    )
    return least, greatest


def most(orders: list[Order], feeder: Feeder) -> tuple[int, int]:
    """The greatest welfare, and the greatest volume with it; the connection carries energy one way at a time."""
    least, greatest = connection_limits(feeder)
    return max(
        best(orders, feeder, least, 0, volume_counts=True),
        best(orders, feeder, 0, greatest, volume_counts=True),
    )


def best(
    orders: list[Order], feeder: Feeder, least: int, greatest: int, *, volume_counts: bool
) -> tuple[int, int]:
    """Welfare and volume of an optimum of the linear program with this import and export at most, in integers.

    The program is a network flow with integer bounds, so its vertices are integral and rounding one is exact. Prices
    and quantities are small enough that one unit of welfare outweighs any volume, which makes one objective of both.
    """
    grid = feeder.grid or Grid(0, 0)
    count = len(feeder.branches)
    scale, bonus = (4_096, 1) if volume_counts else (1, 0)
    columns = [  # cost, upper bound, branch that the energy enters, branch that it leaves
        (order.price * scale, order.quantity, order.branch, None)
        if order.side == Side.SELL
        else (-order.price * scale - bonus, order.quantity, None, order.branch)
        for order in orders
    ]
    columns.append((grid.import_price * scale, least, feeder.root, None))
    columns.append((-grid.export_price * scale - bonus, greatest, None, feeder.root))
    for index, branch in enumerate(feeder.branches):
        if branch.parent is not None:
            limit = FREE if branch.limit is None else branch.limit
            columns += [(0, limit, branch.parent, index), (0, limit, index, branch.parent)]
    model = highspy.Highs()
    model.setOptionValue("output_flag", False)
    for cost, upper, _, _ in columns:
        model.addVar(0, upper)
        model.changeColCost(model.getNumCol() - 1, cost)
    for index in range(count):
        entries = [
            (c, 1.0 if column[2] == index else -1.0)
            for c, column in enumerate(columns)
            if index in column[2:]
        ]
        model.addRow(0, 0, len(entries), np.array([e[0] for e in entries]), np.array([e[1] for e in entries]))
    model.run()
    assert model.getModelStatus() == highspy.HighsModelStatus.kOptimal
    solution = [round(value) for value in model.getSolution().col_value]
    for index in range(count):
        balance = [x * ((c[2] == index) - (c[3] == index)) for x, c in zip(solution, columns, strict=True)]
        assert sum(balance) == 0
    assert all(0 <= x <= column[1] for x, column in zip(solution, columns, strict=True))
    trade = solution[: len(orders) + 2]
    sold = {place for place, order in enumerate(orders) if order.side == Side.SELL}
    volume = sum(x for place, x in enumerate(trade) if place not in sold and place != len(orders))
    total = sum(-column[0] * x for column, x in zip(columns, trade, strict=False))
    return (total - bonus * volume) // scale, volume


@settings(max_examples=EXAMPLES, deadline=None)
@given(markets())
def test_no_plan_has_more_welfare_and_none_of_equal_welfare_more_volume(
    market: tuple[list[Order], Feeder],
) -> None:
    orders, feeder = market
    clearing = clear(OrderBook.from_orders(orders), feeder)
    assert clearing.welfare == best(orders, feeder, *connection_limits(feeder), volume_counts=False)[0]
    assert (clearing.welfare, clearing.volume) == most(orders, feeder)


@settings(max_examples=EXAMPLES, deadline=None)
@given(markets())
def test_fills_hold_the_limits_and_conserve_energy(market: tuple[list[Order], Feeder]) -> None:
    orders, feeder = market
    clearing = clear(OrderBook.from_orders(orders), feeder)
    check_energy(orders, feeder, clearing)


@settings(max_examples=EXAMPLES, deadline=None)
@given(markets())
def test_prices_support_the_fills_and_the_flows(market: tuple[list[Order], Feeder]) -> None:
    orders, feeder = market
    clearing = clear(OrderBook.from_orders(orders), feeder)
    check_prices(orders, feeder, clearing)


@settings(max_examples=EXAMPLES, deadline=None)
@given(markets())
def test_money_is_conserved_with_the_rent_of_the_binding_limits(market: tuple[list[Order], Feeder]) -> None:
    orders, feeder = market
    clearing = clear(OrderBook.from_orders(orders), feeder)
    check_money(orders, feeder, clearing)


@settings(max_examples=EXAMPLES, deadline=None)
@given(markets(), st.randoms(use_true_random=False))
def test_the_result_does_not_depend_on_the_order_of_arrival(
    market: tuple[list[Order], Feeder], shuffler: random.Random
) -> None:
    orders, feeder = market
    shuffled = orders.copy()
    shuffler.shuffle(shuffled)
    one, other = (clear(OrderBook.from_orders(arrived), feeder) for arrived in (orders, shuffled))
    assert one.fills.tolist() == other.fills.tolist()
    assert (one.keys, one.prices, one.flows, one.welfare) == (
        other.keys,
        other.prices,
        other.flows,
        other.welfare,
    )


def check_energy(orders: list[Order], feeder: Feeder, clearing: Clearing) -> None:
    fills = clearing.fills.tolist()
    assert all(0 <= fill <= order.quantity for fill, order in zip(fills, orders, strict=True))
    net = [0] * len(feeder.branches)
    for fill, order in zip(fills, orders, strict=True):
        net[order.branch] += fill if order.side == Side.SELL else -fill
    for index in reversed(feeder.top_down):
        branch = feeder.branches[index]
        if branch.parent is not None:
            net[branch.parent] += net[index]
            assert branch.limit is None or abs(net[index]) <= branch.limit
    assert list(clearing.flows) == net
    least, greatest = connection_limits(feeder)
    assert -least <= net[feeder.root] <= greatest
    assert clearing.grid_export - clearing.grid_import == net[feeder.root]
    assert min(clearing.grid_export, clearing.grid_import) == 0
    bought = sum(fill for fill, order in zip(fills, orders, strict=True) if order.side == Side.BUY)
    assert clearing.volume == bought + clearing.grid_export


def check_prices(orders: list[Order], feeder: Feeder, clearing: Clearing) -> None:
    local = [key // 4 for key in clearing.keys]
    assert all(price is None or price == there for price, there in zip(clearing.prices, local, strict=True))
    tied: dict[tuple[int, Side], list[tuple[int, int]]] = {}
    for order, fill in zip(orders, clearing.fills.tolist(), strict=True):
        gain = (order.price - local[order.branch]) * (1 if order.side == Side.BUY else -1)
        assert fill == order.quantity if gain > 0 else fill == 0 or gain == 0
        assert not fill or clearing.prices[order.branch] is not None
        if gain == 0:
            tied.setdefault((order.branch, order.side), []).append((fill, order.quantity))
    for group in tied.values():
        for fill, quantity in group:
            for other_fill, other_quantity in group:
                assert abs(fill * other_quantity - other_fill * quantity) < quantity + other_quantity
    for index, branch in enumerate(feeder.branches):
        if branch.parent is not None and local[index] != local[branch.parent]:
            assert branch.limit is not None
            assert clearing.flows[index] == (
                branch.limit if local[index] < local[branch.parent] else -branch.limit
            )
    if feeder.grid is not None:
        least, greatest = connection_limits(feeder)
        flow, price = clearing.flows[feeder.root], local[feeder.root]
        if -least < flow:
            assert price <= feeder.grid.import_price
        if flow < greatest:
            assert price >= feeder.grid.export_price
        if flow < 0:
            assert price >= feeder.grid.import_price
        if flow > 0:
            assert price <= feeder.grid.export_price


def check_money(orders: list[Order], feeder: Feeder, clearing: Clearing) -> None:
    paid = value = 0
    for order, fill in zip(orders, clearing.fills.tolist(), strict=True):
        sign = 1 if order.side == Side.BUY else -1
        value += sign * order.price * fill
        paid += sign * (clearing.prices[order.branch] or 0) * fill
    if feeder.grid is not None:
        supplier = (
            clearing.grid_export * feeder.grid.export_price - clearing.grid_import * feeder.grid.import_price
        )
        paid, value = paid + supplier, value + supplier
    assert clearing.welfare == value
    assert clearing.rent == paid >= 0


def test_every_binding_limit_alone_has_a_rent_that_is_not_negative() -> None:
    feeder = Feeder((Branch("root"), Branch("sun", 0, 5), Branch("load", 0)))
    orders = [Order(1, b"m", 1, Side.SELL, 10, 9), Order(2, b"m", 2, Side.BUY, 30, 9)]
    clearing = clear(OrderBook.from_orders(orders), feeder)
    assert clearing.prices == (30, 10, 30)
    assert clearing.rent == 5 * 20
