"""What a book takes, and that it does not depend on the order of arrival."""

import numpy as np
import pytest

from market.errors import OrderError
from market.orders import Order, OrderBook, Side
from market.units import MAX_LIMIT, MAX_PRICE, MAX_QUANTITY


def order(order_id: int | str | bytes, price: int = 1, quantity: int = 1, branch: int = 0) -> Order:
    return Order(order_id, b"member", branch, Side.BUY, price, quantity)


@pytest.mark.parametrize("ids", [[3, 1, 2], ["c", "a", "b"], [b"\xff", b"", b"a"]])
def test_a_book_is_in_order_of_id_whatever_the_order_of_arrival(ids: list[int | str | bytes]) -> None:
    orders = [order(order_id, price) for price, order_id in enumerate(ids)]
    book, other = OrderBook.from_orders(orders), OrderBook.from_orders(reversed(orders))
    assert list(book.ids) == sorted(ids)
    assert book.price.tolist() == other.price.tolist()


def test_arrays_without_ids_are_in_order_of_position() -> None:
    book = OrderBook.from_arrays(np.array([5, 3]), np.array([1, 2]), np.array([1, 2]))
    assert list(book.ids) == [0, 1]
    assert len(book) == 2


@pytest.mark.parametrize(
    ("orders", "reason"),
    [
        ([order(1), order(1)], "two orders have the id 1"),
        ([order(1), order("1")], "one type"),
        ([order(1, quantity=0)], "quantity"),
        ([order(1, quantity=-1)], "quantity"),
        ([order(1, quantity=MAX_QUANTITY + 1)], "quantity"),
        ([order(1, price=MAX_PRICE + 1)], "price"),
        ([order(1, price=-MAX_PRICE - 1)], "price"),
        ([order(1, price=2**70)], "64 bits"),
        ([order(1, branch=2**40)], "64 bits"),
        ([Order(1, b"", 0, 3, 1, 1)], "neither 1"),  # type: ignore[arg-type]
    ],
)
def test_orders_that_no_auction_can_take_are_refused(orders: list[Order], reason: str) -> None:
    with pytest.raises(OrderError, match=reason):
        OrderBook.from_orders(orders)


def test_a_sum_of_quantities_beyond_64_bits_is_refused() -> None:
    count = MAX_LIMIT // MAX_QUANTITY + 1
    ones = np.ones(count, np.int8)
    with pytest.raises(OrderError, match="sum to more"):
        OrderBook.from_arrays(ones, np.full(count, MAX_QUANTITY), ones)


def test_arrays_of_floats_or_of_unequal_length_are_refused() -> None:
    whole = np.array([1])
    with pytest.raises(OrderError, match="integers"):
        OrderBook.from_arrays(np.array([1.0]), whole, whole)
    with pytest.raises(OrderError, match="one length"):
        OrderBook.from_arrays(whole, np.array([1, 2]), whole)
    with pytest.raises(OrderError, match="2 ids for 1 orders"):
        OrderBook.from_arrays(whole, whole, whole, ids=[1, 2])


def test_the_largest_orders_are_taken() -> None:
    book = OrderBook.from_orders([order(1, MAX_PRICE, MAX_QUANTITY), order(2, -MAX_PRICE, MAX_QUANTITY)])
    assert book.quantity.tolist() == [MAX_QUANTITY, MAX_QUANTITY]
