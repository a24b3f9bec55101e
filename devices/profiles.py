"""Measured load and PV power as steps over cell time, and their exact energies.

A profile file is CSV with the columns `start_ns`, `load_w`, `pv_w`: from `start_ns` (unix, cell time) until
the next row's start the home's loads draw `load_w` and its PV could give `pv_w`, both at least 0. The last
row lasts as long as the one before it.

The energy of a step is rounded once to whole mWh, when it is read, and then spread evenly: the sum over any
cut of the step into parts is that energy exactly. Within a step energy is counted in picojoules, 3.6e12 to
the mWh.
"""

import csv
import math
from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import accumulate, pairwise

from devices.errors import ProfileError

PICOJOULES_PER_MWH = 3_600_000_000_000
"""1 mWh = 3.6 J; a picojoule is one milliwatt for one nanosecond, so power x time is a whole number of them.
"""

COLUMNS = ("start_ns", "load_w", "pv_w")
LARGEST_W = 1e9
"""A gigawatt: more behind one connection is a unit mistake in the file."""


@dataclass(frozen=True, slots=True)
class Series:
    """Energy in steps: step k lasts from `edges[k]` to `edges[k + 1]` and holds `energies[k]` mWh, at least
    0.
    """

    edges: tuple[int, ...]
    energies: tuple[int, ...]
    _before: tuple[int, ...]

    @classmethod
    def of(cls, edges: tuple[int, ...], energies: tuple[int, ...]) -> "Series":
        """A series from its edges (strictly rising, one more than the energies; ValueError if not) and
        energies.
        """
        rising = all(earlier < later for earlier, later in pairwise(edges))
        if len(edges) != len(energies) + 1 or not energies or not rising or min(energies) < 0:
            raise ValueError("a series needs rising edges and one energy, at least 0, between each two")
        return cls(edges, energies, tuple(accumulate(energies, initial=0)))

    def covers(self, cell_ns: int) -> bool:
        """Whether a step holds at `cell_ns`."""
        return self.edges[0] <= cell_ns < self.edges[-1]

    def power_w(self, cell_ns: int) -> float | None:
        """The power of the step at `cell_ns`, at least 0; None outside the series."""
        if not self.covers(cell_ns):
            return None
        step = bisect_right(self.edges, cell_ns) - 1
        duration_ns = self.edges[step + 1] - self.edges[step]
        return self.energies[step] * PICOJOULES_PER_MWH / duration_ns / 1000

    def energy_until(self, cell_ns: int) -> int:
        """Energy from the first edge until `cell_ns` in picojoules; never falls, and outside the series is
        flat.
        """
        if cell_ns <= self.edges[0]:
            return 0
        if cell_ns >= self.edges[-1]:
            return self._before[-1] * PICOJOULES_PER_MWH
        step = bisect_right(self.edges, cell_ns) - 1
        start_ns, end_ns = self.edges[step], self.edges[step + 1]
        part = self.energies[step] * PICOJOULES_PER_MWH * (cell_ns - start_ns) // (end_ns - start_ns)
        return self._before[step] * PICOJOULES_PER_MWH + part

    def energy_between(self, from_ns: int, to_ns: int) -> int:
        """Energy from one time to another in whole mWh, rounded down."""
        return (self.energy_until(to_ns) - self.energy_until(from_ns)) // PICOJOULES_PER_MWH

    def next_edge(self, cell_ns: int) -> int | None:
        """The first edge after `cell_ns`, or None."""
        index = bisect_right(self.edges, cell_ns)
        return self.edges[index] if index < len(self.edges) else None


@dataclass(frozen=True, slots=True)
class Profile:
    """The load and the PV of one home over the same steps."""

    load: Series
    pv: Series


def step_energy(power_w: float, duration_ns: int) -> int:
    """The energy in whole mWh that a step of constant power is taken to hold (nearest, ties to even)."""
    return round(power_w * 1000 * duration_ns / PICOJOULES_PER_MWH)


def read_profile(lines: Iterable[str], source: str) -> Profile:
    """Parse a profile file's lines. Raises ProfileError with `source`, line, column and reason."""
    reader = csv.reader(lines)
    header = next(reader, [])
    missing = [column for column in COLUMNS if column not in header]
    if missing:
        raise ProfileError(f"{source}: line 1: the columns {', '.join(missing)} are missing")
    at = {column: header.index(column) for column in COLUMNS}
    starts: list[int] = []
    loads: list[float] = []
    suns: list[float] = []
    for line, row in enumerate(reader, start=2):
        if len(row) != len(header):
            raise ProfileError(f"{source}: line {line}: {len(row)} columns, the header has {len(header)}")
        start_ns = _start(row[at["start_ns"]], source, line)
        if starts and start_ns <= starts[-1]:
            raise ProfileError(f"{source}: line {line}: start_ns: must be later than in the line before")
        starts.append(start_ns)
        loads.append(_watts(row[at["load_w"]], "load_w", source, line))
        suns.append(_watts(row[at["pv_w"]], "pv_w", source, line))
    if len(starts) < 2:
        raise ProfileError(f"{source}: at least two rows are needed to know how long a step lasts")
    edges = (*starts, 2 * starts[-1] - starts[-2])
    durations = [later - earlier for earlier, later in pairwise(edges)]
    return Profile(
        Series.of(edges, tuple(map(step_energy, loads, durations))),
        Series.of(edges, tuple(map(step_energy, suns, durations))),
    )


def _start(text: str, source: str, line: int) -> int:
    if not text.strip().isdecimal():
        raise ProfileError(f"{source}: line {line}: start_ns: {text!r} is no whole number of nanoseconds")
    return int(text)


def _watts(text: str, column: str, source: str, line: int) -> float:
    try:
        power_w = float(text)
    except ValueError:
        raise ProfileError(f"{source}: line {line}: {column}: {text!r} is no number") from None
    if not (math.isfinite(power_w) and 0 <= power_w <= LARGEST_W):
        raise ProfileError(f"{source}: line {line}: {column}: {text!r} is not from 0 to {LARGEST_W:g} W")
    return power_w
