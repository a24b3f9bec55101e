"""Reads households from the text of a CSV file that a user brings; the format is in sim/data/README.md.

Strict on purpose: a clock change, a gap or a duplicate in meter data would otherwise become wrong money.
The first thing wrong is reported with file, line, column and reason, and nothing is used.
"""

import csv
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from fractions import Fraction

from sim.homes.neighbourhood import (
    NS_PER_S,
    SECONDS_PER_DAY,
    HouseholdError,
    Prices,
    Record,
    Recording,
    energy_from_kwh,
    price_from_units,
)

COLUMNS = ("start", "home", "load_kwh", "pv_kwh", "import_price", "export_price")
REQUIRED = ("start", "home", "load_kwh")
DEFAULT_IMPORT_PRICE = 300_000
DEFAULT_EXPORT_PRICE = 60_000
MAX_KWH = 100_000
"""Per home and interval; more is a wrong unit (Wh), not a household."""

_NUMBER = re.compile(r"-?\d{1,12}(\.\d{1,18})?\Z")


class HouseholdFileError(HouseholdError):
    """A bad row: names the file, the line (1 is the header), the column and the reason."""

    def __init__(self, file: str, line: int, column: str, reason: str) -> None:
        super().__init__(f"{file}, line {line}, column {column}: {reason}")
        self.file = file
        self.line = line
        self.column = column
        self.reason = reason


@dataclass(slots=True)
class _Series:
    """What has been read so far of one home, in order of time."""

    starts: list[int] = field(default_factory=list)
    load: list[int | None] = field(default_factory=list)
    pv: list[int | None] = field(default_factory=list)
    first_line: int = 0
    last_line: int = 0


@dataclass(frozen=True, slots=True)
class _Row:
    line: int
    start_s: int
    home: str
    load: int | None
    pv: int | None
    prices: tuple[int, int]


def parse_households(lines: Iterable[str], file: str) -> Recording:
    """The recording in a CSV; `file` names it in messages. Raises HouseholdFileError for the first thing
    wrong.
    """
    series: dict[str, _Series] = {}
    prices: dict[int, tuple[int, int]] = {}
    interval_s = 0
    for row in _rows(lines, file):
        known = series.setdefault(row.home, _Series(first_line=row.line))
        interval_s = _check_step(known, row, interval_s, file)
        known.starts.append(row.start_s)
        known.load.append(row.load)
        known.pv.append(row.pv)
        known.last_line = row.line
        if prices.setdefault(row.start_s, row.prices) != row.prices:
            raise HouseholdFileError(
                file, row.line, "import_price", "differs from another home's price for the same interval"
            )
    return _recording(series, prices, interval_s, file)


def _recording(
    series: dict[str, _Series], prices: dict[int, tuple[int, int]], interval_s: int, file: str
) -> Recording:
    if not series:
        raise HouseholdFileError(file, 1, "start", "the file has no rows")
    if interval_s == 0:
        raise HouseholdFileError(file, 2, "start", "at least two intervals are needed to know the step")
    starts = sorted(prices)
    if starts[0] % interval_s:
        line = min(home.first_line for home in series.values())
        raise HouseholdFileError(
            file, line, "start", f"intervals must start on a multiple of {interval_s} s (UTC)"
        )
    for name, home in series.items():
        if home.starts[0] != starts[0]:
            reason = f"home {name!r} starts at {_utc(home.starts[0])}, others at {_utc(starts[0])}"
            raise HouseholdFileError(file, home.first_line, "start", reason)
        if home.starts[-1] != starts[-1]:
            reason = f"home {name!r} ends at {_utc(home.starts[-1])}, others at {_utc(starts[-1])}"
            raise HouseholdFileError(file, home.last_line, "start", reason)
    return Recording(
        source=file,
        season="recorded",
        interval_s=interval_s,
        first_start_ns=starts[0] * NS_PER_S,
        records=tuple(
            Record(name, tuple(home.load), tuple(home.pv)) for name, home in sorted(series.items())
        ),
        prices=Prices(
            currency="unit",
            import_price=tuple(prices[start][0] for start in starts),
            export_price=tuple(prices[start][1] for start in starts),
        ),
    )


def _check_step(known: _Series, row: _Row, interval_s: int, file: str) -> int:
    """The file's step once it is known; raises when this row does not follow its home's last one by it."""
    if not known.starts:
        return interval_s
    step = row.start_s - known.starts[-1]
    if step == 0:
        raise HouseholdFileError(
            file,
            row.line,
            "start",
            f"duplicate: home {row.home!r} has {_utc(row.start_s)} in line {known.last_line}",
        )
    if step < 0:
        raise HouseholdFileError(
            file,
            row.line,
            "start",
            f"goes back in time from {_utc(known.starts[-1])} (line {known.last_line})",
        )
    if interval_s == 0:
        if SECONDS_PER_DAY % step:
            raise HouseholdFileError(file, row.line, "start", f"the step of {step} s does not divide a day")
        return step
    if step != interval_s:
        kind = "gap" if step > interval_s else "shorter step"
        raise HouseholdFileError(
            file,
            row.line,
            "start",
            f"{kind} of {step} s after {_utc(known.starts[-1])} where the step is {interval_s} s",
        )
    return interval_s


def _rows(lines: Iterable[str], file: str) -> Iterator[_Row]:
    reader = csv.reader(lines)
    header = [name.strip() for name in next(reader, [])]
    _check_header(header, file)
    while True:
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as broken:
            raise HouseholdFileError(file, reader.line_num, "start", f"not CSV: {broken}") from broken
        if not any(cell.strip() for cell in cells):
            continue
        line = reader.line_num
        if len(cells) != len(header):
            reason = f"{len(cells)} cells where the header has {len(header)}"
            raise HouseholdFileError(file, line, header[min(len(cells), len(header) - 1)], reason)
        yield _row(dict(zip(header, (cell.strip() for cell in cells), strict=True)), file, line)


def _check_header(header: list[str], file: str) -> None:
    for name in REQUIRED:
        if name not in header:
            raise HouseholdFileError(file, 1, name, f"missing; the columns are {', '.join(COLUMNS)}")
    for name in header:
        if name not in COLUMNS:
            raise HouseholdFileError(file, 1, name, f"unknown; the columns are {', '.join(COLUMNS)}")
        if header.count(name) > 1:
            raise HouseholdFileError(file, 1, name, "twice in the header")
    for one, other in (("import_price", "export_price"), ("export_price", "import_price")):
        if one in header and other not in header:
            raise HouseholdFileError(file, 1, other, f"missing; give both prices or none ({one} is there)")


def _row(cells: dict[str, str], file: str, line: int) -> _Row:
    if not cells["home"]:
        raise HouseholdFileError(file, line, "home", "empty")
    prices = (
        _price(cells, "import_price", DEFAULT_IMPORT_PRICE, file, line),
        _price(cells, "export_price", DEFAULT_EXPORT_PRICE, file, line),
    )
    if prices[1] > prices[0]:
        raise HouseholdFileError(
            file, line, "export_price", "above the import price: buying would earn money"
        )
    return _Row(
        line=line,
        start_s=_start(cells["start"], file, line),
        home=cells["home"],
        load=_energy(cells, "load_kwh", file, line),
        pv=_energy(cells, "pv_kwh", file, line) if "pv_kwh" in cells else 0,
        prices=prices,
    )


def _start(text: str, file: str, line: int) -> int:
    try:
        start = datetime.fromisoformat(text)
    except ValueError as broken:
        reason = f"{text!r} is not an ISO 8601 time such as 2026-06-01T00:00:00+02:00"
        raise HouseholdFileError(file, line, "start", reason) from broken
    if start.tzinfo is None:
        reason = f"{text!r} has no UTC offset: add Z or +hh:mm (a local time is ambiguous when clocks change)"
        raise HouseholdFileError(file, line, "start", reason)
    if start.microsecond:
        raise HouseholdFileError(file, line, "start", f"{text!r} is not a whole second")
    return int(start.timestamp())


def _energy(cells: dict[str, str], column: str, file: str, line: int) -> int | None:
    text = cells[column]
    if not text:
        return None
    kwh = _number(text, column, file, line)
    if kwh < 0:
        raise HouseholdFileError(
            file, line, column, f"{text} is negative; load and solar are both zero or more"
        )
    if kwh > MAX_KWH:
        raise HouseholdFileError(
            file, line, column, f"{text} kWh in one interval is more than {MAX_KWH}: wrong unit?"
        )
    return energy_from_kwh(kwh)


def _price(cells: dict[str, str], column: str, default: int, file: str, line: int) -> int:
    if column not in cells:
        return default
    price = _number(cells[column], column, file, line)
    if price < 0:
        raise HouseholdFileError(file, line, column, f"{cells[column]} is negative; a tariff is zero or more")
    return price_from_units(price)


def _number(text: str, column: str, file: str, line: int) -> Fraction:
    if not _NUMBER.match(text):
        raise HouseholdFileError(file, line, column, f"{text!r} is not a plain decimal number such as 0.412")
    return Fraction(text)


def _utc(start_s: int) -> str:
    minutes, second = divmod(start_s, 60)
    hours, minute = divmod(minutes, 60)
    days, hour = divmod(hours, 24)
    day = datetime.fromordinal(days + 719_163)
    return f"{day.date().isoformat()}T{hour:02}:{minute:02}:{second:02}Z"
