"""Orders, and the book of one auction in its canonical order.

Quantities are mWh and positive on both sides, prices µ/kWh. The book is sorted by order id, so that nothing
depends on the order of arrival: two members with the same set of orders hold equal books.
"""

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

import numpy as np
import numpy.typing as npt

from market.errors import OrderError
from market.units import MAX_LIMIT, MAX_PRICE, MAX_QUANTITY

MAX_ORDERS = 2**23
"""Orders of one auction; with MAX_PRICE and MAX_BRANCHES, a step of a curve fits 64 bits."""

OrderId = int | str | bytes
IntArray = npt.NDArray[np.int64]


class Side(IntEnum):
    """Whether an order withdraws energy (BUY) or injects it (SELL)."""

    BUY = 1
    SELL = 2


@dataclass(frozen=True, slots=True)
class Order:
    """Up to `quantity` mWh at `price` µ/kWh or better, on the branch of index `branch`."""

    id: OrderId
    member: OrderId
    branch: int
    side: Side
    price: int
    quantity: int


@dataclass(frozen=True, slots=True, eq=False)
class OrderBook:
    """All orders of one auction as parallel arrays in ascending order of id.

    `branch` holds indices into the feeder's branches. Build it with `from_orders` or `from_arrays`, which
    validate.
    """

    ids: Sequence[OrderId]
    price: IntArray
    quantity: IntArray
    side: npt.NDArray[np.int8]
    branch: npt.NDArray[np.int32]

    def __len__(self) -> int:
        return len(self.price)

    @classmethod
    def from_orders(cls, orders: Iterable[Order]) -> "OrderBook":
        """The book of these orders, whose ids must all be of one type. Raises OrderError."""
        listed = list(orders)
        try:
            return cls.from_arrays(
                price=np.array([order.price for order in listed], np.int64),
                quantity=np.array([order.quantity for order in listed], np.int64),
                side=np.array([order.side for order in listed], np.int8),
                branch=np.array([order.branch for order in listed], np.int32),
                ids=[order.id for order in listed],
            )
        except OverflowError as error:
            raise OrderError(f"a number in an order does not fit 64 bits: {error}") from error

    @classmethod
    def from_arrays(
        cls,
        price: npt.NDArray[Any],
        quantity: npt.NDArray[Any],
        side: npt.NDArray[Any],
        branch: npt.NDArray[Any] | None = None,
        ids: Sequence[OrderId] | None = None,
    ) -> "OrderBook":
        """The book of parallel integer arrays; without `ids` the position is the id. Raises OrderError.

        The arrays are not copied where their types fit and they are in order already: do not change them
        afterwards.
        """
        if branch is None:
            branch = np.zeros(len(price), np.int32)
        columns = (price, quantity, side, branch)
        if any(column.ndim != 1 or len(column) != len(price) for column in columns):
            raise OrderError("the arrays of a book must be one-dimensional and of one length")
        if any(column.dtype.kind not in "iu" for column in columns):
            raise OrderError("the arrays of a book must be of integers")
        _check_ranges(price, quantity, side)
        book = cls(
            ids=range(len(price)),
            price=price.astype(np.int64, copy=False),
            quantity=quantity.astype(np.int64, copy=False),
            side=side.astype(np.int8, copy=False),
            branch=branch.astype(np.int32, copy=False),
        )
        return book if ids is None else book._in_order_of(ids)

    def _in_order_of(self, ids: Sequence[OrderId]) -> "OrderBook":
        if len(ids) != len(self):
            raise OrderError(f"{len(ids)} ids for {len(self)} orders")
        if len({type(order_id) for order_id in ids}) > 1:
            raise OrderError("the ids of a book must all be of one type, or they have no order")
        positions = sorted(range(len(ids)), key=lambda position: ids[position])
        in_order = tuple(ids[position] for position in positions)
        for previous, current in itertools.pairwise(in_order):
            if previous == current:
                raise OrderError(f"two orders have the id {current!r}")
        taken = np.array(positions, np.intp)
        return OrderBook(
            in_order, self.price[taken], self.quantity[taken], self.side[taken], self.branch[taken]
        )


def _bounds(values: npt.NDArray[Any]) -> tuple[int, int]:
    """Least and greatest; the ufuncs themselves, since a small book is checked in the time of a few calls."""
    return int(np.minimum.reduce(values)), int(np.maximum.reduce(values))


def _check_ranges(price: npt.NDArray[Any], quantity: npt.NDArray[Any], side: npt.NDArray[Any]) -> None:
    if len(price) > MAX_ORDERS:
        raise OrderError(f"{len(price)} orders, the most that one auction can hold are {MAX_ORDERS}")
    if not len(price):
        return
    cheapest, dearest = _bounds(price)
    if not -MAX_PRICE <= cheapest <= dearest <= MAX_PRICE:
        raise OrderError(f"a price is beyond {MAX_PRICE} µ/kWh")
    smallest, largest = _bounds(quantity)
    if smallest <= 0 or largest > MAX_QUANTITY:
        raise OrderError(f"a quantity is not between 1 and {MAX_QUANTITY} mWh")
    lowest, highest = _bounds(side)
    if lowest < 1 or highest > 2:
        raise OrderError("a side is neither 1 (buy) nor 2 (sell)")
    # The quick bound almost always suffices. Chunks of 2**20 quantities of at most 2**40 cannot overflow.
    if largest * len(quantity) > MAX_LIMIT and _exact_sum(quantity) > MAX_LIMIT:
        raise OrderError(
            f"the quantities sum to more than {MAX_LIMIT} mWh, the most that one auction can hold"
        )


def _exact_sum(quantity: npt.NDArray[Any]) -> int:
    chunk = 2**20
    return sum(int(quantity[start : start + chunk].sum()) for start in range(0, len(quantity), chunk))
