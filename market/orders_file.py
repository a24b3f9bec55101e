"""Shell: reads a CSV file of orders for `wattswarm market clear`.

Columns, in any order: id, member, branch, side, price (currency per kWh), kwh. `price_per_kwh` and
`quantity_kwh` are taken for the last two, `bid` and `ask` for the sides `buy` and `sell`. Every mistake is
reported with file, line, column and reason; a file with mistakes gives no orders.
"""

import csv
import io
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TypeVar

from market.errors import AmountError, FileError
from market.orders import MAX_ORDERS, Order, Side
from market.units import MAX_PRICE, MAX_QUANTITY, energy_from_kwh, price_from_text

COLUMNS = ("id", "member", "branch", "side", "price", "kwh")
ALIASES = {"price_per_kwh": "price", "quantity_kwh": "kwh"}
SIDES = {"buy": Side.BUY, "bid": Side.BUY, "sell": Side.SELL, "ask": Side.SELL}
MAX_MISTAKES = 20  # enough to see the pattern; one wrong column would otherwise fill the screen
MAX_BYTES = 2**30  # a file of MAX_ORDERS orders has about half of that
MAX_NAME = 200  # characters of an id or a member

Field = TypeVar("Field")


def read_orders(path: Path, branches: Mapping[str, int] | None) -> list[Order]:
    """The orders of a file. `branches` maps names to indices; None puts all at one place and ignores the
    column.

    Raises FileError with every mistake (up to a bound), or one for a file that cannot be read at all.
    """
    return _Reading(str(path), branches).orders(_text(path))


def _text(path: Path) -> str:
    try:
        if path.stat().st_size > MAX_BYTES:
            raise FileError((f"{path}: larger than {MAX_BYTES} bytes",))
        return path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise FileError((f"{path}: cannot be read: {error.strerror}",)) from error
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise FileError((f"{path}, line {line}: not UTF-8 text",)) from error


class _TooManyError(Exception):
    """The bound on mistakes is reached."""


class _Reading:
    """One pass over one file, collecting orders and mistakes."""

    def __init__(self, name: str, branches: Mapping[str, int] | None) -> None:
        self._name = name
        self._branches = branches
        self._mistakes: list[str] = []
        self._line_of_id: dict[str, int] = {}

    def orders(self, text: str) -> list[Order]:
        rows = self._rows(text)
        orders: list[Order] = []
        try:
            _, header = next(rows, (0, []))
            columns = self._columns(header)
            if not self._mistakes:
                for line, row in rows:
                    if len(orders) == MAX_ORDERS:
                        self._mistake(line, None, f"more than {MAX_ORDERS} orders")
                        break
                    order = self._order(line, row, columns, len(header))
                    if order is not None:
                        orders.append(order)
        except _TooManyError:
            self._mistakes.append(f"{self._name}: more than {MAX_MISTAKES} mistakes, the rest are not shown")
        if self._mistakes:
            raise FileError(tuple(self._mistakes))
        return orders

    def _rows(self, text: str) -> Iterator[tuple[int, list[str]]]:
        """Rows that are not blank, each with the number of its first line."""
        reader = csv.reader(io.StringIO(text, newline=""), strict=True)
        while True:
            line = reader.line_num + 1
            try:
                row = next(reader)
            except StopIteration:
                return
            except csv.Error as error:
                self._mistake(line, None, f"not valid CSV: {error}")
                return
            if any(cell.strip() for cell in row):
                yield line, [cell.strip() for cell in row]

    def _columns(self, header: list[str]) -> dict[str, int]:
        """Position by name of column."""
        if not header:
            self._mistake(
                1, None, f"the file is empty; its first line names the columns: {','.join(COLUMNS)}"
            )
        columns: dict[str, int] = {}
        for position, cell in enumerate(header):
            spelled = cell.lower().replace(" ", "_")
            name = ALIASES.get(spelled, spelled)
            if name not in COLUMNS:
                self._mistake(1, cell, f"unknown column; the columns are {', '.join(COLUMNS)}")
            elif name in columns:
                self._mistake(1, cell, "this column is there twice")
            columns[name] = position
        for name in COLUMNS if header else ():
            if name not in columns and not (name == "branch" and self._branches is None):
                self._mistake(1, name, "this column is missing")
        return columns

    def _order(self, line: int, row: list[str], columns: dict[str, int], width: int) -> Order | None:
        if len(row) != width:
            # Named by its place: a short row lacks that column, a long one has a cell under none.
            names = {position: name for name, position in columns.items()}
            place = names.get(len(row), str(width + 1))
            self._mistake(line, place, f"{len(row)} cells, but the header has {width}")
            return None

        def field(name: str, parse: Callable[[int, str], Field]) -> Field | None:
            try:
                return parse(line, row[columns[name]])
            except (AmountError, _RefusedError) as error:
                self._mistake(line, name, str(error))
                return None

        order_id = field("id", self._id)
        member = field("member", _name)
        branch = 0 if self._branches is None else field("branch", self._branch)
        side = field("side", _side)
        price = field("price", _price)
        quantity = field("kwh", _quantity)
        if (
            order_id is None
            or member is None
            or branch is None
            or side is None
            or price is None
            or quantity is None
        ):
            return None
        return Order(order_id, member, branch, side, price, quantity)

    def _id(self, line: int, text: str) -> str:
        order_id = _name(line, text)
        first = self._line_of_id.setdefault(order_id, line)
        if first != line:
            raise _RefusedError(f"{order_id!r} is the id of the order in line {first} already")
        return order_id

    def _branch(self, _line: int, text: str) -> int:
        branches = self._branches or {}
        if text not in branches:
            known = ", ".join(list(branches)[:10])
            raise _RefusedError(f"{text!r} is no branch of the feeder; its branches: {known}")
        return branches[text]

    def _mistake(self, line: int, column: str | None, reason: str) -> None:
        if len(self._mistakes) == MAX_MISTAKES:
            raise _TooManyError
        place = f"{self._name}, line {line}" + ("" if column is None else f", column {column}")
        self._mistakes.append(f"{place}: {reason}")


class _RefusedError(Exception):
    """A cell that makes no sense, with the reason."""


def _name(_line: int, text: str) -> str:
    if not text:
        raise _RefusedError("empty")
    if len(text) > MAX_NAME:
        raise _RefusedError(f"longer than {MAX_NAME} characters")
    return text


def _side(_line: int, text: str) -> Side:
    if text.lower() not in SIDES:
        raise _RefusedError(f"{text!r} is neither buy nor sell")
    return SIDES[text.lower()]


def _price(_line: int, text: str) -> int:
    price = price_from_text(text)
    if abs(price) > MAX_PRICE:
        raise _RefusedError(f"{text} is beyond the largest price, {MAX_PRICE // 10**6} per kWh")
    return price


def _quantity(_line: int, text: str) -> int:
    quantity = energy_from_kwh(text)
    if quantity <= 0:
        raise _RefusedError(f"{text} is not above zero")
    if quantity > MAX_QUANTITY:
        raise _RefusedError(f"{text} is beyond the largest quantity, {MAX_QUANTITY // 10**6} kWh")
    return quantity
