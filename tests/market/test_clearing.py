"""The auction's corners, each small enough to check by hand."""

import numpy as np
import pytest

from market.clearing import Clearing, clear
from market.errors import OrderError
from market.feeder import Branch, Feeder, Grid
from market.orders import Order, OrderBook, Side
from market.units import MAX_PRICE, MAX_QUANTITY

PLACE = Feeder.single()


def bid(price: int, quantity: int, branch: int = 0) -> tuple[Side, int, int, int]:
    return Side.BUY, price, quantity, branch


def ask(price: int, quantity: int, branch: int = 0) -> tuple[Side, int, int, int]:
    return Side.SELL, price, quantity, branch


def cleared(feeder: Feeder, *rows: tuple[Side, int, int, int]) -> Clearing:
    return clear(
        OrderBook.from_orders(
            Order(index, b"member", branch, side, price, quantity)
            for index, (side, price, quantity, branch) in enumerate(rows)
        ),
        feeder,
    )


def nothing_traded(clearing: Clearing) -> bool:
    return (
        not clearing.fills.any()
        and not any(clearing.flows)
        and clearing.volume == clearing.welfare == clearing.rent == 0
        and set(clearing.prices) == {None}
    )


@pytest.mark.parametrize(
    "feeder", [PLACE, Feeder.single(Grid(30, 5)), Feeder((Branch("r"), Branch("a", 0, 3)))]
)
def test_without_orders_nothing_trades_and_there_is_no_price(feeder: Feeder) -> None:
    assert nothing_traded(cleared(feeder))


def test_one_side_alone_trades_nothing() -> None:
    assert nothing_traded(cleared(PLACE, bid(10, 5), bid(-3, 2)))
    assert nothing_traded(cleared(PLACE, ask(10, 5), ask(-3, 2)))


def test_orders_that_do_not_cross_trade_nothing() -> None:
    clearing = cleared(PLACE, bid(10, 5), ask(11, 5))
    assert nothing_traded(clearing)
    assert clearing.keys == ((43 + 44) // 2,)


def test_a_bid_meets_an_ask_at_the_same_price() -> None:
    clearing = cleared(PLACE, bid(10, 5), ask(10, 3))
    assert clearing.fills.tolist() == [3, 3]
    assert (clearing.prices, clearing.volume, clearing.welfare) == ((10,), 3, 0)


def test_the_price_is_the_middle_of_what_all_could_agree_on_rounded_down() -> None:
    assert cleared(PLACE, bid(10, 1), ask(5, 1)).prices == (7,)
    assert cleared(PLACE, bid(-5, 1), ask(-10, 1)).prices == (-8,)


def test_the_marginal_order_sets_the_price_and_is_filled_in_part() -> None:
    clearing = cleared(PLACE, bid(30, 4), ask(10, 3), ask(20, 3), ask(40, 9))
    assert clearing.fills.tolist() == [4, 3, 1, 0]
    assert clearing.prices == (20,)
    assert clearing.welfare == 30 * 4 - 10 * 3 - 20


def test_orders_tied_at_the_margin_share_pro_rata_and_the_odd_units_go_to_the_lowest_ids() -> None:
    assert cleared(PLACE, bid(30, 2), ask(10, 1), ask(10, 1), ask(10, 1)).fills.tolist() == [2, 1, 1, 0]
    assert cleared(PLACE, ask(10, 2), bid(30, 1), bid(30, 1), bid(30, 1)).fills.tolist() == [2, 1, 1, 0]
    assert cleared(PLACE, ask(10, 6), bid(30, 8), bid(30, 4)).fills.tolist() == [6, 4, 2]


def test_prices_may_be_negative() -> None:
    clearing = cleared(PLACE, bid(-4, 5), ask(-9, 7))
    assert clearing.prices == (-9,)
    assert clearing.welfare == -4 * 5 + 9 * 5


def test_the_grid_covers_a_lack_at_its_import_price_and_a_surplus_at_its_export_price() -> None:
    feeder = Feeder.single(Grid(30, 5))
    lack = cleared(feeder, bid(40, 10), ask(20, 4))
    assert (lack.prices, lack.grid_import, lack.grid_export, lack.flows) == ((30,), 6, 0, (-6,))
    assert (lack.volume, lack.welfare) == (10, 40 * 10 - 20 * 4 - 30 * 6)
    surplus = cleared(feeder, bid(40, 3), ask(1, 10))
    assert (surplus.prices, surplus.grid_import, surplus.grid_export, surplus.flows) == ((5,), 0, 7, (7,))
    assert (surplus.volume, surplus.welfare) == (10, 40 * 3 + 5 * 7 - 10)


def test_members_come_before_the_grid_at_the_same_price() -> None:
    feeder = Feeder.single(Grid(30, 5))
    importing = cleared(feeder, bid(40, 10), ask(30, 4))
    assert importing.fills.tolist() == [10, 4]
    exporting = cleared(feeder, bid(5, 4), ask(1, 10))
    assert exporting.fills.tolist() == [4, 10]
    assert exporting.grid_export == 6


def test_an_import_or_export_at_no_gain_is_made_because_volume_is_maximal() -> None:
    feeder = Feeder.single(Grid(30, 5))
    assert cleared(feeder, bid(30, 2)).grid_import == 2
    assert cleared(feeder, ask(5, 2)).grid_export == 2


def test_a_grid_that_buys_and_sells_at_one_price_sets_it() -> None:
    clearing = cleared(Feeder.single(Grid(10, 10)), bid(20, 5), ask(3, 2))
    assert (clearing.prices, clearing.grid_import) == ((10,), 3)


def test_beyond_the_limit_of_the_connection_the_local_price_leaves_the_grids() -> None:
    grid = Grid(30, 5, import_limit=2, export_limit=1)
    scarce = cleared(Feeder.single(grid), bid(50, 4), bid(40, 4))
    assert (scarce.prices, scarce.grid_import, scarce.rent) == ((50,), 2, (50 - 30) * 2)
    plenty = cleared(Feeder.single(grid), ask(1, 4), ask(2, 4))
    assert (plenty.prices, plenty.grid_export, plenty.rent) == ((1,), 1, (5 - 1) * 1)


def test_a_connection_of_zero_is_an_island() -> None:
    clearing = cleared(Feeder.single(Grid(30, 5, 0, 0)), bid(50, 4), ask(40, 1))
    assert (clearing.fills.tolist(), clearing.flows) == ([1, 1], (0,))
    assert clearing.prices == (50,)


def test_a_limit_on_the_root_holds_for_the_grid_connection() -> None:
    clearing = cleared(Feeder((Branch("root", None, 3),), Grid(30, 5, 8, 8)), bid(50, 4))
    assert (clearing.grid_import, clearing.flows) == (3, (-3,))
    assert cleared(Feeder((Branch("root", None, 0),)), bid(50, 4), ask(1, 4)).fills.tolist() == [4, 4]


def test_a_binding_limit_splits_the_price_and_its_rent_is_the_difference_times_the_flow() -> None:
    feeder = Feeder((Branch("root"), Branch("north", 0, 5), Branch("south", 0)))
    clearing = cleared(feeder, bid(30, 9, 1), ask(10, 9, 2))
    assert clearing.prices == (10, 30, 10)
    assert clearing.flows == (0, -5, 5)
    assert clearing.rent == 5 * 20


def test_a_branch_with_a_limit_of_zero_trades_within_itself() -> None:
    feeder = Feeder((Branch("root"), Branch("cut off", 0, 0)))
    clearing = cleared(feeder, bid(30, 9, 1), ask(20, 4, 1), bid(90, 9, 0))
    assert (clearing.fills.tolist(), clearing.flows) == ([4, 4, 0], (0, 0))
    assert clearing.prices == (None, 30)


def test_a_branch_that_energy_only_passes_has_a_price_and_an_idle_one_none() -> None:
    feeder = Feeder((Branch("root"), Branch("sun", 0), Branch("load", 0), Branch("idle", 0)))
    clearing = cleared(feeder, ask(10, 4, 1), bid(20, 4, 2), ask(90, 1, 3))
    assert clearing.prices == (15, 15, 15, None)


def test_a_tie_between_an_order_and_a_child_is_shared_by_what_the_child_may_pass() -> None:
    feeder = Feeder((Branch("root"), Branch("child", 0, 2)))
    clearing = cleared(feeder, bid(20, 3, 0), ask(10, 4, 0), ask(10, 100, 1))
    assert clearing.fills.tolist() == [3, 2, 1]
    assert clearing.flows == (0, 1)


def test_a_chain_of_a_thousand_branches_passes_energy_from_end_to_end() -> None:
    feeder = Feeder(tuple(Branch(str(index), index - 1 if index else None, 7) for index in range(1_000)))
    clearing = cleared(feeder, bid(30, 9, 999), ask(10, 9, 0))
    assert clearing.fills.tolist() == [7, 7]
    assert set(clearing.flows[1:]) == {-7}
    assert (clearing.prices[0], clearing.prices[999]) == (10, 30)


def test_a_chain_of_limits_that_all_bind_costs_a_price_step_each() -> None:
    depth = 300
    feeder = Feeder(
        tuple(Branch(str(index), index - 1 if index else None, depth - index) for index in range(depth))
    )
    asks = [ask(depth - index, 2, index) for index in range(1, depth)]
    clearing = cleared(feeder, bid(2 * depth, 10 * depth, 0), *asks)
    assert clearing.flows[1:] == tuple(depth - index for index in range(1, depth))


def test_a_star_of_a_thousand_branches_shares_one_price() -> None:
    feeder = Feeder((Branch("root"), *(Branch(str(index), 0, 5) for index in range(1_000))))
    rows = [ask(10 + index, 1, index + 1) for index in range(1_000)]
    clearing = cleared(feeder, bid(2_000, 500, 0), *rows)
    assert clearing.volume == 500
    assert {price for price in clearing.prices if price is not None} == {clearing.prices[0]}


def test_the_largest_prices_and_quantities_are_exact() -> None:
    count = 1_000
    feeder = Feeder((Branch("root"), Branch("child", 0, 2**60)))
    rows = [bid(MAX_PRICE, MAX_QUANTITY, 0), ask(-MAX_PRICE, MAX_QUANTITY, 1)] * count
    clearing = cleared(feeder, *rows)
    assert clearing.welfare == 2 * MAX_PRICE * MAX_QUANTITY * count
    assert clearing.volume == MAX_QUANTITY * count
    tied = cleared(PLACE, bid(MAX_PRICE, MAX_QUANTITY - 1), *[ask(MAX_PRICE, MAX_QUANTITY)] * 3)
    assert tied.fills.tolist()[1:] == [366_503_875_925] * 3


def test_an_order_on_a_branch_that_is_not_there_is_refused() -> None:
    for branch in (-1, 2):
        with pytest.raises(OrderError, match="not one of the feeder's 2"):
            cleared(Feeder((Branch("r"), Branch("a", 0))), bid(1, 1, branch))
    with pytest.raises(OrderError, match="not one of the feeder's 1"):
        cleared(PLACE, bid(1, 1, 1))


def test_no_float_enters_the_result() -> None:
    clearing = cleared(Feeder.single(Grid(30, 5)), bid(40, 10), ask(20, 4))
    numbers = [*clearing.prices, *clearing.keys, *clearing.flows, clearing.grid_import, clearing.grid_export]
    assert {type(number) for number in (*numbers, clearing.volume, clearing.welfare, clearing.rent)} == {int}
    assert clearing.fills.dtype == np.int64


def test_clearing_changes_neither_the_book_nor_its_arrays() -> None:
    arrays = np.array([9, 1, 5]), np.array([3, 4, 5]), np.array([1, 2, 2])
    book = OrderBook.from_arrays(*arrays)
    first = clear(book, PLACE)
    assert clear(book, PLACE).fills.tolist() == first.fills.tolist()
    assert [array.tolist() for array in arrays] == [[9, 1, 5], [3, 4, 5], [1, 2, 2]]
