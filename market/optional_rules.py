"""What a genesis may leave out of its rules: the cell above, the rank of formers, who bears losses, emergency prices.

They end the rules, in this order, each null where there is none of it. Behind the last one nothing is written,
so a genesis without them has the bytes that it had before there were any.
"""

from typing import TypedDict

from ledger.encoding import Value
from market.emergency.tariff import EmergencyTariff, emergency_tariff_from, emergency_tariff_value
from market.errors import InvalidRules
from market.federation.parent_rule import ParentRule, parent_from, parent_value
from market.loss_bearer import LossBearer
from market.rule_fields import integer, octets, rows

MOST_OPTIONAL = 4


class OptionalRules(TypedDict, total=False):
    """Fields of `CellRules` that a genesis may leave out."""

    parent: ParentRule | None
    formers: tuple[bytes, ...]
    loss_bearer: LossBearer
    emergency_tariff: EmergencyTariff | None


def optional_values(
    parent: ParentRule | None,
    formers: tuple[bytes, ...],
    bearer: LossBearer,
    emergency: EmergencyTariff | None,
) -> tuple[Value, ...]:
    """The end of the rules of a genesis, none to `MOST_OPTIONAL` values."""
    values: list[Value] = [
        None if parent is None else parent_value(parent),
        formers or None,
        int(bearer) or None,
        None if emergency is None else emergency_tariff_value(emergency),
    ]
    while values and values[-1] is None:
        values.pop()
    return tuple(values)


def optional_from(values: list[Value]) -> OptionalRules:
    """What `optional_values` was given. Raises `InvalidRules` naming the field."""
    if values and values[-1] is None:
        raise InvalidRules("application", "ends with null, which is left out")
    filled = [*values, *[None] * (MOST_OPTIONAL - len(values))]
    parent, formers, bearer, emergency = filled[0], filled[1], filled[2], filled[3]
    found: OptionalRules = {}
    if parent is not None:
        found["parent"] = parent_from(parent)
    if formers is not None:
        found["formers"] = _formers(formers)
    if bearer is not None:
        found["loss_bearer"] = _bearer(integer(bearer, "loss_bearer"))
    if emergency is not None:
        found["emergency_tariff"] = emergency_tariff_from(emergency)
    return found


def _formers(value: Value) -> tuple[bytes, ...]:
    ranked = rows(value, "formers")
    if not ranked:
        raise InvalidRules("formers", "is empty; it is left out then")
    return tuple(octets(each, f"formers[{index}]") for index, each in enumerate(ranked))


def _bearer(number: int) -> LossBearer:
    if number not in set(LossBearer) or not number:
        raise InvalidRules("loss_bearer", f"must be one of 1 to {max(LossBearer)}, not {number}")
    return LossBearer(number)
