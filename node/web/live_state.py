"""What a daemon has told its web server so far: newest image, standing alarms, meter records, log, core."""

from collections import deque
from dataclasses import dataclass, field
from typing import Any

from devices.messages.control_messages import Alarm, AlarmCode, Attached, ImageReport, MeterRecord, Upward

EVENTS_KEPT = 2_000
RECORDS_KEPT = 400
ALARMS_KEPT = 500

MOMENTARY = frozenset({AlarmCode.LEASE_REFUSED, AlarmCode.RECORDS_DROPPED})
"""Alarms that tell of something that happened and does not last: nobody clears them."""

SILENT_EVENTS = frozenset({"alarm"})
"""Log lines that say what an alarm says better."""


@dataclass(slots=True)
class AlarmSeen:
    """One alarm from being raised to being cleared; `number` names it while the web server runs."""

    number: int
    alarm: Alarm
    cleared_ns: int | None = None
    acknowledged_by: str | None = None


@dataclass(frozen=True, slots=True)
class EventSeen:
    """One line of the daemon's log."""

    number: int
    cell_ns: int
    event: str
    fields: dict[str, Any]


@dataclass(slots=True)
class LiveState:
    """The state of one node as its daemon tells it. `connected` is whether a daemon is telling."""

    connected: bool = False
    attached: Attached | None = None
    image: ImageReport | None = None
    core: dict[str, Any] = field(default_factory=dict)
    records: dict[int, MeterRecord] = field(default_factory=dict)
    alarms: deque[AlarmSeen] = field(default_factory=lambda: deque(maxlen=ALARMS_KEPT))
    events: deque[EventSeen] = field(default_factory=lambda: deque(maxlen=EVENTS_KEPT))
    _numbers: int = 0

    def begin(self) -> None:
        """A daemon begins to tell, all that it remembers first: what came from before is told again."""
        self.connected, self.core, self.attached = True, {}, None
        self.events.clear()
        for seen in self.alarms:
            if seen.cleared_ns is None:
                seen.cleared_ns = seen.alarm.cell_ns
        self.image = None

    def end(self) -> None:
        """The daemon is gone: nothing that it told last is news any more."""
        self.connected = False

    def take(self, line: dict[str, Any]) -> AlarmSeen | EventSeen | Upward | None:
        """Take a line; returns what it told that is worth telling on, None for the state of the core."""
        match line:
            case {"kind": "upward", "message": Alarm() as alarm}:
                return self._alarm(alarm)
            case {"kind": "upward", "message": ImageReport() as image}:
                self.image = image
                return image
            case {"kind": "upward", "message": Attached() as attached}:
                self.attached = attached
                return attached
            case {"kind": "upward", "message": MeterRecord() as record}:
                self.records[record.interval] = record
                if len(self.records) > RECORDS_KEPT:
                    del self.records[min(self.records)]
                return record
            case {"kind": "report", "event": str(event), "cell_ns": int(cell_ns), "fields": dict(fields)}:
                if event in SILENT_EVENTS:
                    return None
                seen = EventSeen(self._next_number(), cell_ns, event, fields)
                self.events.append(seen)
                return seen
            case {"kind": "state"}:
                self.core = line
        return None

    def standing(self) -> list[AlarmSeen]:
        """The alarms that stand, newest first."""
        return [seen for seen in reversed(self.alarms) if seen.cleared_ns is None]

    def alarm(self, number: int) -> AlarmSeen | None:
        """The alarm of that number."""
        return next((seen for seen in self.alarms if seen.number == number), None)

    def _alarm(self, alarm: Alarm) -> AlarmSeen:
        known = next(
            (
                seen
                for seen in self.alarms
                if seen.cleared_ns is None
                and (seen.alarm.code, seen.alarm.device) == (alarm.code, alarm.device)
            ),
            None,
        )
        if not alarm.raised and known is not None:
            known.cleared_ns = alarm.cell_ns
            return known
        if known is not None and alarm.code not in MOMENTARY:
            known.alarm = alarm
            return known
        seen = AlarmSeen(self._next_number(), alarm)
        if alarm.code in MOMENTARY or not alarm.raised:
            seen.cleared_ns = alarm.cell_ns
        self.alarms.append(seen)
        return seen

    def _next_number(self) -> int:
        self._numbers += 1
        return self._numbers
