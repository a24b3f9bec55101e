"""What holds of emergencies after a block: who sees the grid gone, what dsos declare, and whether there is one.

Every word about an emergency runs out by itself: nobody's last one holds for ever. What the operator grants to be
served first in one holds until it says otherwise. Times are cell time in ns.
"""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Final

from ledger.encoding import Value, encode
from ledger.errors import Malformed
from ledger.limits import ID_BYTES
from market.emergency.payloads import Seen
from market.emergency.priority import Priority

LEAF_KEY: Final = b"emergency/"
STANDS_FOR: Final = 3
"""Intervals after its own in which an observation still stands; who sees the grid gone says so in each of them."""
MOST_PER_INTERVAL: Final = 4
"""Observations of one member that count in an interval: a grid that comes and goes more often is told of the last."""
MOST_SPANS: Final = 8
"""Declarations of one dso that may lie ahead."""

_OBSERVED, _DECLARED, _STANDING, _PRIORITY = b"observed/", b"declared/", b"standing", b"priority/"


class Word(IntEnum):
    """By whose word there is an emergency."""

    MEMBERS = 1
    """More members see the grid gone than may lie."""
    DSO = 2


@dataclass(frozen=True, slots=True)
class StandingObservation:
    """A member's last observation: the interval it was said in, and how many it said in that one."""

    interval: int
    seen: Seen
    since_ns: int
    said: int = 1

    def sees_it_gone(self, interval: int) -> bool:
        """Whether it stands in an interval and says that the public grid is gone."""
        return self.seen is not Seen.CONNECTED and self.stands_in(interval)

    def stands_in(self, interval: int) -> bool:
        """Whether it has not run out; one that was said later says nothing of the interval."""
        return self.interval <= interval <= self.interval + STANDS_FOR


@dataclass(frozen=True, slots=True)
class DeclaredSpan:
    """A dso's word for the intervals `first..last`, both included."""

    first: int
    last: int
    emergency: bool


@dataclass(frozen=True, slots=True)
class Declared:
    """The cell is in an emergency: since which interval, and by whose word now."""

    since: int
    word: Word


@dataclass(frozen=True, slots=True)
class EmergencyBook:
    """`observations` by member, `declarations` by dso and `priorities` by member, ascending. `declared` is of the last
    interval covered.
    """

    observations: Mapping[bytes, StandingObservation] = field(default_factory=dict)
    declarations: Mapping[bytes, tuple[DeclaredSpan, ...]] = field(default_factory=dict)
    declared: Declared | None = None
    priorities: Mapping[bytes, Priority] = field(default_factory=dict)

    def leaves(self) -> Iterator[tuple[bytes, bytes]]:
        """The leaves of the state that are about emergencies; none where nobody says anything."""
        for member, said in self.observations.items():
            row = (said.interval, int(said.seen), said.since_ns, said.said)
            yield LEAF_KEY + _OBSERVED + member, encode(row)
        for dso, spans in self.declarations.items():
            rows = tuple((span.first, span.last, int(span.emergency)) for span in spans)
            yield LEAF_KEY + _DECLARED + dso, encode(rows)
        if self.declared is not None:
            yield LEAF_KEY + _STANDING, encode((self.declared.since, int(self.declared.word)))
        for member, granted in self.priorities.items():
            yield LEAF_KEY + _PRIORITY + member, encode((granted.critical_mw, granted.essential_mw))


def word_on(
    observations: Mapping[bytes, StandingObservation],
    declarations: Mapping[bytes, tuple[DeclaredSpan, ...]],
    interval: int,
    *,
    voices: Collection[bytes],
    dsos: Collection[bytes],
    faults: int,
) -> Word | None:
    """By whose word there is an emergency in an interval; None if there is none.

    A dso's word goes first, and of several dsos the one that declares; then more than `faults` of the `voices`, the
    members whose observations count, must see the grid gone.
    """
    words = [
        span.emergency
        for dso, spans in declarations.items()
        if dso in dsos
        for span in spans
        if span.first <= interval <= span.last
    ]
    if words:
        return Word.DSO if any(words) else None
    gone = sum(member in voices and said.sees_it_gone(interval) for member, said in observations.items())
    return Word.MEMBERS if gone > faults else None


def emergency_of_leaves(leaves: Mapping[bytes, Value]) -> EmergencyBook:
    """The book that has these leaves, keys without `LEAF_KEY`. Raises `Malformed`."""
    observations: dict[bytes, StandingObservation] = {}
    declarations: dict[bytes, tuple[DeclaredSpan, ...]] = {}
    declared: Declared | None = None
    priorities: dict[bytes, Priority] = {}
    for key, value in leaves.items():
        what, slash, member = key.partition(b"/")
        if slash and len(member) != ID_BYTES:
            raise Malformed("what is said of emergencies is kept under a member")
        match what + slash, value:
            case b"observed/", (int(interval), int(seen), int(since_ns), int(said)) if seen in set(Seen):
                observations[member] = StandingObservation(interval, Seen(seen), since_ns, said)
            case b"declared/", ((_, *_) as rows):
                declarations[member] = tuple(_span(row) for row in rows)
            case b"standing", (int(since), int(word)) if word in set(Word):
                declared = Declared(since, Word(word))
            case b"priority/", (int(critical), int(essential)) if critical or essential:
                priorities[member] = Priority(critical, essential)
            case _:
                raise Malformed("a leaf of emergencies that says nothing")
    return EmergencyBook(
        dict(sorted(observations.items())),
        dict(sorted(declarations.items())),
        declared,
        dict(sorted(priorities.items())),
    )


def _span(row: Value) -> DeclaredSpan:
    match row:
        case (int(first), int(last), 0 | 1 as emergency) if first <= last:
            return DeclaredSpan(first, last, bool(emergency))
    raise Malformed("a declaration has a first and a last interval, and 1 or 0")
