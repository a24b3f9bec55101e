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
from functools import lru_cache

from sim.homes.neighbourhood import (
    MWH_PER_KWH,
    NS_PER_S,
    SECONDS_PER_DAY,
    HouseholdError,
    Prices,
    Record,
    Recording,
    energy_from_kwh,
    price_from_units,
)

COLUMNS = ("start", "home", "load_kwh", "pv_kwh", "import_price", "export_price", "carbon_g_per_kwh")
SHARED = ("import_price", "export_price", "carbon_g_per_kwh")
"""The same for all homes in an interval."""
REQUIRED = ("start", "home", "load_kwh")
DEFAULT_IMPORT_PRICE = 300_000
DEFAULT_EXPORT_PRICE = 60_000
MAX_KWH = 100_000
"""Per home and interval; more is a wrong unit (Wh), not a household."""

MAX_KW = 1_000
"""Mean power of one home in an interval; more is Wh taken for kWh: whatever draws 1 kW would be 1,000 kW then."""
MOST_CARBON_G_PER_KWH = 3_000
"""Three times the dirtiest coal."""
MAX_MEAN_KW = 100
"""Mean power of one home over all its readings that are not zero; more is Wh taken for kWh, for a home with 0.1 kW."""
EARLIEST, LATEST = 1970, 2200
"""Years in which meters are read."""
LEAST_PEAK_KW = 0.02
"""Highest load of a home over a day or more, if it has any; less is MWh taken for kWh."""
MOST_TIMES_MEDIAN = 100
SUSPICIOUS_KW = 50
"""A reading that is both above this and so many times the home's median is of another unit than the rest."""
SECONDS_PER_HOUR = 3_600
CLOCK_CHANGE = "; a clock change? give each row the UTC offset that held at its time, or all of them in UTC"

REMEMBERED = 65_536
"""Numbers that were read already: prices and small readings come again and again."""

_NUMBER = re.compile(r"-?\d{1,12}(\.\d{1,40})?([eE][-+]?\d{1,2})?\Z")
"""As people and programs write numbers: 0.412, 0.41200000000000003, 5e-05."""


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
    lines: list[int] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Row:
    line: int
    start_s: int
    home: str
    load: int | None
    pv: int | None
    prices: tuple[int, int, int | None]
    """Import and export price, and the grid's carbon where the file has it: what all homes of an interval share."""


def parse_households(lines: Iterable[str], file: str) -> Recording:
    """The recording in a CSV; `file` names it in messages. Raises HouseholdFileError for the first thing
    wrong.
    """
    series: dict[str, _Series] = {}
    prices: dict[int, tuple[int, int, int | None]] = {}
    interval_s = 0
    for row in _rows(lines, file):
        known = series.setdefault(row.home, _Series())
        interval_s = _check_step(known, row, interval_s, file)
        known.starts.append(row.start_s)
        known.load.append(row.load)
        known.pv.append(row.pv)
        known.lines.append(row.line)
        for column, first, own in zip(
            SHARED, prices.setdefault(row.start_s, row.prices), row.prices, strict=True
        ):
            if first != own:
                raise HouseholdFileError(
                    file, row.line, column, "differs from another home's for the same interval"
                )
    return _recording(series, prices, interval_s, file)


def _recording(
    series: dict[str, _Series], prices: dict[int, tuple[int, int, int | None]], interval_s: int, file: str
) -> Recording:
    if not series:
        raise HouseholdFileError(file, 1, "start", "the file has no rows")
    if interval_s == 0:
        raise HouseholdFileError(file, 2, "start", "at least two intervals are needed to know the step")
    starts = sorted(prices)
    if starts[0] % interval_s:
        line = min(home.lines[0] for home in series.values())
        raise HouseholdFileError(
            file, line, "start", f"intervals must start on a multiple of {interval_s} s (UTC)"
        )
    for name, home in series.items():
        if home.starts[0] != starts[0]:
            reason = f"home {name!r} starts at {_utc(home.starts[0])}, others at {_utc(starts[0])}"
            raise HouseholdFileError(file, home.lines[0], "start", reason)
        if home.starts[-1] != starts[-1]:
            reason = f"home {name!r} ends at {_utc(home.starts[-1])}, others at {_utc(starts[-1])}"
            raise HouseholdFileError(file, home.lines[-1], "start", reason)
    _check_units(series, interval_s, file)
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
            carbon=_carbon([prices[start][2] for start in starts]),
        ),
    )


def _carbon(grams: list[int | None]) -> tuple[int, ...] | None:
    """By interval; None of a file without that column."""
    known = tuple(each for each in grams if each is not None)
    return known if len(known) == len(grams) else None


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
            f"duplicate: home {row.home!r} has {_utc(row.start_s)} in line {known.lines[-1]}"
            + _clock_hint(step, interval_s),
        )
    if step < 0:
        raise HouseholdFileError(
            file,
            row.line,
            "start",
            f"goes back in time from {_utc(known.starts[-1])} (line {known.lines[-1]})"
            + _clock_hint(step, interval_s),
        )
    if interval_s == 0:
        if SECONDS_PER_DAY % step:
            raise HouseholdFileError(
                file,
                row.line,
                "start",
                f"the step of {step} s does not divide a day; are each home's rows in the order of time?",
            )
        return step
    if step != interval_s:
        kind = "gap" if step > interval_s else "shorter step"
        raise HouseholdFileError(
            file,
            row.line,
            "start",
            f"{kind} of {step} s after {_utc(known.starts[-1])} where the step is {interval_s} s"
            + _clock_hint(step, interval_s)
            + ("; for a missing reading give the row with an empty cell" if step > interval_s else ""),
        )
    return interval_s


def _clock_hint(step: int, interval_s: int) -> str:
    """What to say of a step that is exactly an hour too long or too short."""
    return CLOCK_CHANGE if interval_s and abs(step - interval_s) == SECONDS_PER_HOUR else ""


def _check_units(series: dict[str, _Series], interval_s: int, file: str) -> None:
    """Raises for what is a thousand times too much or too little for kWh."""
    per_hour = SECONDS_PER_HOUR / interval_s
    for name, home in series.items():
        for column, readings in (("load_kwh", home.load), ("pv_kwh", home.pv)):
            known = sorted(reading for reading in readings if reading)
            if not known:
                continue
            line = home.lines[readings.index(known[-1])]
            peak_kw = known[-1] / MWH_PER_KWH * per_hour
            median_kw = known[len(known) // 2] / MWH_PER_KWH * per_hour
            if peak_kw > MAX_KW:
                reason = f"a mean of {peak_kw:,.0f} kW in {interval_s} s is more than {MAX_KW} kW: Wh instead of kWh?"
                raise HouseholdFileError(file, line, column, reason)
            if peak_kw > max(SUSPICIOUS_KW, MOST_TIMES_MEDIAN * median_kw):
                reason = (
                    f"a mean of {peak_kw:,.1f} kW where the home's median is {median_kw:.3g} kW: wrong unit (Wh instead"
                    " of kWh) in this row?"
                )
                raise HouseholdFileError(file, line, column, reason)
            mean_kw = sum(known) / len(known) / MWH_PER_KWH * per_hour
            if mean_kw > MAX_MEAN_KW:
                reason = f"home {name!r} has {mean_kw:,.0f} kW on average: Wh instead of kWh?"
                raise HouseholdFileError(file, line, column, reason)
            if (
                column == "load_kwh"
                and peak_kw < LEAST_PEAK_KW
                and len(readings) * interval_s >= SECONDS_PER_DAY
            ):
                reason = f"home {name!r} never draws more than {peak_kw * 1000:.2g} W: MWh instead of kWh?"
                raise HouseholdFileError(file, line, column, reason)


def _rows(lines: Iterable[str], file: str) -> Iterator[_Row]:
    header: list[str] = []
    for line, cells in _cells(lines, file):
        if not any(cell.strip() for cell in cells):
            continue
        if not header:
            header = [cell.strip() for cell in cells]
            _check_header(header, file)
            continue
        if len(cells) != len(header):
            reason = f"{len(cells)} cells where the header has {len(header)}"
            if len(cells) > len(header):
                reason += "; a decimal comma? write 0.412, and a name with a comma in quotes"
            raise HouseholdFileError(file, line, header[min(len(cells), len(header) - 1)], reason)
        yield _row(dict(zip(header, (cell.strip() for cell in cells), strict=True)), file, line)


def _cells(lines: Iterable[str], file: str) -> Iterator[tuple[int, list[str]]]:
    """The rows of a CSV with their line numbers; raises where one can't be read, and where there is none at all."""
    reader = csv.reader(lines)
    while True:
        try:
            cells = next(reader)
        except StopIteration:
            if not reader.line_num:
                columns = ", ".join(COLUMNS)
                raise HouseholdFileError(
                    file, 1, "start", f"the file is empty; the columns are {columns}"
                ) from None
            return
        except csv.Error as broken:
            raise HouseholdFileError(file, reader.line_num, "start", f"not CSV: {broken}") from broken
        yield reader.line_num, cells


def _check_header(header: list[str], file: str) -> None:
    for separator, name in ((";", "semicolons"), ("\t", "tabs"), ("|", "bars")):
        if any(separator in cell for cell in header):
            reason = (
                f"separated by {name}; separate the cells by commas and write decimals with a point (0.412)"
            )
            raise HouseholdFileError(file, 1, "start", reason)
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
        _grams(cells, file, line),
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
    if not EARLIEST <= start.year < LATEST:
        raise HouseholdFileError(file, line, "start", f"{text!r} is not from {EARLIEST} to {LATEST - 1}")
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
            file,
            line,
            column,
            f"{text} is negative; load and solar are both zero or more: give what a meter fed in as pv_kwh",
        )
    if kwh > MAX_KWH:
        raise HouseholdFileError(
            file, line, column, f"{text} kWh in one interval is more than {MAX_KWH}: wrong unit?"
        )
    return _energy_of(kwh)


def _price(cells: dict[str, str], column: str, default: int, file: str, line: int) -> int:
    if column not in cells:
        return default
    price = _number(cells[column], column, file, line)
    if price < 0:
        raise HouseholdFileError(file, line, column, f"{cells[column]} is negative; a tariff is zero or more")
    return price_from_units(price)


_energy_of = lru_cache(REMEMBERED)(energy_from_kwh)


def _grams(cells: dict[str, str], file: str, line: int) -> int | None:
    column = "carbon_g_per_kwh"
    if column not in cells:
        return None
    grams = _number(cells[column], column, file, line)
    if not 0 <= grams <= MOST_CARBON_G_PER_KWH:
        reason = f"{cells[column]} g/kWh; a grid has 0 to {MOST_CARBON_G_PER_KWH}: wrong unit?"
        raise HouseholdFileError(file, line, column, reason)
    return round(grams)


def _number(text: str, column: str, file: str, line: int) -> Fraction:
    number = _plain(text)
    if number is None:
        raise HouseholdFileError(file, line, column, f"{text!r} is not a plain decimal number such as 0.412")
    return number


@lru_cache(REMEMBERED)
def _plain(text: str) -> Fraction | None:
    """The number in a cell; None where it is not a plain one."""
    return Fraction(text) if _NUMBER.match(text) else None


def _utc(start_s: int) -> str:
    minutes, second = divmod(start_s, 60)
    hours, minute = divmod(minutes, 60)
    days, hour = divmod(hours, 24)
    day = datetime.fromordinal(days + 719_163)
    return f"{day.date().isoformat()}T{hour:02}:{minute:02}:{second:02}Z"
