"""Demand per circuit and socket: energy, mean and peak of each window, and the trace that recognition reads.

Power drawn is positive here, in W; energies in Wh; windows of cell time that begin at multiples of their length.
What was not measured is not guessed: a window says how much of it was covered.
"""

from collections import deque
from dataclasses import dataclass

from devices.image import DerKind, ProcessImage

NS_PER_S = 1_000_000_000
NS_PER_HOUR = 3600 * NS_PER_S
LONGEST_GAP_NS = 120 * NS_PER_S
"""A sample stands for the time until the next one, but not for longer: what came later is not known."""


@dataclass(frozen=True, slots=True)
class Sample:
    """Power drawn at a moment; None is unknown."""

    cell_ns: int
    drawn_w: float | None


@dataclass(frozen=True, slots=True)
class Demand:
    """One window of one circuit or socket: its start, energy, highest sample, and the part of it that is known."""

    name: str
    start_ns: int
    energy_wh: float
    peak_w: float
    known: float

    def mean_w(self, window_ns: int) -> float | None:
        """Mean power over the known part; None when nothing is known."""
        hours = window_ns / NS_PER_HOUR * self.known
        return self.energy_wh / hours if hours > 0 else None


class DemandMeter:
    """The demand of one circuit or socket."""

    def __init__(self, name: str, window_ns: int, most_samples: int) -> None:
        """Keeps the last `most_samples` samples as its trace."""
        self._name = name
        self._window_ns = window_ns
        self._trace: deque[Sample] = deque(maxlen=most_samples)
        self._start_ns: int | None = None
        self._energy_wh = 0.0
        self._peak_w = 0.0
        self._known_ns = 0

    @property
    def trace(self) -> tuple[Sample, ...]:
        """The latest samples, oldest first."""
        return tuple(self._trace)

    def add(self, sample: Sample) -> tuple[Demand, ...]:
        """Take a sample; the windows that it ends, oldest first. A sample that is not later is ignored."""
        last = self._trace[-1] if self._trace else None
        if last is not None and sample.cell_ns <= last.cell_ns:
            return ()
        ended: list[Demand] = []
        if last is None or self._start_ns is None:
            self._start_ns = sample.cell_ns - sample.cell_ns % self._window_ns
        else:
            ended = self._cover(last, sample.cell_ns)
        if sample.drawn_w is not None:
            self._peak_w = max(self._peak_w, sample.drawn_w)
        self._trace.append(sample)
        return tuple(ended)

    def _cover(self, last: Sample, until_ns: int) -> list[Demand]:
        """Count the last sample until the next, cut at the ends of windows."""
        assert self._start_ns is not None
        ended: list[Demand] = []
        from_ns = last.cell_ns
        valid_ns = min(until_ns, last.cell_ns + LONGEST_GAP_NS)
        while until_ns >= self._start_ns + self._window_ns:
            end_ns = self._start_ns + self._window_ns
            self._count(last.drawn_w, from_ns, min(end_ns, valid_ns))
            ended.append(
                Demand(
                    self._name,
                    self._start_ns,
                    self._energy_wh,
                    self._peak_w,
                    self._known_ns / self._window_ns,
                )
            )
            from_ns, self._start_ns = end_ns, end_ns
            self._energy_wh, self._known_ns = 0.0, 0
            self._peak_w = last.drawn_w if last.drawn_w is not None and end_ns < valid_ns else 0.0
            if until_ns - end_ns > self._window_ns and end_ns >= valid_ns:
                # Nothing is known of the windows between: they are left out, not reported as zero.
                self._start_ns = until_ns - until_ns % self._window_ns
        self._count(last.drawn_w, from_ns, valid_ns)
        return ended

    def _count(self, drawn_w: float | None, from_ns: int, until_ns: int) -> None:
        if drawn_w is not None and until_ns > from_ns:
            self._energy_wh += drawn_w * (until_ns - from_ns) / NS_PER_HOUR
            self._known_ns += until_ns - from_ns


def usual_day(demands: tuple[Demand, ...], window_ns: int) -> tuple[float, ...] | None:
    """Mean power of each of the 24 hours of the UTC day over all windows; None while an hour is not known."""
    energy_wh, hours = [0.0] * 24, [0.0] * 24
    for each in demands:
        hour = each.start_ns // NS_PER_HOUR % 24
        energy_wh[hour] += each.energy_wh
        hours[hour] += window_ns / NS_PER_HOUR * each.known
    if min(hours) <= 0:
        return None
    return tuple(energy / known for energy, known in zip(energy_wh, hours, strict=True))


def samples(image: ProcessImage, max_age_ns: int) -> dict[str, Sample]:
    """One sample of everything that draws, from a process image."""
    found = {}
    for device in image.devices:
        if device.kind in (DerKind.LOAD, DerKind.FLEXIBLE):
            power_w = device.power_w.usable(image.time.real_ns, max_age_ns)
            found[device.name] = Sample(image.time.cell_ns, None if power_w is None else max(0.0, -power_w))
    return found
