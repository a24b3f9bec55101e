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
    fees = st.integers(0, 6) if draw(st.booleans()) else st.just(0)
    branches = [
        Branch(f"b{index}", draw(st.integers(0, index - 1)) if index else None, draw(limits), draw(fees))
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
    """The greatest welfare less fees, and the greatest volume with it; the connection carries energy one way."""
    least, greatest = connection_limits(feeder)
    return max(
        best(orders, feeder, least, 0, volume_counts=True),
        best(orders, feeder, 0, greatest, volume_counts=True),
    )


def best(
    orders: list[Order], feeder: Feeder, least: int, greatest: int, *, volume_counts: bool
) -> tuple[int, int]:
    """Welfare less fees, and volume, of an optimum of the linear program with this import and export at most.

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
    fee = feeder.branches[feeder.root].fee
    columns.append(((grid.import_price + fee) * scale, least, feeder.root, None))
    columns.append(((fee - grid.export_price) * scale - bonus, greatest, None, feeder.root))
    for index, branch in enumerate(feeder.branches):
        if branch.parent is not None:
            limit = FREE if branch.limit is None else branch.limit
            fee = branch.fee * scale
            columns += [(fee, limit, branch.parent, index), (fee, limit, index, branch.parent)]
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
    total = sum(-column[0] * x for column, x in zip(columns, solution, strict=True))
    return (total - bonus * volume) // scale, volume


@settings(max_examples=EXAMPLES, deadline=None)
@given(markets())
def test_no_plan_has_more_welfare_and_none_of_equal_welfare_more_volume(
    market: tuple[list[Order], Feeder],
) -> None:
    orders, feeder = market
    clearing = clear(OrderBook.from_orders(orders), feeder)
    net = clearing.welfare - clearing.fees
    assert net == best(orders, feeder, *connection_limits(feeder), volume_counts=False)[0]
    assert (net, clearing.volume) == most(orders, feeder)


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
        if branch.parent is not None:
            flow, difference = clearing.flows[index], local[branch.parent] - local[index]
            if abs(difference) > branch.fee:
                assert branch.limit is not None
                assert flow == (branch.limit if difference > 0 else -branch.limit)
            assert flow <= 0 or difference >= branch.fee
            assert flow >= 0 or -difference >= branch.fee
    if feeder.grid is not None:
        least, greatest = connection_limits(feeder)
        flow, price, fee = clearing.flows[feeder.root], local[feeder.root], feeder.branches[feeder.root].fee
        if -least < flow:
            assert price <= feeder.grid.import_price + fee
        if flow < greatest:
            assert price >= feeder.grid.export_price - fee
        if flow < 0:
            assert price >= feeder.grid.import_price + fee
        if flow > 0:
            assert price <= feeder.grid.export_price - fee


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
    fees = sum(branch.fee * abs(flow) for branch, flow in zip(feeder.branches, clearing.flows, strict=True))
    assert clearing.fees == fees
    assert clearing.rent == paid - fees >= 0


def test_every_binding_limit_alone_has_a_rent_that_is_not_negative() -> None:
    feeder = Feeder((Branch("root"), Branch("sun", 0, 5), Branch("load", 0)))
    orders = [Order(1, b"m", 1, Side.SELL, 10, 9), Order(2, b"m", 2, Side.BUY, 30, 9)]
    clearing = clear(OrderBook.from_orders(orders), feeder)
    assert clearing.prices == (30, 10, 30)
    assert clearing.rent == 5 * 20


def test_a_fee_stands_between_the_price_of_who_withdraws_and_of_who_injects() -> None:
    feeder = Feeder((Branch("root"), Branch("sun", 0, fee=2), Branch("load", 0, fee=3)))
    orders = [Order(1, b"m", 1, Side.SELL, 10, 9), Order(2, b"m", 2, Side.BUY, 30, 5)]
    clearing = clear(OrderBook.from_orders(orders), feeder)
    assert clearing.prices == (12, 10, 15)
    assert (clearing.fees, clearing.rent, clearing.flows) == (5 * 5, 0, (0, 5, -5))


def test_a_trade_that_does_not_bear_its_fees_is_not_made() -> None:
    feeder = Feeder((Branch("root"), Branch("sun", 0, fee=11), Branch("load", 0, fee=10)))
    orders = [Order(1, b"m", 1, Side.SELL, 10, 9), Order(2, b"m", 2, Side.BUY, 30, 5)]
    assert clear(OrderBook.from_orders(orders), feeder).volume == 0
    cheaper = Feeder((Branch("root"), Branch("sun", 0, fee=10), Branch("load", 0, fee=10)))
    assert clear(OrderBook.from_orders(orders), cheaper).volume == 5


def test_neighbours_behind_one_branch_pay_no_fee_to_each_other() -> None:
    feeder = Feeder((Branch("root"), Branch("street", 0, fee=50)), Grid(30, 5))
    orders = [Order(1, b"m", 1, Side.SELL, 10, 9), Order(2, b"m", 1, Side.BUY, 30, 5)]
    clearing = clear(OrderBook.from_orders(orders), feeder)
    assert (clearing.volume, clearing.fees, clearing.flows) == (5, 0, (0, 0))


def test_the_fee_of_the_root_is_that_of_the_grid_connection() -> None:
    feeder = Feeder((Branch("root", fee=4),), Grid(30, 9))
    buyer = clear(OrderBook.from_orders([Order(1, b"m", 0, Side.BUY, 40, 5)]), feeder)
    assert (buyer.prices, buyer.grid_import, buyer.fees, buyer.rent) == ((34,), 5, 20, 0)
    seller = clear(OrderBook.from_orders([Order(1, b"m", 0, Side.SELL, 1, 5)]), feeder)
    assert (seller.prices, seller.grid_export, seller.fees, seller.rent) == ((5,), 5, 20, 0)
    assert clear(OrderBook.from_orders([Order(1, b"m", 0, Side.BUY, 33, 5)]), feeder).volume == 0
