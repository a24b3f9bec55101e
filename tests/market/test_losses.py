"""The auction with losses: against a linear program in real numbers, within the stated bound, and its laws."""

import json
import os
from dataclasses import replace
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

import highspy
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from market.certificates.certify import certify
from market.certificates.check import check
from market.check_certificate_command import check_certificate_command
from market.clear_command import clear_command
from market.clearing import Clearing, clear
from market.errors import CertificateError, FeederError, FileError
from market.feeder import Branch, Feeder, Grid
from market.feeder_file import read_feeder
from market.losses import (
    SCALE,
    arriving,
    arriving_each,
    ask_at_parent,
    bid_at_parent,
    dearest_withdrawal,
    flows_of,
    price_of_injection,
    price_of_withdrawal,
    scaled,
    scaled_up,
)
from market.mechanisms.names import Mechanism
from market.mechanisms.run import run
from market.orders import Order, OrderBook, Side

EXAMPLES = int(os.environ.get("WATTSWARM_SOAK", "0")) or 40
FREE = 10**7
losses = st.sampled_from([0, 1, 30_000, 117_003, 150_000])


@st.composite
def feeders(draw: st.DrawFn, lowest_price: int) -> Feeder:
    count = draw(st.integers(1, 5))
    limits = st.none() | st.integers(0, 30_000)
    branches = [
        Branch(
            f"b{index}",
            draw(st.integers(0, index - 1)) if index else None,
            draw(limits),
            draw(st.sampled_from([0, 0, 70])),
            draw(losses),
        )
        for index in range(count)
    ]
    branches[-1] = Branch(branches[-1].name, branches[-1].parent, branches[-1].limit, 0, 30_000)
    grid = None
    if draw(st.booleans()):
        feed_in = draw(st.integers(lowest_price, 1_200))
        grid = Grid(feed_in + draw(st.integers(0, 900)), feed_in, draw(limits), draw(limits))
    return Feeder(tuple(branches), grid)


@st.composite
def markets(draw: st.DrawFn, lowest_price: int = 0) -> tuple[list[Order], Feeder]:
    feeder = draw(feeders(lowest_price))
    order = st.tuples(
        st.integers(0, len(feeder.branches) - 1),
        st.sampled_from(Side),
        st.integers(lowest_price, 2_000),
        st.integers(1, 25_000) | st.integers(1, 3),
    )
    drawn = draw(st.lists(order, max_size=14))
    return [Order(index, b"m", *fields) for index, fields in enumerate(drawn)], feeder


def connection_limits(feeder: Feeder) -> tuple[int, int]:
    """Greatest import and export, at the root's own end."""
    if feeder.grid is None:
        return 0, 0
    own = feeder.branches[feeder.root].limit
    limits = (feeder.grid.import_limit, feeder.grid.export_limit)
    least, greatest = (
        min(FREE if limit is None else limit, FREE if own is None else own) for limit in limits
    )
    return least, greatest


def best(orders: list[Order], feeder: Feeder) -> tuple[float, list[float]]:
    """The greatest welfare less fees of any plan in real numbers, and the flow of each branch's own end in it."""
    grid, root = feeder.grid or Grid(0, 0), feeder.root
    least, greatest = connection_limits(feeder)
    columns: list[tuple[float, float, dict[int, float]]] = []  # cost, upper bound, energy into branches
    for order in orders:
        sign = 1 if order.side == Side.SELL else -1
        columns.append((sign * order.price, order.quantity, {order.branch: sign}))
    for index, branch in enumerate(feeder.branches):
        left = 1 - branch.loss / SCALE
        limit = FREE if branch.limit is None else branch.limit
        if branch.parent is not None:
            columns.append((branch.fee, limit, {index: -1, branch.parent: left}))
            columns.append((branch.fee, limit, {index: 1, branch.parent: -1 / left}))
        else:
            columns.append((branch.fee - grid.export_price * left, greatest, {root: -1}))
            columns.append((branch.fee + grid.import_price / left, least, {root: 1}))
    model = highspy.Highs()
    model.setOptionValue("output_flag", False)
    for cost, upper, _ in columns:
        model.addVar(0, upper)
        model.changeColCost(model.getNumCol() - 1, cost)
    for index in range(len(feeder.branches)):
        row = [(place, column[2][index]) for place, column in enumerate(columns) if index in column[2]]
        model.addRow(0, 0, len(row), np.array([c for c, _ in row]), np.array([v for _, v in row]))
    model.run()
    assert model.getModelStatus() == highspy.HighsModelStatus.kOptimal
    solution = list(model.getSolution().col_value)
    flows = solution[len(orders) :]
    welfare = -sum(column[0] * value for column, value in zip(columns, solution, strict=True))
    return welfare, [out + into for out, into in zip(flows[::2], flows[1::2], strict=True)]


def prices_above(feeder: Feeder, clearing: Clearing) -> list[int]:
    """The price at each branch's parent, at the root the grid's."""
    grid = feeder.grid or Grid(0, 0)
    top = grid.export_price if clearing.flows[feeder.root] > 0 else grid.import_price
    return [top if b.parent is None else clearing.keys[b.parent] // 4 for b in feeder.branches]


@settings(max_examples=EXAMPLES, deadline=None)
@given(markets())
def test_the_plan_is_within_the_stated_bound_of_the_best_in_real_numbers(
    market: tuple[list[Order], Feeder],
) -> None:
    orders, feeder = market
    clearing = clear(OrderBook.from_orders(orders), feeder)
    optimum, flows = best(orders, feeder)
    above = prices_above(feeder, clearing)
    if min(above) < 0 or min(clearing.keys) < 0:
        return
    bound = sum(
        (flow + price) / (1 - branch.loss / SCALE)
        for flow, price, branch in zip(flows, above, feeder.branches, strict=True)
    )
    net = clearing.welfare - clearing.fees
    assert optimum - bound - 1e-3 <= net <= optimum + 1e-3


@settings(max_examples=EXAMPLES, deadline=None)
@given(markets(-300))
def test_energy_is_lost_as_stated_and_limits_hold(market: tuple[list[Order], Feeder]) -> None:
    orders, feeder = market
    clearing = clear(OrderBook.from_orders(orders), feeder)
    fills = clearing.fills.tolist()
    assert all(0 <= fill <= order.quantity for fill, order in zip(fills, orders, strict=True))
    net = [0] * len(feeder.branches)
    for fill, order in zip(fills, orders, strict=True):
        net[order.branch] += fill if order.side == Side.SELL else -fill
    slack = 0
    for index in reversed(feeder.top_down):
        branch, flow = feeder.branches[index], clearing.flows[index]
        # What is sent into branches may exceed what they need by a mWh each.
        assert 0 <= net[index] - flow <= slack or (slack == 0 and net[index] == flow)
        if branch.parent is None:
            least, greatest = connection_limits(feeder)
            assert -least <= flow <= greatest
            assert clearing.grid_export - clearing.grid_import == arriving(flow, branch.loss)
        else:
            assert branch.limit is None or abs(flow) <= branch.limit
            net[branch.parent] += arriving(flow, branch.loss)
        slack = len(feeder.branches)
    sold = sum(fill for fill, order in zip(fills, orders, strict=True) if order.side == Side.SELL)
    bought = sum(fills) - sold
    assert clearing.losses == sold - bought - clearing.grid_export + clearing.grid_import >= 0
    exact = sum(
        Fraction(abs(flow) * branch.loss, SCALE if flow > 0 else SCALE - branch.loss)
        for flow, branch in zip(clearing.flows, feeder.branches, strict=True)
    )
    assert exact <= clearing.losses < exact + 3 * len(feeder.branches)


@settings(max_examples=EXAMPLES, deadline=None)
@given(markets(-300))
def test_nobody_trades_at_a_loss_and_prices_support_the_fills(market: tuple[list[Order], Feeder]) -> None:
    orders, feeder = market
    clearing = clear(OrderBook.from_orders(orders), feeder)
    for order, fill in zip(orders, clearing.fills.tolist(), strict=True):
        price = clearing.keys[order.branch] // 4
        gain = (order.price - price) * (1 if order.side == Side.BUY else -1)
        assert fill == order.quantity if gain > 0 else fill == 0 or gain == 0
        assert not fill or clearing.prices[order.branch] == price
    for index, above in enumerate(prices_above(feeder, clearing)):
        branch, flow, price = feeder.branches[index], clearing.flows[index], clearing.keys[index] // 4
        least, greatest = connection_limits(feeder) if branch.parent is None else (branch.limit, branch.limit)
        if flow > 0:
            worth = price_of_injection(above, branch.fee, branch.loss)
            assert price == worth or (price < worth and flow == greatest)
        if flow < 0:
            worth = price_of_withdrawal(above, branch.fee, branch.loss)
            dearest = dearest_withdrawal(above, branch.fee, branch.loss)
            assert worth <= price <= max(worth, dearest) or (price > dearest and -flow == least)


@settings(max_examples=EXAMPLES, deadline=None)
@given(markets(-300))
def test_money_is_conserved_and_the_loss_account_stays_within_its_bound(
    market: tuple[list[Order], Feeder],
) -> None:
    orders, feeder = market
    clearing = clear(OrderBook.from_orders(orders), feeder)
    paid = 0
    for order, fill in zip(orders, clearing.fills.tolist(), strict=True):
        paid += (clearing.prices[order.branch] or 0) * fill * (1 if order.side == Side.BUY else -1)
    if feeder.grid is not None:
        paid += clearing.grid_export * feeder.grid.export_price
        paid -= clearing.grid_import * feeder.grid.import_price
    assert paid == clearing.rent + clearing.fees + clearing.loss_money
    assert clearing.rent >= 0
    above = prices_above(feeder, clearing)
    least = -sum(
        Fraction(max(p, 0) * SCALE, SCALE - b.loss) for p, b in zip(above, feeder.branches, strict=True)
    )
    most = sum(
        abs(flow) if price >= 0 else -price * (clearing.losses + 1)
        for flow, price in zip(clearing.flows, above, strict=True)
    )
    assert least <= clearing.loss_money <= most


@settings(max_examples=EXAMPLES, deadline=None)
@given(markets(-300))
def test_every_clearing_with_losses_is_proven(market: tuple[list[Order], Feeder]) -> None:
    orders, feeder = market
    check(certify(run(Mechanism.UNIFORM, orders, feeder), feeder), orders, feeder)


@settings(max_examples=EXAMPLES, deadline=None)
@given(markets(), st.data())
def test_a_certificate_of_other_fills_flows_or_keys_is_refused(
    market: tuple[list[Order], Feeder], data: st.DataObject
) -> None:
    orders, feeder = market
    certificate = certify(run(Mechanism.UNIFORM, orders, feeder), feeder)
    changes = [replace(certificate, welfare=certificate.welfare + 1)]
    place = data.draw(st.integers(0, len(feeder.branches) - 1))
    move = data.draw(st.integers(3_000, 9_000))
    moved = [flow + move * (at == place) for at, flow in enumerate(certificate.flows)]
    changes.append(replace(certificate, flows=tuple(moved)))
    if certificate.fills:
        changes.append(replace(certificate, fills=certificate.fills[1:]))
    for changed in changes:
        with pytest.raises(CertificateError):
            check(changed, orders, feeder)


@settings(max_examples=EXAMPLES, deadline=None)
@given(markets(-300), st.randoms(use_true_random=False))
def test_the_result_does_not_depend_on_the_order_of_arrival(
    market: tuple[list[Order], Feeder], shuffler: object
) -> None:
    orders, feeder = market
    shuffled = orders.copy()
    shuffler.shuffle(shuffled)  # type: ignore[attr-defined]
    one, other = (clear(OrderBook.from_orders(arrived), feeder) for arrived in (orders, shuffled))
    assert one.fills.tolist() == other.fills.tolist()
    assert (one.keys, one.flows, one.welfare, one.loss_money) == (
        other.keys,
        other.flows,
        other.welfare,
        other.loss_money,
    )


whole = st.integers(-(2**61), 2**61)
shares = st.integers(0, 500_000)


@given(whole, st.integers(1, SCALE), st.integers(500_000, SCALE))
def test_scaling_rounds_the_exact_quotient(value: int, numerator: int, denominator: int) -> None:
    assert scaled(value, numerator, denominator) == value * numerator // denominator
    assert scaled_up(value, numerator, denominator) == -(-value * numerator // denominator)


@given(st.integers(-(2**60), 2**60), shares)
def test_flows_and_what_arrives_of_them_fit(flow: int, loss: int) -> None:
    arrival = arriving(flow, loss)
    assert arrival <= flow
    assert arriving_each(np.array([flow]), loss).tolist() == [arrival]
    least, greatest = flows_of(arrival, loss)
    assert least <= flow <= greatest or (arrival == 0 and flow >= 0)
    for crossing in (arrival, arrival - 1):
        lowest, _ = flows_of(crossing, loss)
        assert crossing <= arriving(lowest, loss) <= crossing + (0 if crossing > 0 else 1)


@given(st.integers(-(10**9), 10**9), st.integers(0, 10**6), shares)
def test_prices_across_a_branch_are_rounded_against_the_flow(price: int, fee: int, loss: int) -> None:
    """Asks and bids go up the feeder, prices come down it: each is the closest that does not cost anybody."""
    at_parent = int(ask_at_parent(price, fee, loss))
    assert price_of_injection(at_parent, fee, loss) == price
    assert price_of_injection(at_parent - 1, fee, loss) < price
    worth = int(bid_at_parent(price, fee, loss))
    assert price_of_withdrawal(worth, fee, loss) <= price <= dearest_withdrawal(worth, fee, loss)
    assert price_of_withdrawal(worth + 1, fee, loss) > price


def test_the_worked_example_of_a_sun_and_a_load() -> None:
    feeder = Feeder((Branch("root"), Branch("sun", 0, loss=40_000), Branch("load", 0, loss=200_000)))
    orders = [Order(1, b"m", 1, Side.SELL, 96_000, 1_000), Order(2, b"m", 2, Side.BUY, 300_000, 600)]
    clearing = clear(OrderBook.from_orders(orders), feeder)
    assert clearing.flows == (0, 782, -600)
    assert clearing.losses == 182
    assert clearing.prices == (100_000, 96_000, 125_000)


def test_a_trade_whose_losses_cost_more_than_it_is_worth_is_not_made() -> None:
    feeder = Feeder((Branch("root"), Branch("sun", 0, loss=100_000), Branch("load", 0, loss=100_000)))
    orders = [Order(1, b"m", 1, Side.SELL, 100, 1_000), Order(2, b"m", 2, Side.BUY, 123, 600)]
    assert clear(OrderBook.from_orders(orders), feeder).volume == 0
    dearer = [orders[0], Order(2, b"m", 2, Side.BUY, 126, 600)]
    assert clear(OrderBook.from_orders(dearer), feeder).volume == 600


def test_losses_beyond_half_of_the_energy_are_refused() -> None:
    with pytest.raises(FeederError, match="more than half"):
        Feeder((Branch("root", loss=300_000), Branch("far", 0, loss=300_000)))
    with pytest.raises(FeederError, match="not between 0"):
        Feeder((Branch("root", loss=-1),))


LOSSY_FEEDER = """
[grid]
import_price = 0.3
export_price = 0.05

[branches.root]
[branches.sun]
parent = "root"
loss = 0.04
[branches.load]
parent = "root"
loss = 0.2
"""
FILE = "id,member,branch,side,price,kwh\n1,ada,sun,sell,0.096,1\n2,ben,load,buy,0.3,0.6\n"


def test_the_command_clears_with_losses_and_its_certificate_proves_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    orders, feeder, proof = tmp_path / "orders.csv", tmp_path / "feeder.toml", tmp_path / "proof.json"
    orders.write_text(FILE)
    feeder.write_text(LOSSY_FEEDER)
    assert clear_command(orders, feeder=feeder, certificate=proof, as_json=True) == 0
    told = json.loads(capsys.readouterr().out, parse_float=Decimal)
    assert told["flows"]["load"] == Decimal("-0.6")
    # The load needs 0.75 sent; the sun's kWh, at 0.1 at the root, is worth more there than the grid pays.
    assert told["prices"] == {"root": Decimal("0.1"), "sun": Decimal("0.096"), "load": Decimal("0.125")}
    assert told["losses_kwh"] == Decimal("0.18125")
    assert told["loss_money"] == 0
    assert check_certificate_command(orders, proof, feeder=feeder) == 0
    feeder.write_text(LOSSY_FEEDER.replace("0.04", "0.05"))
    assert check_certificate_command(orders, proof, feeder=feeder) == 1
    assert clear_command(orders, feeder=feeder) == 0
    assert "the loss account keeps" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("loss", "message"), [("-0.01", "not a share"), ("0.6", "not a share"), ('"a"', "a number")]
)
def test_a_loss_that_makes_no_sense_is_named(tmp_path: Path, loss: str, message: str) -> None:
    feeder = tmp_path / "feeder.toml"
    feeder.write_text(LOSSY_FEEDER.replace("0.04", loss))
    with pytest.raises(FileError, match=f"branches.sun.loss: .*{message}"):
        read_feeder(feeder)


@settings(max_examples=EXAMPLES, deadline=None)
@given(markets(-300))
def test_losses_where_nothing_flows_change_nothing(market: tuple[list[Order], Feeder]) -> None:
    """The path with losses, on a feeder that loses nothing where energy is, gives what the ordinary one gives."""
    orders, feeder = market
    plain = Feeder(tuple(replace(branch, loss=0) for branch in feeder.branches), feeder.grid)
    lossy = Feeder((*plain.branches, Branch("empty", 0, loss=50_000)), feeder.grid)
    book = OrderBook.from_orders(orders)
    one, other = clear(book, plain), clear(book, lossy)
    assert one.fills.tolist() == other.fills.tolist()
    assert (one.keys, one.flows, one.prices) == (other.keys[:-1], other.flows[:-1], other.prices[:-1])
    assert (one.welfare, one.rent, one.fees) == (other.welfare, other.rent, other.fees)
    assert (other.losses, other.loss_money) == (0, 0)
