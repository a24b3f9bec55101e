"""Which alarms of the own devices the feed has said, and what it says next. Sans-IO.

An alarm is said once when it is raised and once when it clears, also over restarts of daemon and control. One that
flickers cannot fill the ledger: what goes beyond a few entries in an interval waits, and what has come and gone
meanwhile is never said.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from devices.messages.control_messages import Alarm, Severity
from ledger.encoding import Value
from ledger.records.entries import Entry
from market.administration.payloads import (
    AlarmNotice,
    AlarmState,
    Urgency,
    decode_alarm,
    device_key,
    encode_alarm,
)
from market.errors import MalformedPayload
from market.payloads import Kind, decode_record, encode_record
from node.alarms.alarm_codes import LOCAL, MOMENTARY, NUMBERS
from node.events import Effect, Now, Report, SignEntry

MOST_PER_INTERVAL: Final = 16
"""Alarm entries of one node in an interval: enough for all that goes wrong at once, too few to fill a block."""

Which = tuple[int, bytes | None]
"""An alarm's number and device key."""


@dataclass(slots=True)
class AlarmFeed:
    """The alarms of one member. `said` are those that the feed has raised and not cleared."""

    member: bytes
    said: set[Which] = field(default_factory=set)
    _standing: dict[Which, AlarmNotice] = field(default_factory=dict)
    _happened: list[AlarmNotice] = field(default_factory=list)
    _interval: int = -1
    _spent: int = 0
    _greeted: bool = False

    @staticmethod
    def after(member: bytes, recent: Iterable[Entry]) -> "AlarmFeed":
        """With what the own feed says already, as far as it is read again at a start."""
        feed = AlarmFeed(member)
        for entry in recent:
            if entry.kind == Kind.ALARM and (notice := read_notice(entry.payload)) is not None:
                feed._remember(notice)
        return feed

    def attached(self) -> None:
        """Control begins to say which alarms stand; what it does not say is gone."""
        self._standing.clear()
        self._greeted = False

    def measured(self) -> None:
        """An image comes after everything that control says first."""
        self._greeted = True

    def changed(self, alarm: Alarm) -> list[Effect]:
        """Control raised or cleared an alarm."""
        fields: dict[str, object] = {"code": alarm.code.value, "raised": alarm.raised, "text": alarm.text}
        if alarm.code in LOCAL:
            return [Report("alarm", fields)]
        notice = self._notice(alarm)
        if notice.state is AlarmState.HAPPENED:
            self._happened = [*self._happened, notice][-MOST_PER_INTERVAL:]
        elif notice.state is AlarmState.RAISED:
            self._standing[_which(notice)] = notice
        else:
            self._standing.pop(_which(notice), None)
        return [Report("alarm", fields)]

    def due(self, interval: int, now: Now) -> list[Effect]:
        """What is to be said now, of a node that may speak in this interval."""
        if interval != self._interval:
            self._interval, self._spent = interval, 0
        waiting = [*self._happened, *self._raised(), *self._cleared(now)]
        spoken = waiting[: max(0, MOST_PER_INTERVAL - self._spent)]
        self._spent += len(spoken)
        self._happened = [each for each in self._happened if each not in spoken]
        for notice in spoken:
            self._remember(notice)
        return [SignEntry(int(Kind.ALARM), interval, now.cell_ns, _payload(notice)) for notice in spoken]

    def _raised(self) -> list[AlarmNotice]:
        return [notice for which, notice in self._standing.items() if which not in self.said]

    def _cleared(self, now: Now) -> list[AlarmNotice]:
        if not self._greeted:
            return []
        gone = sorted(self.said - self._standing.keys(), key=lambda which: (which[0], which[1] or b""))
        return [
            AlarmNotice(code, AlarmState.CLEARED, Urgency.WARNING, max(0, now.cell_ns), device)
            for code, device in gone
        ]

    def _remember(self, notice: AlarmNotice) -> None:
        if notice.state is AlarmState.RAISED:
            self.said.add(_which(notice))
        elif notice.state is AlarmState.CLEARED:
            self.said.discard(_which(notice))

    def _notice(self, alarm: Alarm) -> AlarmNotice:
        state = AlarmState.RAISED if alarm.raised else AlarmState.CLEARED
        return AlarmNotice(
            code=NUMBERS[alarm.code],
            state=AlarmState.HAPPENED if alarm.code in MOMENTARY else state,
            urgency=Urgency.CRITICAL if alarm.severity is Severity.CRITICAL else Urgency.WARNING,
            cell_ns=max(0, alarm.cell_ns),
            device=None if alarm.device is None else device_key(self.member, alarm.device),
        )


def read_notice(payload: tuple[Value, ...]) -> AlarmNotice | None:
    """The alarm in the payload of an ALARM entry, None where it is none."""
    try:
        return decode_alarm(decode_record(payload))
    except MalformedPayload:
        return None


def _payload(notice: AlarmNotice) -> tuple[Value, ...]:
    return encode_record(encode_alarm(notice))


def _which(notice: AlarmNotice) -> Which:
    return notice.code, notice.device
