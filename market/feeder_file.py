"""Shell: reads a feeder from a TOML file.

    [grid]                    # optional; without it the feeder is islanded
    import_price = 0.31       # currency per kWh
    export_price = 0.04
    import_limit_kwh = 8.0    # per interval, optional
    export_limit_kwh = 8.0

    [branches.substation]     # the root has no parent
    [branches.north]
    parent = "substation"
    limit_kwh = 2.5           # per interval, both directions, optional
    fee = 0.01                # per kWh that crosses the branch, either way, optional
    loss = 0.02               # share of the energy entering the branch that is lost, optional

Numbers are read as written, not as binary floats: more than six decimals is an error. Every mistake is
reported with the path of its key.
"""

import tomllib
from collections.abc import Callable
from pathlib import Path

from market.errors import AmountError, FeederError, FileError
from market.feeder import Branch, Feeder, Grid
from market.losses import MAX_PATH_LOSS
from market.units import MAX_LIMIT, MAX_PRICE, energy_from_kwh, price_from_text

GRID_KEYS = ("import_price", "export_price", "import_limit_kwh", "export_limit_kwh")
BRANCH_KEYS = ("parent", "limit_kwh", "fee", "loss")
MAX_BYTES = 2**26  # a file of the largest feeder has a third of that

Table = dict[str, object]


class _Number(str):
    """A number as it is written in the file."""

    __slots__ = ()


def read_feeder(path: Path) -> Feeder:
    """The feeder of a TOML file. Raises FileError with every mistake found."""
    try:
        if path.stat().st_size > MAX_BYTES:
            raise FileError((f"{path}: larger than {MAX_BYTES} bytes",))
        text = path.read_bytes().decode("utf-8-sig")
        tables: Table = tomllib.loads(text.replace("\r\n", "\n"), parse_float=_Number)
    except OSError as error:
        raise FileError((f"{path}: cannot be read: {error.strerror}",)) from error
    except UnicodeDecodeError as error:
        raise FileError((f"{path}: not UTF-8 text",)) from error
    except (ValueError, RecursionError) as error:  # a number of thousands of digits and deep nesting included
        raise FileError((f"{path}: not valid TOML: {error}",)) from error
    return _Reading(str(path)).feeder(tables)


class _Reading:
    """One pass over the tables of one file, collecting mistakes."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._mistakes: list[str] = []

    def feeder(self, tables: Table) -> Feeder:
        self._only(tables, "", ("grid", "branches"))
        grid = self._grid(tables["grid"]) if "grid" in tables else None
        branches = self._branches(tables.get("branches"))
        if not self._mistakes:
            try:
                return Feeder(branches, grid)
            except FeederError as error:
                self._mistake("", str(error))
        raise FileError(tuple(self._mistakes))

    def _grid(self, table: object) -> Grid | None:
        if not isinstance(table, dict):
            self._mistake("grid", "must be a table")
            return None
        self._only(table, "grid.", GRID_KEYS)
        import_price = self._amount(table, "grid.", "import_price", _price, needed=True)
        export_price = self._amount(table, "grid.", "export_price", _price, needed=True)
        import_limit = self._amount(table, "grid.", "import_limit_kwh", _limit)
        export_limit = self._amount(table, "grid.", "export_limit_kwh", _limit)
        if import_price is None or export_price is None:
            return None
        return Grid(import_price, export_price, import_limit, export_limit)

    def _branches(self, tables: object) -> tuple[Branch, ...]:
        if not isinstance(tables, dict) or not tables:
            self._mistake("branches", "at least one table such as [branches.substation] is needed")
            return ()
        numbers = {name: number for number, name in enumerate(tables)}
        branches = []
        for name, table in tables.items():
            path = f"branches.{name}"
            if not isinstance(table, dict):
                self._mistake(path, "must be a table")
                continue
            self._only(table, f"{path}.", BRANCH_KEYS)
            parent = table.get("parent")
            if parent is not None and (not isinstance(parent, str) or isinstance(parent, _Number)):
                self._mistake(f"{path}.parent", "must be the name of a branch, as text")
            elif isinstance(parent, str) and parent not in numbers:
                self._mistake(f"{path}.parent", f"there is no branch {parent!r}")
            limit = self._amount(table, f"{path}.", "limit_kwh", _limit)
            fee = self._amount(table, f"{path}.", "fee", _fee) or 0
            loss = self._amount(table, f"{path}.", "loss", _loss) or 0
            branches.append(
                Branch(name, numbers.get(parent) if isinstance(parent, str) else None, limit, fee, loss)
            )
        return tuple(branches)

    def _amount(
        self, table: Table, path: str, key: str, parse: Callable[[str], int], *, needed: bool = False
    ) -> int | None:
        if key not in table:
            if needed:
                self._mistake(path + key, "is missing")
            return None
        value = table[key]
        try:
            if isinstance(value, bool) or not isinstance(value, int | _Number):
                raise AmountError("must be a number")
            if isinstance(value, int) and abs(value) > MAX_LIMIT:
                raise AmountError("is out of range")
            return parse(str(value).replace("_", ""))
        except AmountError as error:
            self._mistake(path + key, str(error))
            return None

    def _only(self, table: Table, path: str, keys: tuple[str, ...]) -> None:
        for key in table:
            if key not in keys:
                self._mistake(path + key, f"unknown key; the keys here are {', '.join(keys)}")

    def _mistake(self, path: str, reason: str) -> None:
        self._mistakes.append(f"{self._name}: {path}: {reason}" if path else f"{self._name}: {reason}")


def _price(text: str) -> int:
    price = price_from_text(text)
    if abs(price) > MAX_PRICE:
        raise AmountError(f"{text} is beyond the largest price, {MAX_PRICE // 10**6} per kWh")
    return price


def _fee(text: str) -> int:
    fee = _price(text)
    if fee < 0:
        raise AmountError(f"{text} is negative; a fee is zero or more")
    return fee


def _loss(text: str) -> int:
    loss = price_from_text(text)
    if not 0 <= loss <= MAX_PATH_LOSS:
        raise AmountError(f"{text} is not a share between 0 and 0.5, such as 0.02")
    return loss


def _limit(text: str) -> int:
    limit = energy_from_kwh(text)
    if limit < 0:
        raise AmountError(f"{text} is negative; a limit holds in both directions and is zero or more")
    if limit > MAX_LIMIT:
        raise AmountError(f"{text} is beyond the largest limit; leave it out for no limit")
    return limit
