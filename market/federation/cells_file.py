"""Shell: reads a federation from a TOML file that names each cell's orders and feeder.

    [cells.district]             # the top has no parent; only its feeder may have a [grid]
    orders = "district.csv"      # optional; a market for cells alone has no orders of its own
    feeder = "district.toml"     # optional; without it the cell is one place

    [cells.mill-lane]
    parent = "district"
    branch = "north"             # of the parent's feeder; its root where left out
    orders = "mill-lane.csv"
    feeder = "mill-lane.toml"    # limit and fee of its root are those of the connection

Paths are relative to the file. Every mistake is reported with the path of its key, or with its place in the
file that it is in.
"""

import tomllib
from dataclasses import dataclass
from pathlib import Path

from market.errors import FeederError, FileError, InputError
from market.federation.federation import FederatedCell, Federation
from market.feeder import Feeder
from market.feeder_file import read_feeder
from market.orders import Order, OrderBook
from market.orders_file import read_orders

KEYS = ("parent", "branch", "orders", "feeder")
MAX_BYTES = 2**22  # ten thousand cells have a tenth of that
MAX_CELLS = 10_000

Table = dict[str, object]


@dataclass(frozen=True, slots=True, eq=False)
class CellsFile:
    """The federation, and each cell's orders in order of id, as its book has them."""

    federation: Federation
    orders: tuple[tuple[Order, ...], ...]


def read_cells(path: Path) -> CellsFile:
    """The federation of a TOML file. Raises FileError with every mistake found."""
    try:
        if path.stat().st_size > MAX_BYTES:
            raise FileError((f"{path}: larger than {MAX_BYTES} bytes",))
        tables: Table = tomllib.loads(path.read_bytes().decode("utf-8-sig").replace("\r\n", "\n"))
    except OSError as error:
        raise FileError((f"{path}: cannot be read: {error.strerror}",)) from error
    except UnicodeDecodeError as error:
        raise FileError((f"{path}: not UTF-8 text",)) from error
    except (ValueError, RecursionError) as error:
        raise FileError((f"{path}: not valid TOML: {error}",)) from error
    return _Reading(path).cells(tables)


class _Reading:
    """One pass over the tables of one file, collecting mistakes of this file and of those that it names."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._mistakes: list[str] = []

    def cells(self, tables: Table) -> CellsFile:
        listed = tables.get("cells")
        for key in tables:
            if key != "cells":
                self._mistake(key, "unknown key; the only one here is cells")
        if not isinstance(listed, dict) or not listed or len(listed) > MAX_CELLS:
            self._mistake("cells", f"one to {MAX_CELLS} tables such as [cells.district] are needed")
            raise FileError(tuple(self._mistakes))
        texts = {name: self._texts(name, table) for name, table in listed.items()}
        feeders = {name: self._feeder(keys.get("feeder")) for name, keys in texts.items()}
        cells, orders = [], []
        for name, keys in texts.items():
            own = self._orders(keys.get("orders"), feeders[name], "feeder" in keys)
            orders.append(tuple(own))
            parent, branch = self._place(name, keys, list(listed), feeders)
            book = self._book(keys.get("orders"), own)
            cells.append(FederatedCell(name, book, feeders[name], parent, branch))
        if not self._mistakes:
            try:
                return CellsFile(Federation(tuple(cells)), tuple(orders))
            except FeederError as error:
                self._mistake("", str(error))
        raise FileError(tuple(self._mistakes))

    def _texts(self, name: str, table: object) -> dict[str, str]:
        """The cell's keys, each a text."""
        if not isinstance(table, dict):
            self._mistake(f"cells.{name}", "must be a table")
            return {}
        for key, value in table.items():
            if key not in KEYS:
                self._mistake(f"cells.{name}.{key}", f"unknown key; the keys here are {', '.join(KEYS)}")
            elif not isinstance(value, str):
                self._mistake(f"cells.{name}.{key}", "must be a text")
        return {key: value for key, value in table.items() if key in KEYS and isinstance(value, str)}

    def _feeder(self, name: str | None) -> Feeder:
        if name is None:
            return Feeder.single()
        try:
            return read_feeder(self._path.parent / name)
        except FileError as error:
            self._mistakes += error.mistakes
            return Feeder.single()

    def _orders(self, name: str | None, feeder: Feeder, has_branches: bool) -> list[Order]:
        if name is None:
            return []
        branches = {branch.name: index for index, branch in enumerate(feeder.branches)}
        try:
            found = read_orders(self._path.parent / name, branches if has_branches else None)
        except FileError as error:
            self._mistakes += error.mistakes
            return []
        return sorted(found, key=lambda order: str(order.id))

    def _book(self, name: str | None, orders: list[Order]) -> OrderBook:
        try:
            return OrderBook.from_orders(orders)
        except InputError as error:
            self._mistakes.append(f"{self._path.parent / (name or '')}: {error}")
            return OrderBook.from_orders(())

    def _place(
        self, name: str, keys: dict[str, str], cells: list[str], feeders: dict[str, Feeder]
    ) -> tuple[int | None, int]:
        """The index of the cell above and the branch of it that the cell hangs on."""
        parent, branch = keys.get("parent"), keys.get("branch")
        if parent is None:
            if branch is not None:
                self._mistake(f"cells.{name}.branch", "is for a cell with a parent")
            return None, 0
        if parent not in feeders:
            self._mistake(f"cells.{name}.parent", f"there is no cell {parent!r}")
            return None, 0
        try:
            above = feeders[parent]
            return cells.index(parent), above.root if branch is None else above.index_of(branch)
        except FeederError as error:
            self._mistake(f"cells.{name}.branch", f"{error} in cell {parent!r}")
            return None, 0

    def _mistake(self, path: str, reason: str) -> None:
        self._mistakes.append(f"{self._path}: {path}: {reason}" if path else f"{self._path}: {reason}")
