"""What the market knows of members that came after the founding, or left.

A change of membership carries the terms of a new member as the market reads them: its branch, its nameplate in
mW and the debt in pico-currency that its account may reach, or nothing for a member without a metering point. A
metering point counts from the interval whose auction the member may first take part in until the one whose
auction takes place without it.
"""

from collections.abc import Iterable
from dataclasses import replace

from ledger.encoding import Value, big_int_bytes
from ledger.membership.members import Membership
from market.errors import InvalidRules
from market.rules import CellRules, MemberRule, member_rule


def encode_terms(rule: MemberRule) -> tuple[Value, ...]:
    """The terms of a new member that will have this rule."""
    return (rule.branch, rule.max_injection_mw, rule.max_withdrawal_mw, big_int_bytes(rule.credit_limit))


def accepts_terms(rules: CellRules, member: bytes, terms: tuple[Value, ...]) -> bool:
    """Whether these are terms on which the cell has a place for a new member."""
    try:
        _with_member(rules, member, terms, since=0)
    except InvalidRules:
        return False
    return True


def rules_with(rules: CellRules, membership: Membership, last_interval: int) -> CellRules:
    """The rules with the metering points of a block's membership; the block covers up to `last_interval`."""
    for member in membership.members:
        if member.terms is not None and rules.member(member.id) is None:
            rules = _with_member(rules, member.id, member.terms, since=last_interval)
    gone = {member.id for member in membership.departed}
    if any(rule.until is None and rule.member in gone for rule in rules.members):
        left = (
            replace(rule, until=last_interval) if rule.until is None and rule.member in gone else rule
            for rule in rules.members
        )
        rules = replace(rules, members=tuple(left))
    return rules


def point_value(rule: MemberRule) -> tuple[Value, ...]:
    """A metering point that came after the founding or is gone, as it stands in the state's leaves."""
    return (*encode_terms(rule), rule.since, rule.until)


def with_points(rules: CellRules, points: Iterable[tuple[bytes, Value]]) -> CellRules:
    """The rules with these metering points, by member id, in place of the genesis' own. Raises `InvalidRules`."""
    members = dict(rules.member_index)
    for member, value in points:
        match value:
            case (branch, injection, withdrawal, credit, int(since), (int() | None) as until):
                rule = member_rule((member, branch, injection, withdrawal, credit), "point")
                members[member] = replace(rule, since=since, until=until)
            case _:
                raise InvalidRules("point", "has not the fields of a metering point")
    return replace(rules, members=tuple(members[member] for member in sorted(members)))


def _with_member(rules: CellRules, member: bytes, terms: tuple[Value, ...], *, since: int) -> CellRules:
    """Raises `InvalidRules` for terms that contradict the rules."""
    if not terms:
        return rules
    rule = replace(member_rule((member, *terms), "terms"), since=since)
    members = sorted((*rules.members, rule), key=lambda each: each.member)
    return replace(rules, members=tuple(members))
