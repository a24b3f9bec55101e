"""Programs and events as a VTN gives them, checked: field by field as the schemas of OpenADR 3.0.1 and 3.1.0 say.

Times are unix ns of the clock that the VTN and the cell share (cell time). Fields that nobody here needs are not read.
"""

from dataclasses import dataclass
from typing import Final

from devices.openadr.values import (
    FOREVER_NS,
    OpenAdrError,
    Table,
    duration_ns,
    integer,
    items,
    object_id,
    shown,
    some_text,
    table,
    text,
    time_ns,
)

LOWEST_PRIORITY: Final = 2**31
"""Of an event that states none: every stated one goes before it."""
MOST_DESCRIPTORS: Final = 32
MOST_PAYLOADS: Final = 16
MOST_TARGETS: Final = 64


@dataclass(frozen=True, slots=True)
class Descriptor:
    """In which units and currency the values of a payload type are; None where that is not said."""

    payload_type: str
    units: str | None
    currency: str | None


@dataclass(frozen=True, slots=True)
class Payload:
    """One type with its values, as they came."""

    type: str
    values: tuple[object, ...]


@dataclass(frozen=True, slots=True)
class Span:
    """One interval of an event: from `start_ns` until just before `end_ns`."""

    id: int
    start_ns: int
    end_ns: int
    payloads: tuple[Payload, ...]


@dataclass(frozen=True, slots=True)
class ReportWanted:
    """One report that an event asks for; counts are of the event's intervals, -1 as the schema says."""

    payload_type: str
    reading_type: str | None
    units: str | None
    start_interval: int
    num_intervals: int
    historical: bool
    frequency: int
    repeat: int


@dataclass(frozen=True, slots=True)
class Target:
    """Whom an event is for: a kind such as VEN_NAME with values (3.0), or one word of the VTN's own (3.1)."""

    kind: str | None
    values: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Program:
    """A program: its id and name, the units its events use, and their default period."""

    id: str
    name: str
    descriptors: tuple[Descriptor, ...]
    period: "Period | None"


@dataclass(frozen=True, slots=True)
class Period:
    """A start, a duration (0: none said) and the span over which the start may be spread; all ns."""

    start_ns: int
    duration_ns: int
    randomize_ns: int


@dataclass(frozen=True, slots=True)
class Event:
    """An event with its intervals placed in time, in their order; of two priorities the lower number goes first."""

    id: str
    program: str
    name: str
    priority: int
    created_ns: int
    randomize_ns: int
    spans: tuple[Span, ...]
    descriptors: tuple[Descriptor, ...]
    targets: tuple[Target, ...]
    reports: tuple[ReportWanted, ...]

    @property
    def start_ns(self) -> int:
        """When the first of its intervals begins."""
        return min(span.start_ns for span in self.spans)

    @property
    def end_ns(self) -> int:
        """When the last of its intervals is over."""
        return max(span.end_ns for span in self.spans)

    def descriptor(self, payload_type: str, program: Program | None) -> Descriptor | None:
        """In which units a type is given: by the event, or else by its program."""
        known = (*self.descriptors, *(() if program is None else program.descriptors))
        return next((each for each in known if each.payload_type == payload_type), None)


def read_program(value: object) -> Program:
    """A program. Raises `OpenAdrError`."""
    found = table(value, "a program")
    identity = object_id(found.get("id"), "a program's id")
    place = f"program {identity}"
    return Program(
        id=identity,
        name=text(found.get("programName"), f"{place}: programName"),
        descriptors=_descriptors(found, place),
        period=_period(found.get("intervalPeriod"), f"{place}: intervalPeriod"),
    )


def event_id(value: object) -> str:
    """The id of what is to be an event. Raises `OpenAdrError`."""
    return object_id(table(value, "an event").get("id"), "an event's id")


def read_event(value: object, program: Program | None) -> Event:
    """An event of a program. Raises `OpenAdrError`."""
    found, identity = table(value, "an event"), event_id(value)
    place = f"event {identity}"
    priority, created = found.get("priority"), found.get("createdDateTime")
    inherited = None if program is None else program.period
    period = _period(found.get("intervalPeriod"), f"{place}: intervalPeriod") or inherited
    spans = _spans(found.get("intervals"), period, place)
    if found.get("duration") is not None:
        spans = _repeated(spans, duration_ns(found["duration"], f"{place}: duration"), place)
    return Event(
        id=identity,
        program=object_id(found.get("programID"), f"{place}: programID"),
        name=some_text(found.get("eventName"), f"{place}: eventName") or identity,
        priority=LOWEST_PRIORITY if priority is None else integer(priority, f"{place}: priority", 0),
        created_ns=0 if created is None else time_ns(created, f"{place}: createdDateTime"),
        randomize_ns=0 if period is None else period.randomize_ns,
        spans=spans,
        descriptors=_descriptors(found, place),
        targets=tuple(_target(each, place) for each in items(found.get("targets"), place, MOST_TARGETS)),
        reports=tuple(
            _wanted(each, f"{place}: reportDescriptors")
            for each in items(found.get("reportDescriptors"), place, MOST_DESCRIPTORS)
        ),
    )


def _spans(value: object, period: Period | None, place: str) -> tuple[Span, ...]:
    """Intervals follow each other where they do not say when they begin (User Guide, "Interval timing").

    A duration of 0 is none: it lasts until the next interval begins, the last one without an end.
    """
    found = [table(each, f"{place}: an interval") for each in items(value, f"{place}: intervals")]
    if not found:
        raise OpenAdrError(f"{place} has no intervals")
    own = [_period(each.get("intervalPeriod"), f"{place}: an interval's intervalPeriod") for each in found]
    spans, follows_ns = [], None if period is None else period.start_ns
    for index, (each, when) in enumerate(zip(found, own, strict=True)):
        start_ns = follows_ns if when is None else when.start_ns
        if start_ns is None:
            raise OpenAdrError(f"{place} does not say when it begins: an intervalPeriod is missing")
        lasts_ns = (when.duration_ns if when is not None else 0) or (
            0 if period is None else period.duration_ns
        )
        following = own[index + 1] if index + 1 < len(own) else None
        if lasts_ns:
            end_ns = min(start_ns + lasts_ns, FOREVER_NS)
        elif following is not None:
            end_ns = following.start_ns
        elif index + 1 < len(own):
            raise OpenAdrError(f"{place} does not say how long its intervals last: a duration is missing")
        else:
            end_ns = FOREVER_NS
        if end_ns <= start_ns:
            raise OpenAdrError(f"{place}: an interval ends before it begins")
        spans.append(Span(_span_id(each, place), start_ns, end_ns, _payloads(each, place)))
        follows_ns = end_ns
    return tuple(spans)


def _repeated(spans: tuple[Span, ...], lasts_ns: int, place: str) -> tuple[Span, ...]:
    """The event's own duration (3.1) ends it: intervals beyond are cut."""
    end_ns = min(min(span.start_ns for span in spans) + lasts_ns, FOREVER_NS)
    kept = tuple(
        Span(span.id, span.start_ns, min(span.end_ns, end_ns), span.payloads)
        for span in spans
        if span.start_ns < end_ns
    )
    if not kept:
        raise OpenAdrError(f"{place}: its duration leaves nothing of it")
    return kept


def _span_id(found: Table, place: str) -> int:
    return integer(found.get("id"), f"{place}: an interval's id")


def _payloads(found: Table, place: str) -> tuple[Payload, ...]:
    payloads = []
    for each in items(found.get("payloads"), f"{place}: payloads", MOST_PAYLOADS):
        inner = table(each, f"{place}: a payload")
        kind = text(inner.get("type"), f"{place}: a payload's type")
        payloads.append(Payload(kind, tuple(items(inner.get("values"), f"{place}: values of {kind}"))))
    return tuple(payloads)


def _period(value: object, place: str) -> Period | None:
    if value is None:
        return None
    found = table(value, place)
    duration, spread = found.get("duration"), found.get("randomizeStart")
    return Period(
        start_ns=time_ns(found.get("start"), f"{place}: start"),
        duration_ns=0 if duration is None else duration_ns(duration, f"{place}: duration"),
        randomize_ns=0 if spread is None else duration_ns(spread, f"{place}: randomizeStart"),
    )


def _descriptors(found: Table, place: str) -> tuple[Descriptor, ...]:
    descriptors = []
    for each in items(found.get("payloadDescriptors"), f"{place}: payloadDescriptors", MOST_DESCRIPTORS):
        inner = table(each, f"{place}: a payloadDescriptor")
        kind = text(inner.get("payloadType"), f"{place}: payloadType")
        units = some_text(inner.get("units"), f"{place}: units of {kind}")
        descriptors.append(
            Descriptor(kind, units, some_text(inner.get("currency"), f"{place}: currency of {kind}"))
        )
    return tuple(descriptors)


def _target(value: object, place: str) -> Target:
    if isinstance(value, str):
        return Target(None, (text(value, f"{place}: a target"),))
    found = table(value, f"{place}: a target")
    values = items(found.get("values"), f"{place}: values of a target", MOST_TARGETS)
    return Target(text(found.get("type"), f"{place}: a target's type"), tuple(map(str, values)))


def _wanted(value: object, place: str) -> ReportWanted:
    found = table(value, place)

    def count(name: str, otherwise: int) -> int:
        said = found.get(name)
        return otherwise if said is None else integer(said, f"{place}: {name}", -1)

    historical = found.get("historical", True)
    if not isinstance(historical, bool | None):
        raise OpenAdrError(f"{place}: historical is neither true nor false; found {shown(historical)}")
    return ReportWanted(
        payload_type=text(found.get("payloadType"), f"{place}: payloadType"),
        reading_type=some_text(found.get("readingType"), f"{place}: readingType"),
        units=some_text(found.get("units"), f"{place}: units"),
        start_interval=count("startInterval", -1),
        num_intervals=count("numIntervals", -1),
        historical=historical is not False,
        frequency=count("frequency", -1),
        repeat=count("repeat", 1),
    )
