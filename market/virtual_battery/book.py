"""The agreed state of virtual batteries: who wants to be traded for by whom, and who trades for whom. Immutable.

Both have to want it. Members of one virtual battery sit on one branch, so that they have one price; neither the
gateway of the cell nor anybody that is frozen or gone is in one. An aggregator may delegate in turn: the one at the
end of the chain bids for all below it.
"""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from ledger.encoding import Value, encode
from ledger.errors import Malformed
from ledger.limits import ID_BYTES
from market.errors import MalformedPayload
from market.federation.parent_rule import gateway_of
from market.rules import CellRules, MemberRule
from market.virtual_battery.payloads import (
    decode_aggregation,
    decode_delegation,
    encode_aggregation,
    encode_delegation,
)

LEAF_KEY: Final = b"battery/"
MOST_LEVELS: Final = 8
"""Aggregators between a member and who bids for it, that one included; a ring has no end and is no virtual battery."""

Aggregators = Mapping[bytes, bytes]
"""By member that is traded for the member that bids for it; who is not in it bids for itself."""


@dataclass(frozen=True, slots=True)
class VirtualBatteryBook:
    """`delegations`: by member its aggregator. `aggregations`: by aggregator its members. Both ascend."""

    delegations: Mapping[bytes, bytes] = field(default_factory=dict)
    aggregations: Mapping[bytes, tuple[bytes, ...]] = field(default_factory=dict)

    def with_delegation(self, member: bytes, aggregator: bytes | None) -> "VirtualBatteryBook":
        """The book after a member has named its aggregator, or none."""
        others = {each: to for each, to in self.delegations.items() if each != member}
        said = {} if aggregator is None else {member: aggregator}
        return replace(self, delegations=dict(sorted((others | said).items())))

    def with_aggregation(self, aggregator: bytes, members: tuple[bytes, ...]) -> "VirtualBatteryBook":
        """The book after an aggregator has named all its members."""
        others = {each: of for each, of in self.aggregations.items() if each != aggregator}
        said = {aggregator: members} if members else {}
        return replace(self, aggregations=dict(sorted((others | said).items())))

    def without(self, gone: Collection[bytes]) -> "VirtualBatteryBook":
        """The book without what those said who are gone."""
        if not gone or not (self.delegations or self.aggregations):
            return self
        return VirtualBatteryBook(
            {member: to for member, to in self.delegations.items() if member not in gone},
            {member: of for member, of in self.aggregations.items() if member not in gone},
        )

    def aggregators(self, rules: CellRules, interval: int, gone: Collection[bytes] = ()) -> Aggregators:
        """Who bids for whom in an interval; `gone` are those who take no part."""
        direct = {
            member: aggregator
            for member, aggregator in self.delegations.items()
            if member in self.aggregations.get(aggregator, ())
            and _fit(_point(rules, member, interval, gone), _point(rules, aggregator, interval, gone))
        }
        ends = {member: _end(direct, member) for member in direct}
        return {member: end for member, end in ends.items() if end is not None}

    def leaves(self) -> Iterator[tuple[bytes, bytes]]:
        """The leaves of the state that are about virtual batteries; none where nobody ever wanted one."""
        for member, aggregator in self.delegations.items():
            yield LEAF_KEY + b"delegation/" + member, encode(encode_delegation(aggregator))
        for aggregator, members in self.aggregations.items():
            yield LEAF_KEY + b"aggregation/" + aggregator, encode(encode_aggregation(members))


NO_VIRTUAL_BATTERIES: Final = VirtualBatteryBook()


def virtual_batteries_of_leaves(leaves: Mapping[bytes, Value]) -> VirtualBatteryBook:
    """The book that has these leaves, keys without `LEAF_KEY`. Raises `Malformed`."""
    delegations: dict[bytes, bytes] = {}
    aggregations: dict[bytes, tuple[bytes, ...]] = {}
    for key, value in leaves.items():
        what, _, member = key.partition(b"/")
        if not isinstance(value, tuple) or not value or len(member) != ID_BYTES:
            raise Malformed("a leaf of virtual batteries that says nothing")
        try:
            if what == b"delegation":
                aggregator = decode_delegation(value)
                assert aggregator is not None, "a payload that is not empty names one"
                delegations[member] = aggregator
            elif what == b"aggregation" and (members := decode_aggregation(value)):
                aggregations[member] = members
            else:
                raise Malformed("a leaf of virtual batteries that says nothing")
        except MalformedPayload as fault:
            raise Malformed(str(fault)) from fault
    return VirtualBatteryBook(dict(sorted(delegations.items())), dict(sorted(aggregations.items())))


def _point(rules: CellRules, member: bytes, interval: int, gone: Collection[bytes]) -> MemberRule | None:
    """The metering point of a member that takes part in an interval."""
    rule = rules.member(member)
    out = member in gone or member == gateway_of(rules.parent)
    return None if rule is None or out or not rule.meters(interval) else rule


def _fit(member: MemberRule | None, aggregator: MemberRule | None) -> bool:
    return member is not None and aggregator is not None and member.branch == aggregator.branch


def _end(direct: Mapping[bytes, bytes], member: bytes) -> bytes | None:
    """The end of a member's chain of aggregators; None where it is too long, or a ring."""
    for _ in range(MOST_LEVELS):
        member = direct[member]
        if member not in direct:
            return member
    return None
