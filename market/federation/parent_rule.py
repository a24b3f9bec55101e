"""What the genesis of a cell fixes of the cell above it: whose certificates count, and who stands in both.

A cell with a parent has a gateway: a member of both cells, which orders in the parent what the cell could
give or take, and in the cell what the parent decided. In the cell it may order only with a proof.
"""

from dataclasses import dataclass

from ledger.chain.epochs import Trust
from ledger.encoding import Value
from ledger.limits import ID_BYTES, KEY_BYTES
from ledger.records.genesis import Genesis, member_id
from ledger.records.validators import ValidatorSet
from market.errors import InvalidRules
from market.rule_fields import fields, integer, octets, rows

MAX_LEAD_S = 604_800
"""A week: the longest delivery period, and so the longest lead of a gate."""


@dataclass(frozen=True, slots=True)
class ParentRule:
    """The cell above: its id, founding validators' keys, gate lead and last timely round; and the gateway.

    `gateway` is the gateway's id in this cell, `member_above` its id in the parent. Raises `InvalidRules`.
    """

    cell_id: bytes
    validators: tuple[bytes, ...]
    gate_lead_s: int
    last_timely_round: int
    gateway: bytes
    member_above: bytes

    def __post_init__(self) -> None:
        for name, known in (
            ("cell_id", self.cell_id),
            ("gateway", self.gateway),
            ("member_above", self.member_above),
        ):
            if len(known) != ID_BYTES:
                raise InvalidRules(f"parent.{name}", f"must have {ID_BYTES} bytes")
        if any(len(key) != KEY_BYTES for key in self.validators):
            raise InvalidRules("parent.validators", f"must be keys of {KEY_BYTES} bytes")
        try:
            ValidatorSet(self.validators)
        except ValueError as fault:
            raise InvalidRules("parent.validators", str(fault)) from fault
        if not 0 <= self.gate_lead_s <= MAX_LEAD_S:
            raise InvalidRules(
                "parent.gate_lead_s", f"must be within 0..{MAX_LEAD_S}, not {self.gate_lead_s}"
            )
        if not 0 <= self.last_timely_round < 2**31:
            raise InvalidRules("parent.last_timely_round", "must be within 0..2^31")

    @property
    def trust(self) -> Trust:
        """The parent's validators from block 1 on, until its headers name others."""
        return Trust(1, ValidatorSet(self.validators))


def parent_rule(parent: Genesis, gate_lead_s: int, name: str, gateway: bytes) -> ParentRule:
    """The rule for a parent with this genesis, where the gateway has this name. Raises `InvalidRules`."""
    found = next((member for member in parent.members if member.name == name.encode()), None)
    if found is None:
        known = ", ".join(sorted(member.name.decode() for member in parent.members))
        raise InvalidRules("parent.member_above", f"{name!r} is no member of the parent, which has {known}")
    return ParentRule(
        parent.cell_id,
        Trust.founding(parent).validators.keys,
        gate_lead_s,
        parent.last_timely_round,
        gateway,
        member_id(found.feed_key),
    )


def parent_value(rule: ParentRule) -> tuple[Value, ...]:
    """The rule as it stands in a genesis."""
    return (
        rule.cell_id,
        rule.validators,
        rule.gate_lead_s,
        rule.last_timely_round,
        rule.gateway,
        rule.member_above,
    )


def parent_from(row: Value) -> ParentRule:
    """What `parent_value` gave. Raises `InvalidRules` naming the field."""
    cell_id, validators, lead, timely, gateway, above = fields(row, 6, "parent")
    return ParentRule(
        octets(cell_id, "parent.cell_id"),
        tuple(octets(key, "parent.validators") for key in rows(validators, "parent.validators")),
        integer(lead, "parent.gate_lead_s"),
        integer(timely, "parent.last_timely_round"),
        octets(gateway, "parent.gateway"),
        octets(above, "parent.member_above"),
    )


def gateway_of(parent: ParentRule | None) -> bytes | None:
    """The member that is the gateway of a cell with this cell above; None where there is none above."""
    return None if parent is None else parent.gateway
