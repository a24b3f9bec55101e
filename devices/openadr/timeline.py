"""What events mean: limits, a change of consumption, a level, prices and carbon, each over time.

Power is W as the event says it: consumption positive, at least 0 for limits. Prices are currency per kWh, carbon g/kWh.
Of several events about one matter the one with the lowest priority number holds, of equal ones the younger; of limits
the lowest holds whatever their priorities, because none of them permits what another one forbids.
"""

import hashlib
from bisect import bisect_right
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from heapq import heappop, heappush
from typing import Final

from devices.openadr.objects import Event, Payload, Program, Target
from devices.openadr.values import FOREVER_NS, OpenAdrError, integer, number

MOST_POWER_W: Final = 1e9
MOST_PRICE: Final = 1_000.0
"""currency per kWh; what is dearer is a mistake in the units."""
MOST_LEVEL: Final = 3


class Matter(Enum):
    """What an action is about."""

    IMPORT_LIMIT = "import limit"
    EXPORT_LIMIT = "export limit"
    CHANGE = "change of consumption"
    LEVEL = "level"
    IMPORT_PRICE = "price"
    EXPORT_PRICE = "export price"
    CARBON = "carbon"


LIMITS: Final = frozenset({Matter.IMPORT_LIMIT, Matter.EXPORT_LIMIT})

MATTERS: Final = {
    "IMPORT_CAPACITY_LIMIT": Matter.IMPORT_LIMIT,
    "EXPORT_CAPACITY_LIMIT": Matter.EXPORT_LIMIT,
    "DISPATCH_SETPOINT": Matter.IMPORT_LIMIT,
    "DISPATCH_SETPOINT_RELATIVE": Matter.CHANGE,
    "SIMPLE": Matter.LEVEL,
    "PRICE": Matter.IMPORT_PRICE,
    "EXPORT_PRICE": Matter.EXPORT_PRICE,
    "GHG": Matter.CARBON,
}
"""The payload types that are acted on. A setpoint of consumption is the most that is consumed."""

UNITS: Final = {"KW": 1_000.0, "W": 1.0}
"""W to one unit of power; KW is the enumeration's own."""


Rank = tuple[int, int, str, int, float]


@dataclass(frozen=True, slots=True)
class Action:
    """One value of one event, from `start_ns` until just before `end_ns`."""

    matter: Matter
    start_ns: int
    end_ns: int
    value: float
    priority: int
    created_ns: int
    event: str

    @property
    def rank(self) -> Rank:
        """What goes first, when sorted; of intervals of one event that overlap, the earlier."""
        return self.priority, -self.created_ns, self.event, self.start_ns, self.value


@dataclass(frozen=True, slots=True)
class Meaning:
    """The actions of one event, and the payload types that are not acted on."""

    actions: tuple[Action, ...]
    ignored: tuple[str, ...]


def meaning_of(event: Event, program: Program | None, ven: str, currency: str | None = None) -> Meaning:
    """What an event asks of the client named `ven`; with `currency` prices must be in it. Raises `OpenAdrError`."""
    offset_ns = spread_ns(event, ven)
    actions, ignored = [], dict[str, None]()
    for span in event.spans:
        for payload in span.payloads:
            matter = MATTERS.get(payload.type)
            if matter is None:
                ignored[payload.type] = None
                continue
            value = _value(event, program, payload, matter, currency)
            start_ns, end_ns = (min(at + offset_ns, FOREVER_NS) for at in (span.start_ns, span.end_ns))
            actions.append(
                Action(matter, start_ns, end_ns, value, event.priority, event.created_ns, event.id)
            )
    return Meaning(tuple(actions), tuple(ignored))


def concerns(targets: Iterable[Target], ven: str, resource: str) -> bool:
    """Whether an event with these targets is for this client.

    Names of clients and resources must be ours; of other kinds of targets only the VTN knows who is meant.
    """
    ours = {"VEN_NAME": ven, "RESOURCE_NAME": resource}
    named: dict[str, bool] = {}
    for target in targets:
        if target.kind in ours:
            named[target.kind] = named.get(target.kind, False) or ours[target.kind] in target.values
    return all(named.values())


def spread_ns(event: Event, ven: str) -> int:
    """By how much this client delays an event whose start is to be spread: always the same of the same event."""
    if event.randomize_ns <= 0:
        return 0
    digest = hashlib.sha256(f"{ven}\0{event.id}".encode()).digest()
    return int.from_bytes(digest[:8], "big") * event.randomize_ns >> 64


@dataclass(frozen=True, slots=True)
class Steps:
    """What holds of one matter: from `edges_ns[i]` until the next edge `holds[i]`, None where nothing does."""

    edges_ns: tuple[int, ...] = ()
    holds: tuple[Action | None, ...] = ()

    def at(self, now_ns: int) -> Action | None:
        """What holds at a moment."""
        place = bisect_right(self.edges_ns, now_ns) - 1
        return None if place < 0 else self.holds[place]

    def next_change(self, now_ns: int) -> int:
        """The next edge after a moment; `FOREVER_NS` after the last."""
        place = bisect_right(self.edges_ns, now_ns)
        return FOREVER_NS if place == len(self.edges_ns) else self.edges_ns[place]


@dataclass(frozen=True, slots=True)
class Timeline:
    """All that is known, matter by matter."""

    steps: Mapping[Matter, Steps] = field(default_factory=dict)

    @staticmethod
    def of(actions: Iterable[Action]) -> "Timeline":
        """The timeline of these actions."""
        by_matter: dict[Matter, list[Action]] = {}
        for each in actions:
            by_matter.setdefault(each.matter, []).append(each)
        return Timeline({matter: _steps(found) for matter, found in by_matter.items()})

    def at(self, matter: Matter, now_ns: int) -> Action | None:
        """The action that holds at a moment."""
        return self.steps.get(matter, NO_STEPS).at(now_ns)

    def next_change(self, now_ns: int, matters: Iterable[Matter] = tuple(Matter)) -> int:
        """The next moment at which something of these may change; `FOREVER_NS` if nothing does."""
        return min(
            (self.steps.get(matter, NO_STEPS).next_change(now_ns) for matter in matters), default=FOREVER_NS
        )

    def began(self, matter: Matter, now_ns: int) -> int | None:
        """Since when some action or other about this has held without a gap; None if none holds now."""
        steps = self.steps.get(matter, NO_STEPS)
        place = bisect_right(steps.edges_ns, now_ns) - 1
        if place < 0 or steps.holds[place] is None:
            return None
        while place > 0 and steps.holds[place - 1] is not None:
            place -= 1
        return steps.edges_ns[place]

    def ends(self, now_ns: int, matters: Iterable[Matter]) -> int:
        """The moment from `now_ns` on at which none of these holds any more; `now_ns` if none holds now."""
        wanted = tuple(matters)
        while now_ns < FOREVER_NS and any(self.at(matter, now_ns) is not None for matter in wanted):
            now_ns = self.next_change(now_ns, wanted)
        return now_ns

    def mean(self, matter: Matter, start_ns: int, end_ns: int) -> float | None:
        """The mean of a value over a span of time; None where a part of it is not covered."""
        total, at_ns = 0.0, start_ns
        while at_ns < end_ns:
            action = self.at(matter, at_ns)
            if action is None:
                return None
            until_ns = min(end_ns, self.next_change(at_ns, (matter,)))
            total += action.value * (until_ns - at_ns)
            at_ns = until_ns
        return total / (end_ns - start_ns)

    def lowest(self, matter: Matter, start_ns: int, end_ns: int) -> float | None:
        """The lowest value that holds of a matter within a span of time; None where none does."""
        found, at_ns = [], start_ns
        while at_ns < end_ns:
            action = self.at(matter, at_ns)
            if action is not None:
                found.append(action.value)
            at_ns = self.next_change(at_ns, (matter,))
        return min(found, default=None)


NO_STEPS: Final = Steps()


def _steps(actions: list[Action]) -> Steps:
    """Sweep over the edges with what is on in a heap; what is over leaves it when it comes to the top."""
    waiting = sorted(actions, key=lambda each: each.start_ns)
    on: list[tuple[tuple[float, Rank], int, int, Action]] = []
    edges, holds, begun = [], [], 0
    for at_ns in sorted({at for each in actions for at in (each.start_ns, each.end_ns)}):
        while begun < len(waiting) and waiting[begun].start_ns <= at_ns:
            each = waiting[begun]
            first = each.value if each.matter in LIMITS else 0.0
            heappush(on, ((first, each.rank), begun, each.end_ns, each))
            begun += 1
        while on and on[0][2] <= at_ns:
            heappop(on)
        edges.append(at_ns)
        holds.append(on[0][3] if on else None)
    return Steps(tuple(edges), tuple(holds))


def _value(
    event: Event, program: Program | None, payload: Payload, matter: Matter, currency: str | None
) -> float:
    place = f"event {event.id}: {payload.type}"
    if len(payload.values) != 1:
        raise OpenAdrError(f"{place} has {len(payload.values)} values; it must have one")
    (value,) = payload.values
    said = event.descriptor(payload.type, program)
    match matter:
        case Matter.LEVEL:
            return float(integer(value, place, 0, MOST_LEVEL))
        case Matter.CARBON:
            return number(value, place, 0.0, 10_000.0)
        case Matter.IMPORT_PRICE | Matter.EXPORT_PRICE:
            units = None if said is None else said.units
            if units not in (None, "KWH"):
                raise OpenAdrError(f"{place} is in {units}; only prices per KWH are taken")
            told = None if said is None else said.currency
            if currency is not None and told not in (None, currency):
                raise OpenAdrError(f"{place} is in {told}, and openadr.currency is {currency}")
            return number(value, place, -MOST_PRICE, MOST_PRICE)
        case _:
            units = None if said is None else said.units
            if units not in UNITS:
                raise OpenAdrError(
                    f"{place} is in {units or 'no units'}; power must be in KW: ask the VTN's operator for a"
                    " payloadDescriptor"
                )
            scaled = number(value, place) * UNITS[units]
            lowest_w = -MOST_POWER_W if matter is Matter.CHANGE else 0.0
            return number(scaled, place, lowest_w, MOST_POWER_W)
