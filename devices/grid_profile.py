"""Measured frequency and voltage as steps over cell time.

A grid profile is CSV with the columns `start_ns` (unix, cell time), `frequency_hz` and `voltage_pu` (per unit of
the nominal voltage): each row holds until the next row's start, the last as long as the one before it. A fourth
column, `breaker_closed`, is optional: 1, 0, or nothing while the breaker towards the public grid is not known.
"""

import csv
import math
from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise

from devices.errors import ProfileError

COLUMNS = ("start_ns", "frequency_hz", "voltage_pu")
BREAKER = "breaker_closed"
LARGEST = {"frequency_hz": 1_000.0, "voltage_pu": 10.0}
"""Beyond these a file has a unit mistake; what a curve takes as plausible is the curve's business."""


@dataclass(frozen=True, slots=True)
class GridProfile:
    """Frequency and voltage in steps: step k lasts from `edges[k]` to `edges[k + 1]` (strictly rising)."""

    edges: tuple[int, ...]
    frequencies_hz: tuple[float, ...]
    voltages_pu: tuple[float, ...]
    breakers_closed: tuple[bool | None, ...]

    def at(self, cell_ns: int) -> tuple[float, float, bool | None] | None:
        """Frequency, voltage and breaker at `cell_ns`; None outside the profile."""
        if not self.edges[0] <= cell_ns < self.edges[-1]:
            return None
        step = bisect_right(self.edges, cell_ns) - 1
        return self.frequencies_hz[step], self.voltages_pu[step], self.breakers_closed[step]


def read_grid_profile(lines: Iterable[str], source: str) -> GridProfile:
    """Parse a grid profile's lines. Raises ProfileError with `source`, line, column and reason."""
    reader = csv.DictReader(lines)
    missing = [column for column in COLUMNS if column not in (reader.fieldnames or ())]
    if missing:
        raise ProfileError(f"{source}: line 1: the columns {', '.join(missing)} are missing")
    starts: list[int] = []
    values: dict[str, list[float]] = {column: [] for column in COLUMNS[1:]}
    breakers: list[bool | None] = []
    for line, row in enumerate(reader, start=2):
        text = row["start_ns"] or ""
        if not text.strip().isdecimal():
            raise ProfileError(f"{source}: line {line}: start_ns: {text!r} is no whole number of nanoseconds")
        starts.append(int(text))
        breakers.append(_breaker(row.get(BREAKER), source, line))
        for column, column_values in values.items():
            column_values.append(_number(row[column], column, source, line))
    if len(starts) < 2:
        raise ProfileError(f"{source}: at least two rows are needed to know how long a step lasts")
    for line, (earlier, later) in enumerate(pairwise(starts), start=3):
        if later <= earlier:
            raise ProfileError(f"{source}: line {line}: start_ns: must be later than in the line before")
    edges = (*starts, 2 * starts[-1] - starts[-2])
    return GridProfile(edges, tuple(values["frequency_hz"]), tuple(values["voltage_pu"]), tuple(breakers))


def _breaker(text: str | None, source: str, line: int) -> bool | None:
    known = {None: None, "": None, "0": False, "1": True}
    if text not in known:
        raise ProfileError(f"{source}: line {line}: {BREAKER}: {text!r} is neither 1 nor 0 nor empty")
    return known[text]


def _number(text: str | None, column: str, source: str, line: int) -> float:
    try:
        value = float(text or "")
    except ValueError:
        raise ProfileError(f"{source}: line {line}: {column}: {text!r} is no number") from None
    if not (math.isfinite(value) and 0 <= value <= LARGEST[column]):
        raise ProfileError(f"{source}: line {line}: {column}: {text!r} is not from 0 to {LARGEST[column]:g}")
    return value
