"""What a node does of the events it knows: limits, requests, expectations of prices and carbon, reports. Sans-IO.

The shell that speaks with the VTN gives it events, and asks it for reports. Cell time throughout; energies mWh.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

from devices.limits import PowerRange
from devices.messages.control_messages import MeterRecord
from devices.openadr.book import Client, EventBook
from devices.openadr.objects import Span
from devices.openadr.reporting import MOST_METERED, DueReport, Metered, due_reports, report_object
from devices.openadr.timeline import Matter, Timeline
from devices.openadr.values import Table
from market.cell_state import CellState
from market.intervals import Calendar
from market.outcomes import BlockOutcomes
from market.units import ENERGY_PER_KWH, PRICE_PER_UNIT
from node.demand.baseline import energy_of
from node.demand.calls import Calls
from node.demand.site_limits import SiteLimits
from node.events import Effect, Now

NO_TIMELINE = Timeline()
MOST_REPORTED = 1_024
"""Reports remembered as sent: more than a VTN shows events."""


@dataclass(slots=True)
class Demand:
    """One node's demand response. `calls` is None for a node that acts for its own site; `acts` is false where the
    owner has opted out: then events are known and reported on, and nothing is done of them.
    """

    book: EventBook
    limits: SiteLimits
    calls: Calls | None = None
    acts: bool = True
    with_program: bool = True
    reported: dict[str, None] = field(default_factory=dict)
    _metered: dict[int, Metered] = field(default_factory=dict)

    @property
    def listens(self) -> bool:
        """Whether there is a VTN."""
        return self.book.client is not NOBODY

    @property
    def timeline(self) -> Timeline:
        """What is acted on."""
        return self.book.timeline if self.acts else NO_TIMELINE

    def due(
        self, state: CellState, part: tuple[PowerRange, int] | None, *, active: bool, now: Now
    ) -> list[Effect]:
        """What a look each second brings; `part` is a new part of a branch limit with the cell time of its end."""
        called = self.calls.due(state, self.timeline, now) if self.calls is not None and active else []
        return [*self.limits.due(part, self.timeline, now), *called]

    def metered(self, record: MeterRecord, calendar: Calendar) -> None:
        """The own meter's record of an interval; what a dso reports is its cell's."""
        if self.calls is None and record.complete:
            start_ns, end_ns = calendar.start_ns(record.interval), calendar.end_ns(record.interval)
            baseline, drawn = self.limits.baseline, record.consumption - record.contribution
            baseline.count(start_ns, end_ns, drawn)
            before_w = baseline.before_less(self.timeline, start_ns)
            change = None if before_w is None else drawn - energy_of(before_w, start_ns, end_ns)
            self._count(record.interval, calendar, record.consumption, change)

    def decided(self, outcomes: BlockOutcomes, calendar: Calendar) -> None:
        """A block settled intervals: what a dso reports of its cell is what all members consumed, and what its
        service changed of it.
        """
        if self.calls is None:
            return
        for each in outcomes.settlements:
            activated = sum(
                line.activated
                for line in outcomes.services
                if line.name == self.calls.rule.service and line.interval == each.interval
            )
            usage = sum(line.consumption for line in each.lines)
            if not each.correction:
                self._count(each.interval, calendar, usage, -activated)

    def prices(self, interval: int, calendar: Calendar, tariff: tuple[int, int]) -> tuple[int, int]:
        """Import and export price (µ/kWh) to expect in an interval, where the cell's tariff says `tariff`."""
        start_ns, end_ns = calendar.start_ns(interval), calendar.end_ns(interval)
        told = (
            self.timeline.mean(matter, start_ns, end_ns)
            for matter in (Matter.IMPORT_PRICE, Matter.EXPORT_PRICE)
        )
        drawn, given = (
            known if price is None else round(price * PRICE_PER_UNIT)
            for price, known in zip(told, tariff, strict=True)
        )
        return drawn, min(drawn, given)

    def carbon(self, interval: int, calendar: Calendar, otherwise: float) -> float:
        """The grid's carbon intensity to expect in an interval, g/kWh."""
        told = self.timeline.mean(Matter.CARBON, calendar.start_ns(interval), calendar.end_ns(interval))
        return otherwise if told is None else told

    def reports(self, now: Now) -> list[tuple[DueReport, Table]]:
        """The reports that can be made now and were not sent."""
        client, found = self.book.client, []
        for known in self.book.events.values():
            for due in due_reports(known.event, self.book.delay_ns(known.event), now.cell_ns):
                if due.key in self.reported:
                    continue
                made = report_object(
                    due,
                    self._metered,
                    self._state,
                    ven=client.ven,
                    resource=client.resource,
                    with_program=self.with_program,
                )
                if made is not None:
                    found.append((due, made))
        return found

    def was_reported(self, keys: Iterable[str]) -> None:
        """These reports are with the VTN."""
        self.reported |= dict.fromkeys(keys)
        while len(self.reported) > MOST_REPORTED:
            del self.reported[next(iter(self.reported))]

    def _count(self, interval: int, calendar: Calendar, usage: int, change: float | None) -> None:
        self._metered[interval] = Metered(
            calendar.start_ns(interval),
            calendar.end_ns(interval),
            usage / ENERGY_PER_KWH,
            None if change is None else change / ENERGY_PER_KWH,
        )
        while len(self._metered) > MOST_METERED:
            del self._metered[next(iter(self._metered))]

    def _state(self, span: Span) -> tuple[int, str]:
        """Level and operating state (OpenADR 3, operating state enumerations) at the beginning of an interval."""
        known = self.book.timeline
        level, change = known.at(Matter.LEVEL, span.start_ns), known.at(Matter.CHANGE, span.start_ns)
        limited = any(
            known.at(matter, span.start_ns) is not None
            for matter in (Matter.IMPORT_LIMIT, Matter.EXPORT_LIMIT)
        )
        number = 0 if level is None else int(level.value)
        less = limited or number > 0 or (change is not None and change.value < 0)
        if not self.acts:
            return 0, "RUNNING_OPTED_OUT"
        if less:
            return number, "RUNNING_CURTAILED"
        more = self.calls is not None and change is not None and change.value > 0  # to more no site is made
        return number, "RUNNING_HEIGHTENED" if more else "NORMAL"


NOBODY = Client("", "")


def no_demand() -> Demand:
    """Of a node that listens to no VTN."""
    return Demand(EventBook(NOBODY), SiteLimits(None))
