"""When a warning goes where: severity, quiet hours, repetition, and escalation until somebody acknowledges. No I/O.

Time is an argument: seconds of real time for all durations, and the local minute of the day for quiet hours.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import Enum
from typing import Final

from node.notification.matters import Matter, Severity

HOLD_S: Final = 30.0
"""A matter that is not critical must last so long before it is told: peers come and go."""

RETRY_S: Final = 60.0
"""After a channel failed."""

HOUR_S: Final = 3600.0
MESSAGES_PER_HOUR: Final = 30
"""To one channel; whoever gets more reads none. What exceeds it waits; nothing is lost."""

REMEMBERED_S: Final = 600.0
"""After a restart a matter that was acknowledged before it counts as the same one for so long."""

MATTERS: Final = 256
"""Open at one time; more than a node has alarms and devices for."""


@dataclass(frozen=True, slots=True)
class Moment:
    """Real time in s, and the local time of day in minutes, 0 to 1,439."""

    real_s: float
    minute: int


@dataclass(frozen=True, slots=True)
class Channel:
    """Somewhere to tell people. It takes matters of at least `least`, once they have been unacknowledged for
    `after_s`: 0 for the first to hear, more for those who hear of it when the first do not react.
    """

    name: str
    least: Severity
    after_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Policy:
    """The channels, how often an unacknowledged matter is repeated (None: never), and the quiet hours, from and to a
    minute of the day (equal: none), in which only critical matters are told.
    """

    channels: tuple[Channel, ...]
    repeat_s: float | None = 3600.0
    quiet_from: int = 0
    quiet_to: int = 0

    def is_quiet(self, minute: int) -> bool:
        """Whether this minute of the day is in the quiet hours; they may go over midnight."""
        if self.quiet_from <= self.quiet_to:
            return self.quiet_from <= minute < self.quiet_to
        return minute >= self.quiet_from or minute < self.quiet_to


class Kind(Enum):
    """Why a message is sent."""

    NEW = "new"
    AGAIN = "again"
    OVER = "over"


@dataclass(frozen=True, slots=True)
class Send:
    """Tell a channel of a matter, which has been so for `age_s`."""

    channel: str
    kind: Kind
    matter: Matter
    age_s: float


@dataclass(slots=True)
class _Told:
    """What one channel knows of one matter. `worst` is the severity that it was told."""

    at_s: float | None = None
    not_before_s: float = 0.0
    worst: Severity = Severity.NOTICE


@dataclass(slots=True)
class _Open:
    """A matter that is so, or is over and must be told to be over."""

    matter: Matter
    since_s: float
    acknowledged: bool = False
    over: bool = False
    told: dict[str, _Told] = field(default_factory=dict)


class Warnings:
    """What people know, and what they are told next."""

    def __init__(self, policy: Policy, acknowledged: Iterable[str] = ()) -> None:
        """`acknowledged` are the references of what was acknowledged before a restart and may still be so."""
        self.policy = policy
        self._open: dict[str, _Open] = {}
        self._acknowledged = set(acknowledged)
        self._remembered_until_s: float | None = None
        self._sent_s: dict[str, list[float]] = {channel.name: [] for channel in policy.channels}

    def observe(self, matters: Iterable[Matter], now: Moment) -> list[Send]:
        """What is so now, all of it; whatever is due is sent."""
        present = {matter.key: matter for matter in matters}
        if self._remembered_until_s is None:
            self._remembered_until_s = now.real_s + REMEMBERED_S
        for key, matter in present.items():
            known = self._open.get(key)
            if known is not None:
                if matter.severity > known.matter.severity:
                    known.acknowledged = False  # whoever took it on took on less
                known.matter = matter
                if known.over:
                    known.over, known.since_s = False, now.real_s
            elif len(self._open) < MATTERS:
                old = matter.reference in self._acknowledged
                self._open[key] = _Open(matter, now.real_s, acknowledged=old)
        for key, known in list(self._open.items()):
            if key not in present and not known.over:
                known.over, known.acknowledged = True, False
                self._acknowledged.discard(known.matter.reference)
        sends = [send for known in self._open.values() for send in self._due(known, now)]
        self._forget(now)
        return sends

    def acknowledge(self, reference: str) -> bool:
        """Somebody takes the matter on: it is neither repeated nor escalated while it lasts. False if there is none."""
        for known in self._open.values():
            if known.matter.reference == reference and not known.over:
                known.acknowledged = True
                self._acknowledged.add(reference)
                return True
        return False

    def failed(self, send: Send, now: Moment) -> None:
        """A message did not get through: it is tried again."""
        known = self._open.get(send.matter.key)
        if known is not None and send.channel in known.told:
            told = known.told[send.channel]
            told.not_before_s = now.real_s + RETRY_S
            if send.kind is not Kind.OVER:
                told.at_s, told.worst = None, Severity.NOTICE
        elif send.kind is Kind.OVER:
            told = _Told(now.real_s, now.real_s + RETRY_S, send.matter.severity)
            self._open[send.matter.key] = _Open(
                send.matter, now.real_s - send.age_s, over=True, told={send.channel: told}
            )

    @property
    def acknowledged(self) -> frozenset[str]:
        """References to keep over a restart."""
        return frozenset(self._acknowledged)

    def open(self, now: Moment) -> list[tuple[Matter, float, bool]]:
        """What is so, for how long, and whether it is acknowledged."""
        return [
            (known.matter, now.real_s - known.since_s, known.acknowledged)
            for known in self._open.values()
            if not known.over
        ]

    def _due(self, known: _Open, now: Moment) -> Iterable[Send]:
        held_back = known.matter.severity < Severity.CRITICAL and self.policy.is_quiet(now.minute)
        for channel in self.policy.channels:
            if held_back or self._is_full(channel.name, now):
                continue
            told = known.told.get(channel.name, _Told())
            kind = self._kind(known, channel, told, now)
            if kind is None or now.real_s < told.not_before_s:
                continue
            known.told[channel.name] = told
            told.at_s, told.worst = now.real_s, known.matter.severity
            self._sent_s[channel.name].append(now.real_s)
            if kind is Kind.OVER:
                del known.told[channel.name]
            yield Send(channel.name, kind, known.matter, now.real_s - known.since_s)

    def _kind(self, known: _Open, channel: Channel, told: _Told, now: Moment) -> Kind | None:
        """What this channel has to hear of this matter now, if anything."""
        if known.over:
            return None if told.at_s is None else Kind.OVER
        if known.acknowledged or known.matter.severity < channel.least:
            return None
        age_s = now.real_s - known.since_s
        hold_s = 0.0 if known.matter.severity is Severity.CRITICAL else HOLD_S
        if age_s < max(hold_s, channel.after_s):
            return None
        if told.at_s is None or known.matter.severity > told.worst:
            return Kind.NEW
        repeat_s = self.policy.repeat_s
        return Kind.AGAIN if repeat_s is not None and now.real_s - told.at_s >= repeat_s else None

    def _is_full(self, channel: str, now: Moment) -> bool:
        """Whether a channel has had its messages of this hour."""
        recent = [each for each in self._sent_s[channel] if now.real_s - each < HOUR_S]
        self._sent_s[channel] = recent
        return len(recent) >= MESSAGES_PER_HOUR

    def _forget(self, now: Moment) -> None:
        """Matters that are over, and nobody waits to hear so; words about what did not come back after a restart."""
        if self._remembered_until_s is not None and now.real_s > self._remembered_until_s:
            self._acknowledged &= {
                known.matter.reference for known in self._open.values() if known.acknowledged
            }
        for key, known in list(self._open.items()):
            if known.over and not any(told.at_s is not None for told in known.told.values()):
                del self._open[key]
