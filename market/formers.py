"""What a genesis may say beside the rules of the market: the cell above, and who forms the grid in an outage.

Both are left out where there is nothing to say, so that a genesis without them is written as before there were any.
"""

from ledger.encoding import Value
from ledger.limits import ID_BYTES
from market.errors import InvalidRules
from market.federation.parent_rule import ParentRule, parent_from, parent_value
from market.rule_fields import octets, rows

MOST_FORMERS = 64
"""Members that may form an island's grid: each place in the rank waits ten seconds longer than the one before."""


def encode_additions(parent: ParentRule | None, formers: tuple[bytes, ...]) -> tuple[Value, ...]:
    """The last fields of a genesis' application, none to two."""
    if formers:
        return (None if parent is None else parent_value(parent), formers)
    return () if parent is None else (parent_value(parent),)


def decode_additions(values: list[Value]) -> tuple[ParentRule | None, tuple[bytes, ...]]:
    """The cell above and the rank of formers. Raises `InvalidRules`."""
    if not values:
        return None, ()
    if len(values) == 1:
        return parent_from(values[0]), ()
    ranked = rows(values[1], "formers")
    if not ranked:
        raise InvalidRules("formers", "is empty; it is left out then")
    formers = tuple(octets(each, f"formers[{index}]") for index, each in enumerate(ranked))
    return None if values[0] is None else parent_from(values[0]), formers


def check_formers(formers: tuple[bytes, ...]) -> None:
    """Raise `InvalidRules` unless they are ids of members, each once."""
    if len(formers) > MOST_FORMERS:
        raise InvalidRules("formers", f"must be at most {MOST_FORMERS}")
    if len(set(formers)) != len(formers) or any(len(each) != ID_BYTES for each in formers):
        raise InvalidRules("formers", f"must be ids of {ID_BYTES} bytes, each once")
