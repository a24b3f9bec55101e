"""Grid fees from the file of a feeder to the journal of a cell; the optimum is in test_clearing_optimal.py."""

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from market.cell_state import COMMUNITY, DSO, SUPPLIER
from market.check_certificate_command import check_certificate_command
from market.clear_command import clear_command
from market.clearing import clear
from market.errors import FileError
from market.fee_curves import StepCurve
from market.feeder import Branch, Feeder
from market.feeder_file import read_feeder
from market.orders import Order, OrderBook, Side
from market.rules import BranchRule

ROWS = "id,member,branch,side,price,kwh\na,ada,north,buy,0.30,2\nb,ben,south,sell,0.10,3\n"
FEEDER = """[branches.substation]
[branches.north]
parent = "substation"
fee = 0.03
[branches.south]
parent = "substation"
fee = 0.02
"""
RETAIL, FEED_IN = 300, 40


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path]:
    orders, feeder = tmp_path / "orders.csv", tmp_path / "feeder.toml"
    orders.write_text(ROWS)
    feeder.write_text(FEEDER)
    return orders, feeder


def test_the_command_clears_with_fees_and_proves_it(
    files: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    orders, feeder = files
    certificate = tmp_path / "certificate.json"
    assert clear_command(orders, feeder=feeder, certificate=certificate, as_json=True) == 0
    told = json.loads(capsys.readouterr().out, parse_float=Decimal)
    assert told["prices"] == {
        "substation": Decimal("0.12"),
        "north": Decimal("0.15"),
        "south": Decimal("0.1"),
    }
    assert (told["fees"], told["welfare"]) == (Decimal("0.1"), Decimal("0.4"))
    assert check_certificate_command(orders, certificate, feeder=feeder) == 0
    feeder.write_text(FEEDER.replace("0.03", "0.04"))
    assert check_certificate_command(orders, certificate, feeder=feeder) == 1
    assert clear_command(orders, feeder=feeder) == 0
    assert "fees 0.120000" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("fee", "message"),
    [
        ("-0.01", "negative; a fee is zero or more"),
        ("0.0000001", "more than 6 decimals"),
        ('"low"', "must be a number"),
        ("40000", "beyond the largest price"),
    ],
)
def test_a_fee_that_makes_no_sense_is_named(fee: str, message: str, files: tuple[Path, Path]) -> None:
    files[1].write_text(FEEDER.replace("0.03", fee))
    with pytest.raises(FileError, match=f"branches.north.fee: .*{message}"):
        read_feeder(files[1])


def test_a_cell_pays_its_fees_to_the_dso_and_going_without_a_contract_avoids_none(cell_world: Any) -> None:
    branches = (BranchRule("substation"), BranchRule("north", 0, fee=30), BranchRule("south", 0, 500, fee=20))
    world = cell_world(branches=branches)
    # Member 0 is at the substation, 1 in the north, 2 in the south, 3 at the substation again.
    world.block(world.order(2, 100, sells=[(50, 100)]), world.order(1, 100, buys=[(250, 100)]))
    prices = world.outcomes[-1].clearing.prices
    assert (prices[1] - prices[0], prices[0] - prices[2]) == (30, 20)
    confirmed = world.block()
    assert confirmed.confirmation.rent == (30 + 20) * 100
    assert world.state.balances[DSO] == (30 + 20) * 100
    readings = [world.reading(member, 100, net) for member, net in enumerate((0, -100, 100, 0))]
    settled = world.block(*readings).settlements[0]
    assert [line.imbalance_money for line in settled.lines] == [0, 0, 0, 0]
    for member, net in enumerate((0, -10, 10, 0)):
        readings[member] = world.reading(member, 101, net)
    lines = {line.member: line for line in world.block(*readings).settlements[0].lines}
    assert lines[world.ids[1]].imbalance_money == -10 * (RETAIL + 30)
    assert lines[world.ids[2]].imbalance_money == 10 * (FEED_IN - 20)
    assert world.state.balances[COMMUNITY] == 10 * (RETAIL + 30) - 10 * (FEED_IN - 20)
    assert world.state.balances[SUPPLIER] == 0


def test_a_curve_is_shifted_apart_at_zero_and_a_step_through_it_is_cut() -> None:
    curve = StepCurve.of(-5, np.array([8, 4, 8]), np.array([4, 3, 2]))
    keys, quantities = curve.shifted(3)
    assert list(zip(keys.tolist(), quantities.tolist(), strict=True)) == [(1, 3), (5, 2), (11, 4)]
    assert curve.interval(0, 0) == (8, 8)
    assert curve.clip(-2, 1) == (4, 8)
    assert (curve.base, curve.shifted(0)[1].tolist()) == (-2, [2, 1])


@st.composite
def markets(draw: st.DrawFn) -> tuple[list[Order], Feeder]:
    count = draw(st.integers(2, 6))
    branches = [Branch("b0")] + [
        Branch(f"b{i}", draw(st.integers(0, i - 1)), draw(st.none() | st.integers(0, 30)))
        for i in range(1, count)
    ]
    row = st.tuples(st.integers(0, count - 1), st.sampled_from(Side), st.integers(-8, 20), st.integers(1, 25))
    drawn = draw(st.lists(row, max_size=20))
    return [Order(index, b"m", *fields) for index, fields in enumerate(drawn)], Feeder(tuple(branches))


@settings(max_examples=100, deadline=None)
@given(markets())
def test_a_fee_that_nothing_pays_changes_nothing(market: tuple[list[Order], Feeder]) -> None:
    orders, feeder = market
    book = OrderBook.from_orders(orders)
    empty = Branch("empty", 0, None, 5)
    with_fees = Feeder((*feeder.branches, empty))
    one, other = clear(book, feeder), clear(book, with_fees)
    assert one.fills.tolist() == other.fills.tolist()
    assert (one.keys, one.flows, one.prices) == (other.keys[:-1], other.flows[:-1], other.prices[:-1])
    assert (one.welfare, one.rent, other.fees) == (other.welfare, other.rent, 0)
