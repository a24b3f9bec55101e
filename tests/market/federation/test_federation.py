"""Cells that hand up curves and get back prices and flows come to what one market of all of them comes to."""

import os

import numpy as np
import pytest
from hypothesis import given, settings
from random_federations import federations, lossy_federations

from market.errors import FeederError, OrderError
from market.federation.federation import (
    FederatedCell,
    Federation,
    clear_federation,
    flat,
)
from market.federation.levels import Transfer, cell_curve, clear_cell
from market.feeder import Branch, Feeder, Grid
from market.orders import Order, OrderBook, Side
from market.units import MAX_PRICE

EXAMPLES = int(os.environ.get("WATTSWARM_SOAK", "0")) or 40


def book(*rows: tuple[Side, int, int, int]) -> OrderBook:
    """Orders of (side, price, quantity, branch)."""
    return OrderBook.from_orders(
        Order(index, b"m", branch, side, price, quantity)
        for index, (side, price, quantity, branch) in enumerate(rows)
    )


def check_same_as_flat(federation: Federation) -> None:
    """Every figure of every cell, to the unit."""
    market = flat(federation)
    together, apart = market.clear(), clear_federation(federation)
    assert (apart.welfare, apart.volume) == (together.welfare, together.volume)
    assert (apart.rent, apart.fees) == (together.rent, together.fees)
    assert (apart.losses, apart.loss_money) == (together.losses, together.loss_money)
    for index, cell in enumerate(apart.cells):
        branches = slice(market.branches[index], market.branches[index + 1])
        orders = slice(market.orders[index], market.orders[index + 1])
        assert cell.clearing.keys == together.keys[branches]
        assert cell.clearing.prices == together.prices[branches]
        assert cell.clearing.flows == together.flows[branches]
        assert cell.clearing.fills.tolist() == together.fills[orders].tolist()


@settings(max_examples=EXAMPLES, deadline=None)
@given(federations(levels=2))
def test_two_levels_give_what_one_flat_market_gives(federation: Federation) -> None:
    check_same_as_flat(federation)


@settings(max_examples=EXAMPLES, deadline=None)
@given(federations(levels=3))
def test_three_levels_give_what_one_flat_market_gives(federation: Federation) -> None:
    check_same_as_flat(federation)


@settings(max_examples=EXAMPLES, deadline=None)
@given(lossy_federations(levels=2) | lossy_federations(levels=3))
def test_with_losses_too_cells_give_what_one_flat_market_gives(federation: Federation) -> None:
    check_same_as_flat(federation)


def test_a_street_sells_to_the_district_at_the_districts_price() -> None:
    district = FederatedCell("district", book((Side.BUY, 30, 5, 0)), Feeder.single(Grid(31, 4)))
    street = FederatedCell(
        "street", book((Side.SELL, 10, 3, 0), (Side.BUY, 20, 1, 0)), Feeder.single(), parent=0
    )
    cleared = clear_federation(Federation((district, street)))
    assert cleared.transfers[0] is None
    transfer = cleared.transfers[1]
    assert transfer is not None
    # The street would rather sell its last kWh to the district for 30 than use it itself at 20.
    assert (transfer.flow, transfer.price) == (3, 30)
    assert cleared.cells[1].clearing.fills.tolist() == [3, 0]


def test_a_full_connection_leaves_its_rent_in_the_cell_behind_it() -> None:
    district = FederatedCell("district", book((Side.BUY, 30, 9, 0)), Feeder.single())
    street = FederatedCell("street", book((Side.SELL, 10, 9, 0)), Feeder((Branch("street", None, 4),)), 0)
    cleared = clear_federation(Federation((district, street)))
    assert cleared.transfers[1] == Transfer(4 * 30 + 3, 4)
    assert cleared.cells[1].clearing.prices == (10,)
    assert [each.clearing.rent for each in cleared.cells] == [0, 4 * 20]


def test_the_fee_of_a_connection_stands_between_the_two_prices() -> None:
    district = FederatedCell("district", book((Side.BUY, 30, 9, 0)), Feeder.single())
    street = FederatedCell("street", book((Side.SELL, 10, 4, 0)), Feeder((Branch("street", fee=7),)), 0)
    cleared = clear_federation(Federation((district, street)))
    assert cleared.transfers[1] == Transfer(4 * 23 + 3, 4)
    assert (cleared.fees, cleared.cells[0].clearing.fees, cleared.rent) == (28, 28, 0)


def test_what_a_street_gives_arrives_less_its_losses_and_is_paid_as_much_more() -> None:
    district = FederatedCell("district", book((Side.BUY, 300_000, 9_000, 0)), Feeder.single())
    lines = Feeder((Branch("street", loss=100_000), Branch("line", 0, loss=200_000)))
    street = FederatedCell("street", book((Side.SELL, 72_000, 10_000, 1)), lines, 0)
    cleared = clear_federation(Federation((district, street)))
    curve, transfer = cleared.curves[1], cleared.transfers[1]
    assert curve is not None
    assert transfer is not None
    # 10 kWh at 0.072 are 8 kWh at 0.09 at the street's end of the connection, and 7.2 kWh at 0.10 beyond it.
    assert (curve.keys.tolist(), curve.quantities.tolist()) == ([4 * 90_000], [8_000])
    assert (transfer.flow, transfer.price) == (8_000, 270_000)
    assert cleared.cells[1].clearing.fills.tolist() == [10_000]
    assert cleared.cells[0].clearing.fills.tolist() == [7_200]
    assert [each.clearing.losses for each in cleared.cells] == [800, 2_000]


def test_what_fees_and_losses_carry_beyond_any_price_is_left_out_of_a_curve() -> None:
    lines = Feeder((Branch("street"), Branch("line", 0, fee=5, loss=100_000)))
    dear = book((Side.SELL, MAX_PRICE, 3, 1), (Side.BUY, -MAX_PRICE, 4, 1), (Side.SELL, 30, 100, 1))
    curve = cell_curve(dear, lines)
    assert (curve.base, curve.top, len(curve.keys)) == (0, 90, 1)


def test_a_transfer_that_the_orders_cannot_make_up_is_refused() -> None:
    with pytest.raises(OrderError, match=r"a transfer of 4 mWh, .* from 0 to 3"):
        clear_cell(book((Side.SELL, 10, 3, 0)), Feeder.single(), Transfer(40, 4))


def test_on_a_feeder_with_losses_too() -> None:
    lines = Feeder((Branch("street"), Branch("line", 0, loss=100_000)))
    with pytest.raises(OrderError, match=r"a transfer of 10 mWh, .* from 0 to 9"):
        clear_cell(book((Side.SELL, 10, 10, 1)), lines, Transfer(100, 10))


def test_a_cell_below_another_with_a_grid_of_its_own_is_refused() -> None:
    with pytest.raises(FeederError, match="no grid of its own"):
        cell_curve(book(), Feeder.single(Grid(31, 4)))


@pytest.mark.parametrize(
    ("cells", "mistake"),
    [
        ([(None, 0, None), (None, 0, None)], "exactly one cell without a parent"),
        ([(None, 0, None), (2, 0, None), (1, 0, None)], "their parents form a cycle"),
        ([(None, 0, None), (0, 1, None)], "'c1' hangs on no branch of 'c0'"),
        ([(None, 0, None), (0, 0, Grid(31, 4))], "'c1' has a grid; only 'c0', above all, may"),
    ],
)
def test_cells_that_are_no_tree_are_refused(
    cells: list[tuple[int | None, int, Grid | None]], mistake: str
) -> None:
    with pytest.raises(FeederError, match=mistake):
        Federation(
            tuple(
                FederatedCell(f"c{index}", book(), Feeder.single(grid), parent, branch)
                for index, (parent, branch, grid) in enumerate(cells)
            )
        )


def test_a_single_cell_is_a_federation_too() -> None:
    alone = FederatedCell("alone", book((Side.SELL, 10, 3, 0), (Side.BUY, 20, 1, 0)), Feeder.single())
    check_same_as_flat(Federation((alone,)))


def test_many_cells_on_one_branch_share_a_tie_like_orders() -> None:
    district = FederatedCell("district", book((Side.BUY, 30, 10, 0)), Feeder.single())
    streets = [
        FederatedCell(f"s{index}", book((Side.SELL, 10, 5, 0)), Feeder.single(), parent=0)
        for index in range(3)
    ]
    federation = Federation((district, *streets))
    check_same_as_flat(federation)
    flows = [each.flow for each in clear_federation(federation).transfers if each is not None]
    assert flows == [4, 3, 3]


def test_large_curves_come_through_every_path_of_the_clearing_alike() -> None:
    generator = np.random.default_rng(4)

    def drawn(count: int, branches: int) -> OrderBook:
        return OrderBook.from_arrays(
            generator.integers(50_000, 400_000, count),
            generator.integers(1, 3_000_000, count),
            generator.integers(1, 3, count),
            generator.integers(0, branches, count),
        )

    limited = Feeder((Branch("root", None, 10**9), Branch("a", 0, 10**8), Branch("b", 1, 10**7)))
    cells = (
        FederatedCell("top", drawn(2_000, 3), Feeder(limited.branches, Grid(310_000, 40_000))),
        FederatedCell("near", drawn(9_000, 3), limited, 0, 1),
        FederatedCell("far", drawn(6_000, 3), limited, 1, 2),
    )
    check_same_as_flat(Federation(cells))
