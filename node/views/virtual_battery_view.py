"""The virtual batteries of a cell as its ledger has them, for people and programs: who bids for whom, and who has still
to say so. Nameplates mW.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

from ledger.chain.chain import Tip
from market.admission import rules_with
from market.cell_state import CellState
from market.rules import CellRules
from market.virtual_battery.book import MOST_LEVELS, VirtualBatteryBook
from market.virtual_battery.settling import together
from node.views.member_names import names_of

Half = Literal["delegation", "aggregation"]


@dataclass(frozen=True, slots=True)
class BatteryMember:
    """A member that is bid for, and the aggregator that it names: the virtual battery's, or one in between."""

    member: str
    aggregator: str


@dataclass(frozen=True, slots=True)
class VirtualBattery:
    """Members with one `aggregator`, which bids for all of them; the nameplates are those of all, its own included."""

    aggregator: str
    branch: str
    max_injection_mw: int
    max_withdrawal_mw: int
    members: tuple[BatteryMember, ...]


@dataclass(frozen=True, slots=True)
class OpenWord:
    """A delegation or an aggregation (`said`) that has no effect; `why` tells the reason in words.

    `waits_for` is who has to say the other half of it; None where that would not help.
    """

    member: str
    aggregator: str
    said: tuple[Half, ...]
    waits_for: str | None
    why: str


@dataclass(frozen=True, slots=True)
class VirtualBatteryView:
    """What holds in the auction of `interval`, the next block's, by the newest block; both lists ascend by name."""

    interval: int
    virtual_batteries: tuple[VirtualBattery, ...]
    waiting: tuple[OpenWord, ...]


def virtual_battery_view(tip: Tip[CellState]) -> VirtualBatteryView:
    """What the tip of a ledger says."""
    rules, membership, book = rules_to_come(tip), tip.membership, tip.state.virtual_batteries
    interval, named = tip.state.last_interval + 1, names_of(membership)
    gone = {each.id for each in membership.everyone if each.frozen_at is not None or each.left_at is not None}
    ends = book.aggregators(rules, interval, gone)
    batteries = []
    for aggregator in set(ends.values()):
        members = together(ends, aggregator)
        rule, places = rules.member_index[aggregator], [rules.member_index[each] for each in members]
        batteries.append(
            VirtualBattery(
                aggregator=named(aggregator),
                branch=rules.branches[rule.branch].name,
                max_injection_mw=sum(each.max_injection_mw for each in places),
                max_withdrawal_mw=sum(each.max_withdrawal_mw for each in places),
                members=tuple(
                    sorted(
                        (
                            BatteryMember(named(each), named(book.delegations[each]))
                            for each in members
                            if each != aggregator
                        ),
                        key=lambda part: part.member,
                    )
                ),
            )
        )
    pairs = ((member, to, said) for member, to, said in _pairs(book) if len(said) == 1 or member not in ends)
    waiting = [_open(rules, named, gone, interval, *pair) for pair in pairs]
    return VirtualBatteryView(
        interval,
        tuple(sorted(batteries, key=lambda each: each.aggregator)),
        tuple(sorted(waiting, key=lambda each: (each.aggregator, each.member))),
    )


def rules_to_come(tip: Tip[CellState]) -> CellRules:
    """The rules that the next block goes by, with the metering points of who is a member then."""
    return rules_with(tip.state.rules, tip.membership, tip.state.last_interval + 1)


def _pairs(book: VirtualBatteryBook) -> Iterator[tuple[bytes, bytes, tuple[Half, ...]]]:
    """Each member and aggregator of whom one has named the other, and which of them has."""
    for member, aggregator in book.delegations.items():
        both = member in book.aggregations.get(aggregator, ())
        yield member, aggregator, ("delegation", "aggregation") if both else ("delegation",)
    for aggregator, members in book.aggregations.items():
        for member in members:
            if book.delegations.get(member) != aggregator:
                yield member, aggregator, ("aggregation",)


def _open(
    rules: CellRules,
    named: Callable[[bytes], str],
    gone: set[bytes],
    interval: int,
    member: bytes,
    aggregator: bytes,
    said: tuple[Half, ...],
) -> OpenWord:
    for each in (member, aggregator):
        rule = rules.member(each)
        if each in gone:
            return OpenWord(
                named(member), named(aggregator), said, None, f"{named(each)} is frozen or has left"
            )
        if rule is None or not rule.meters(interval):
            why = f"{named(each)} has no metering point in interval {interval}"
            return OpenWord(named(member), named(aggregator), said, None, why)
    if len(said) > 1:
        why = f"its aggregators form a ring, or are more than {MOST_LEVELS}"
        return OpenWord(named(member), named(aggregator), said, None, why)
    if said == ("delegation",):
        why = f"{named(aggregator)} does not name {named(member)} yet"
        return OpenWord(named(member), named(aggregator), said, named(aggregator), why)
    why = f"{named(member)} does not name {named(aggregator)} as its aggregator yet"
    return OpenWord(named(member), named(aggregator), said, named(member), why)
