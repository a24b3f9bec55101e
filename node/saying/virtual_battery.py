"""Shell: who trades for whom in a virtual battery of members, left for the node to say.

The interval of these words is free: here it makes the same word a new one when it is said again after another.
"""

import time
from collections.abc import Sequence

from ledger.membership.members import Member
from market.federation.parent_rule import gateway_of
from market.payloads import Kind
from market.rules import CellRules, MemberRule
from market.virtual_battery.book import MOST_LEVELS
from market.virtual_battery.payloads import MOST_MEMBERS, encode_aggregation, encode_delegation
from node.errors import InputRefusedError
from node.saying.speaking import Speaker
from node.views.ledger_view import find_member
from node.views.virtual_battery_view import rules_to_come


def delegate(said: Speaker, aggregator: str | None) -> str:
    """Have an aggregator (name, or start of its id) bid for the speaker, None: nobody; what was left, in words.

    It takes the aggregator's word as well. Raises `InputRefusedError` or OSError.
    """
    _point(said)
    name = said.member.name.decode()
    chosen = None if aggregator is None else _other(said, aggregator)
    if chosen is not None:
        _refuse_ring(said, chosen)
    payload = encode_delegation(None if chosen is None else chosen.id)
    said.leave(Kind.DELEGATION, time.time_ns(), payload)
    if chosen is None:
        return f"{name} bids for itself."
    its_name = chosen.name.decode()
    if said.member.id in said.tip.state.virtual_batteries.aggregations.get(chosen.id, ()):
        return f"{its_name} bids for {name}."
    return f"{its_name} bids for {name} as soon as it names it, too."


def aggregate(said: Speaker, members: Sequence[str]) -> str:
    """Bid for these members (names, or starts of ids) and nobody else; what was left, in words.

    It takes the word of each of them as well; nobody named ends it. Raises `InputRefusedError` or OSError.
    """
    _point(said)
    chosen = {each.id: each for each in (_other(said, name) for name in members)}
    if len(chosen) > MOST_MEMBERS:
        raise InputRefusedError(
            f"{len(chosen)} members are too many: an aggregator names {MOST_MEMBERS} at most;"
            " one of them may be an aggregator itself and lead the others"
        )
    payload = encode_aggregation(tuple(sorted(chosen)))
    said.leave(Kind.AGGREGATION, time.time_ns(), payload)
    name = said.member.name.decode()
    if not chosen:
        return f"{name} bids for nobody else."
    named = sorted(each.name.decode() for each in chosen.values())
    delegations = said.tip.state.virtual_batteries.delegations
    silent = sorted(
        each.name.decode() for each in chosen.values() if delegations.get(each.id) != said.member.id
    )
    if not silent:
        return f"{name} bids for {_listed(named)}."
    who = "they" if len(silent) > 1 else "it"
    return f"{name} bids for {_listed(named)}, for {_listed(silent)} as soon as {who} joined."


def why_not(said: Speaker) -> str:
    """Why the speaker cannot be in a virtual battery; empty if it can."""
    name = said.member.name.decode()
    rules = rules_to_come(said.tip)
    if said.member.frozen_at is not None:
        return f"{name} is frozen, nothing it says counts; see `wattswarm cell readmit`"
    if rules.member(said.member.id) is None:
        return (
            f"{name} has no metering point, so there is nothing to bid for; say it at a member that has one"
        )
    if said.member.id == gateway_of(rules.parent):
        return f"{name} is the cell's gateway and bids in two cells; say it at another member"
    return ""


def partners(said: Speaker) -> list[str]:
    """The names of those that may be in one virtual battery with the speaker: all but itself on its branch."""
    rules = rules_to_come(said.tip)
    own = rules.member(said.member.id)
    return sorted(
        each.name.decode()
        for each in said.tip.membership.members
        if own is not None and each.id != said.member.id and _fault(rules, own, each) == ""
    )


def _point(said: Speaker) -> MemberRule:
    """The speaker's metering point."""
    fault = why_not(said)
    if fault:
        raise InputRefusedError(f"{said.directory}: {fault}")
    return rules_to_come(said.tip).member_index[said.member.id]


def _other(said: Speaker, name: str) -> Member:
    """The member of this name, which may be in one virtual battery with the speaker."""
    found, own = find_member(said.tip.membership, name), _point(said)
    if found.id == said.member.id:
        fault = "is the node's own member, which bids for itself anyhow"
    else:
        fault = _fault(rules_to_come(said.tip), own, found)
    if fault:
        known = partners(said)
        remedy = f"name one of {', '.join(known)}" if known else "there is nobody else on its branch"
        raise InputRefusedError(f"{found.name.decode()} {fault}; {remedy}")
    return found


def _fault(rules: CellRules, own: MemberRule, other: Member) -> str:
    """Why a member cannot be in one virtual battery with who has a metering point; empty if it can."""
    point = rules.member(other.id)
    if point is None:
        return "has no metering point"
    if other.id == gateway_of(rules.parent):
        return "is the cell's gateway"
    if other.frozen_at is not None:
        return "is frozen"
    if point.branch != own.branch:
        there, here = rules.branches[point.branch].name, rules.branches[own.branch].name
        return f"is on branch {there} and not on {here}"
    return ""


def _refuse_ring(said: Speaker, aggregator: Member) -> None:
    """Raise `InputRefusedError` where the aggregators from this one on lead back to the speaker, or are too many."""
    delegations = said.tip.state.virtual_batteries.delegations
    own, name, at = said.member.name.decode(), aggregator.name.decode(), aggregator.id
    for _ in range(MOST_LEVELS):
        if at == said.member.id:
            raise InputRefusedError(
                f"{name} itself has {own} bid for it, or has named an aggregator that does; it leaves first,"
                " with `wattswarm cell battery leave`"
            )
        if at not in delegations:
            return
        at = delegations[at]
    raise InputRefusedError(
        f"from {name} on more than {MOST_LEVELS} aggregators follow on each other, which is too many;"
        " name one that fewer come after"
    )


def _listed(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
