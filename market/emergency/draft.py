"""The working copy of the emergency book while one block is applied."""

from dataclasses import dataclass, field, replace

from ledger.membership.members import Membership
from ledger.records.genesis import Role
from market.emergency.book import (
    STANDS_FOR,
    Declared,
    DeclaredSpan,
    EmergencyBook,
    StandingObservation,
    Word,
    word_on,
)
from market.emergency.priority import Priority
from market.federation.parent_rule import gateway_of
from market.rules import CellRules


@dataclass(slots=True)
class EmergencyDraft:
    """One block's changes on top of a book, which itself stays as it is; `finish` gives the next book."""

    observations: dict[bytes, StandingObservation] = field(default_factory=dict)
    declarations: dict[bytes, tuple[DeclaredSpan, ...]] = field(default_factory=dict)
    declared: Declared | None = None
    priorities: dict[bytes, Priority] = field(default_factory=dict)

    @staticmethod
    def of(book: EmergencyBook) -> "EmergencyDraft":
        """The draft that begins with a book."""
        return EmergencyDraft(
            dict(book.observations), dict(book.declarations), book.declared, dict(book.priorities)
        )

    def word_on(self, interval: int, rules: CellRules, membership: Membership) -> Word | None:
        """By whose word there is an emergency in an interval, as far as was said until now."""
        if not self.observations and not self.declarations:
            return None
        return word_on(
            self.observations,
            self.declarations,
            interval,
            voices=voices_in(interval, rules, membership),
            dsos={each.id for each in membership.members if each.roles & Role.DSO},
            faults=membership.validators().faults,
        )

    def decide(self, interval: int, rules: CellRules, membership: Membership) -> None:
        """Settle whether the interval that a block is about is one of emergency."""
        word = self.word_on(interval, rules, membership)
        if word is None:
            self.declared = None
        elif self.declared is None:
            self.declared = Declared(interval, word)
        else:
            self.declared = replace(self.declared, word=word)

    def finish(self, last_interval: int, gone: frozenset[bytes]) -> EmergencyBook:
        """The next book: what has run out by the next interval is dropped, and what members that are gone said."""
        return EmergencyBook(
            observations={
                member: said
                for member, said in sorted(self.observations.items())
                if member not in gone and said.interval + STANDS_FOR > last_interval
            },
            declarations={
                dso: kept
                for dso, spans in sorted(self.declarations.items())
                if dso not in gone and (kept := tuple(span for span in spans if span.last > last_interval))
            },
            declared=self.declared,
            priorities={
                member: granted for member, granted in sorted(self.priorities.items()) if member not in gone
            },
        )


def voices_in(interval: int, rules: CellRules, membership: Membership) -> frozenset[bytes]:
    """The members whose observations of an interval decide: validators in good standing that have a meter.

    Of validators it is known how many may lie at most, of others it is not.
    """
    gateway = gateway_of(rules.parent)
    metered = {rule.member for rule in rules.members if rule.meters(interval)} - {gateway}
    return frozenset(
        each.id
        for each in membership.members
        if each.roles & Role.VALIDATOR and each.frozen_at is None and each.id in metered
    )
