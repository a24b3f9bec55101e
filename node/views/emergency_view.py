"""The emergency of a cell as its ledger has it, for people and programs: by whose word, and who sees what."""

from dataclasses import dataclass

from ledger.chain.chain import Tip
from market.cell_state import CellState
from market.emergency.book import STANDS_FOR
from market.emergency.draft import voices_in
from market.units import MW_PER_W
from node.views.member_names import names_of


@dataclass(frozen=True, slots=True)
class Sighting:
    """What a member's meter shows, by its own word that still stands; `counts`: it is one of those that decide."""

    member: str
    seen: str
    since_ns: int
    said_in: int
    until: int
    counts: bool


@dataclass(frozen=True, slots=True)
class DsoWord:
    """What a dso declares for the intervals `first..last`: an emergency, or that there is none."""

    dso: str
    emergency: bool
    first: int
    last: int


@dataclass(frozen=True, slots=True)
class Granted:
    """Power of a member (W) that is served first in an emergency."""

    member: str
    critical_w: float
    essential_w: float


@dataclass(frozen=True, slots=True)
class EmergencyView:
    """What the newest block says about its last `interval`; `by` is members or dso, None as `since` if all is well.

    So many members (`needed`) that decide have to see the grid gone before there is an emergency by their word.
    """

    interval: int
    by: str | None
    since: int | None
    needed: int
    sightings: tuple[Sighting, ...]
    declarations: tuple[DsoWord, ...]
    priorities: tuple[Granted, ...] = ()


def emergency_view(tip: Tip[CellState]) -> EmergencyView:
    """What the tip of a ledger says."""
    state, membership = tip.state, tip.membership
    book, named = state.emergency, names_of(membership)
    voices = voices_in(state.last_interval, state.rules, membership)
    return EmergencyView(
        interval=state.last_interval,
        by=declared_by(state),
        since=None if book.declared is None else book.declared.since,
        needed=membership.validators().faults + 1,
        sightings=tuple(
            Sighting(
                named(member),
                said.seen.name.lower().replace("_", "-"),
                said.since_ns,
                said.interval,
                said.interval + STANDS_FOR,
                member in voices,
            )
            for member, said in book.observations.items()
        ),
        declarations=tuple(
            DsoWord(named(dso), span.emergency, span.first, span.last)
            for dso, spans in book.declarations.items()
            for span in spans
        ),
        priorities=tuple(
            Granted(named(member), granted.critical_mw / MW_PER_W, granted.essential_mw / MW_PER_W)
            for member, granted in book.priorities.items()
        ),
    )


def declared_by(state: CellState) -> str | None:
    """By whose word the cell is in an emergency: members or dso, None if it is in none."""
    declared = state.emergency.declared
    return None if declared is None else declared.word.name.lower()
