"""Reports to a VTN: which are due, and what is in them, from energies that were metered.

Energies are kWh, consumption positive. A value is reported only where the whole interval was metered; meters count in
intervals of their own, so that an event's interval that does not begin and end with one of those is estimated by
time, and says so (DATA_QUALITY).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Final

from devices.openadr.objects import Event, ReportWanted, Span
from devices.openadr.values import FOREVER_NS, Table, duration_text, time_text

MOST_METERED: Final = 3_000
"""Metered intervals that are kept for reports: a month of quarter hours."""


class Reported(Enum):
    """The payload types that are reported."""

    USAGE = "USAGE"
    DEMAND = "DEMAND"
    DELTA_USAGE = "DELTA_USAGE"
    SIMPLE_LEVEL = "SIMPLE_LEVEL"
    OPERATING_STATE = "OPERATING_STATE"


UNITS: Final = {Reported.USAGE: "KWH", Reported.DELTA_USAGE: "KWH", Reported.DEMAND: "KW"}


@dataclass(frozen=True, slots=True)
class Metered:
    """What was counted in one interval of the meter: consumption and what a service changed of it, kWh.

    `change_kwh` is None where nothing measures it, negative where less was consumed.
    """

    start_ns: int
    end_ns: int
    usage_kwh: float
    change_kwh: float | None = None


@dataclass(frozen=True, slots=True)
class DueReport:
    """Some intervals of an event whose report is due; `key` names it for ever."""

    event: Event
    wanted: ReportWanted
    spans: tuple[Span, ...]

    @property
    def key(self) -> str:
        """The event, what is reported, and the last interval in it."""
        return f"{self.event.id}/{self.wanted.payload_type}/{self.spans[-1].start_ns}"


def due_reports(event: Event, offset_ns: int, now_ns: int) -> list[DueReport]:
    """The reports that an event has asked for up to now, oldest first; `offset_ns` is by how much it was delayed.

    Forecasts (not historical), and intervals without an end, are not reported.
    """
    spans = tuple(
        Span(each.id, each.start_ns + offset_ns, each.end_ns + offset_ns, each.payloads)
        for each in event.spans
        if each.end_ns < FOREVER_NS
    )
    due = []
    for wanted in event.reports:
        if not wanted.historical or wanted.payload_type not in Reported.__members__:
            continue
        due += [
            DueReport(event, wanted, group)
            for group in _groups(spans, wanted)
            if group and group[-1].end_ns <= now_ns
        ]
    return due


def _groups(spans: tuple[Span, ...], wanted: ReportWanted) -> list[tuple[Span, ...]]:
    """Which intervals go into which report.

    `frequency` intervals lie between reports and each holds the last `num_intervals`; the defaults make one of all.
    """
    count = len(spans)
    most = count if wanted.num_intervals < 0 else wanted.num_intervals
    step = (most if wanted.frequency < 0 else wanted.frequency) or count
    first = count if wanted.start_interval < 0 and wanted.frequency < 0 else step
    if wanted.start_interval >= 0:
        first = wanted.start_interval + 1
    ends = list(range(first, count + 1, max(1, step)))
    if wanted.repeat >= 0:
        ends = ends[: max(1, wanted.repeat)]
    return [spans[max(0, end - most) : end] for end in ends]


def report_object(
    due: DueReport,
    metered: Mapping[int, Metered],
    state: Callable[[Span], tuple[int, str]],
    *,
    ven: str,
    resource: str,
    with_program: bool,
) -> Table | None:
    """The report as the schema has it; None while an interval of it may still be metered.

    `metered` are intervals by their start, `state` gives the simple level and the operating state of an interval,
    and `with_program` names the program in it, as 3.0 has it.
    """
    kind = Reported(due.wanted.payload_type)
    intervals: list[Table] = []
    for number, span in enumerate(due.spans):
        payloads = _payloads(kind, span, metered, state)
        if payloads is None:
            return None
        period = {"start": time_text(span.start_ns), "duration": duration_text(span.end_ns - span.start_ns)}
        intervals.append({"id": number, "intervalPeriod": period, "payloads": payloads})
    descriptor: Table = {"payloadType": kind.value}
    if kind in UNITS:
        descriptor |= {
            "units": UNITS[kind],
            "readingType": "MEAN" if kind is Reported.DEMAND else "DIRECT_READ",
        }
    return {
        **({"programID": due.event.program} if with_program else {}),
        "eventID": due.event.id,
        "clientName": ven,
        "reportName": f"{kind.value.lower()} {time_text(due.spans[-1].start_ns)} {due.event.id}"[:128],
        "payloadDescriptors": [descriptor],
        "resources": [{"resourceName": resource, "intervals": intervals}],
    }


def _payloads(
    kind: Reported, span: Span, metered: Mapping[int, Metered], state: Callable[[Span], tuple[int, str]]
) -> list[Table] | None:
    level, operating = state(span)
    if kind is Reported.SIMPLE_LEVEL:
        return [{"type": kind.value, "values": [level]}]
    if kind is Reported.OPERATING_STATE:
        return [{"type": kind.value, "values": [operating]}]
    parts = _parts(span, metered)
    if parts is None:
        over = any(each.start_ns >= span.end_ns for each in metered.values())
        return [{"type": "DATA_QUALITY", "values": ["MISSING"]}] if over else None
    exact = all(share == 1.0 for _, share in parts)
    changes = [each.change_kwh for each, _ in parts]
    if kind is Reported.DELTA_USAGE and any(change is None for change in changes):
        return [{"type": "DATA_QUALITY", "values": ["MISSING"]}]
    if kind is Reported.DELTA_USAGE:
        value = sum((each.change_kwh or 0.0) * share for each, share in parts)
    else:
        value = sum(each.usage_kwh * share for each, share in parts)
    if kind is Reported.DEMAND:
        value *= 3_600e9 / (span.end_ns - span.start_ns)
    quality = "OK" if exact else "ESTIMATED"
    return [
        {"type": kind.value, "values": [round(value, 6)]},
        {"type": "DATA_QUALITY", "values": [quality]},
    ]


def _parts(span: Span, metered: Mapping[int, Metered]) -> list[tuple[Metered, float]] | None:
    """The metered intervals that make up a span, each with the share of it that lies inside; None where one lacks."""
    found = sorted(
        (each for each in metered.values() if each.start_ns < span.end_ns and each.end_ns > span.start_ns),
        key=lambda each: each.start_ns,
    )
    at_ns, parts = span.start_ns, []
    for each in found:
        if each.start_ns > at_ns:
            return None
        until_ns = min(span.end_ns, each.end_ns)
        parts.append((each, (until_ns - at_ns) / (each.end_ns - each.start_ns)))
        at_ns = until_ns
    return parts if at_ns >= span.end_ns else None
