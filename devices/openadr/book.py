"""The programs and events that a client knows, and what became of each answer of the VTN.

An answer replaces the one before it, whole. An event that is wrong is refused by itself, and if an earlier version of
it was right, that one stands until its end. An event that an answer lacks is over only when the VTN says so of it.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from devices.openadr.objects import Event, Program, event_id, read_event, read_program
from devices.openadr.timeline import Meaning, Timeline, concerns, meaning_of, spread_ns
from devices.openadr.values import OpenAdrError

MOST_EVENTS: Final = 500
MOST_ACTIONS: Final = 20_000
"""Over all events: a week of prices in quarter hours has 672."""


@dataclass(frozen=True, slots=True)
class Client:
    """Who we are to the VTN, and what we want of it: the names of programs (none: all of them) and a currency."""

    ven: str
    resource: str
    programs: tuple[str, ...] = ()
    currency: str | None = None


@dataclass(frozen=True, slots=True)
class Known:
    """An event, what it means, and as it came."""

    event: Event
    meaning: Meaning
    source: object


@dataclass(frozen=True, slots=True)
class Refusal:
    """An event or program that counts for nothing, and why."""

    id: str
    reason: str


@dataclass(slots=True)
class EventBook:
    """All that counts. `sources` of programs are kept as they came, to be kept on disk."""

    client: Client
    programs: dict[str, Program] = field(default_factory=dict)
    events: dict[str, Known] = field(default_factory=dict)
    refused: tuple[Refusal, ...] = ()
    sources: tuple[object, ...] = ()
    timeline: Timeline = field(default_factory=Timeline)

    def read_programs(self, answers: Iterable[object]) -> tuple[dict[str, Program], list[Refusal]]:
        """The programs of an answer that are wanted. Raises `OpenAdrError` when one that is wanted is not there."""
        found: dict[str, Program] = {}
        refused = []
        for answer in answers:
            try:
                program = read_program(answer)
            except OpenAdrError as fault:
                refused.append(Refusal(_id_of(answer), str(fault)))
                continue
            if not self.client.programs or program.name in self.client.programs:
                found[program.id] = program
        missing = set(self.client.programs) - {program.name for program in found.values()}
        if missing:
            raise OpenAdrError(
                f"it shows no program named {', '.join(sorted(missing))}; look at openadr.programs, and whether"
                " its operator has enrolled this client"
            )
        return found, refused

    def missing(self, answers: Iterable[object], now_ns: int) -> list[str]:
        """The events that we know, that are not over, and that these answers lack."""
        there = {_id_of(answer) for answer in answers}
        return [id_ for id_, known in self.events.items() if id_ not in there and known.event.end_ns > now_ns]

    def take(self, programs: Iterable[object], events: Iterable[object]) -> None:
        """The VTN's whole answer. Raises `OpenAdrError`, and then nothing has changed."""
        sources = tuple(programs)
        wanted, refused = self.read_programs(sources)
        known: dict[str, Known] = {}
        for answer in events:
            try:
                found = self._read(answer, wanted)
            except OpenAdrError as fault:
                identity = _id_of(answer)
                refused.append(Refusal(identity, str(fault)))
                if identity in self.events:
                    known[identity] = self.events[identity]
                continue
            if found is not None:
                known[found.event.id] = found
        actions = [action for each in known.values() for action in each.meaning.actions]
        if len(known) > MOST_EVENTS or len(actions) > MOST_ACTIONS:
            raise OpenAdrError(
                f"it has {len(known)} events with {len(actions)} values for us; {MOST_EVENTS} and {MOST_ACTIONS}"
                " are the most that are taken: name the wanted ones in openadr.programs"
            )
        self.programs, self.events, self.sources = wanted, known, sources
        self.refused, self.timeline = tuple(refused), Timeline.of(actions)

    def delay_ns(self, event: Event) -> int:
        """By how much we delay an event whose start is to be spread."""
        return spread_ns(event, self.client.ven)

    def _read(self, answer: object, programs: dict[str, Program]) -> Known | None:
        """An event that concerns us, or None."""
        program_id = answer.get("programID") if isinstance(answer, dict) else None
        program = programs.get(program_id) if isinstance(program_id, str) else None
        event = read_event(answer, program)
        if program is None or not concerns(event.targets, self.client.ven, self.client.resource):
            return None
        meaning = meaning_of(event, program, self.client.ven, self.client.currency)
        return Known(event, meaning, answer)


def _id_of(answer: object) -> str:
    try:
        return event_id(answer)
    except OpenAdrError:
        return "?"
