"""Who bears what branches lose beyond what the contracts had in them: one word of the genesis, and how it is written.

Without it a genesis is written as it was before the word existed, and real losses are not settled.
"""

from enum import IntEnum
from typing import TypedDict

from ledger.encoding import Value
from market.errors import InvalidRules
from market.federation.parent_rule import ParentRule, parent_from, parent_value
from market.rule_fields import integer


class LossBearer(IntEnum):
    """Who pays for losses above the contracted ones, and gets what losses below them save."""

    NOBODY = 0
    """Real losses are not settled: the contracted ones stand."""
    ACCOUNT = 1
    """The loss account, which whoever runs the feeder evens out."""
    COMMUNITY = 2
    """The community account."""
    DSO = 3
    """The dso's account, which the fees and the rent of the feeder go to."""
    MEMBERS = 4
    """Every metering point in proportion to what crossed it both ways."""


def optional_rules(parent: ParentRule | None, bearer: LossBearer) -> tuple[Value, ...]:
    """The end of a genesis' rules: nothing, the parent, or the parent (or null) and the bearer."""
    if not bearer:
        return () if parent is None else (parent_value(parent),)
    return (None if parent is None else parent_value(parent), int(bearer))


class OptionalRules(TypedDict, total=False):
    """Fields of `CellRules` that a genesis may leave out."""

    parent: ParentRule | None
    loss_bearer: LossBearer


def optional_from(values: list[Value]) -> OptionalRules:
    """What `optional_rules` was given. Raises `InvalidRules` naming the field."""
    if not values:
        return {}
    if len(values) == 1:
        return {"parent": parent_from(values[0])}
    parent = None if values[0] is None else parent_from(values[0])
    number = integer(values[1], "loss_bearer")
    if number not in set(LossBearer) or not number:
        raise InvalidRules("loss_bearer", f"must be one of 1 to {max(LossBearer)}, not {number}")
    return {"parent": parent, "loss_bearer": LossBearer(number)}
