"""The fields of encoded rules, each read strictly: an error names where it is."""

from ledger.encoding import Value
from market.errors import InvalidRules


def rows(value: Value, where: str) -> tuple[Value, ...]:
    """An array. Raises `InvalidRules`."""
    if not isinstance(value, tuple):
        raise InvalidRules(where, "must be an array")
    return value


def fields(value: Value, count: int, where: str) -> tuple[Value, ...]:
    """An array of so many fields. Raises `InvalidRules`."""
    row = rows(value, where)
    if len(row) != count:
        raise InvalidRules(where, f"must have {count} fields, not {len(row)}")
    return row


def integer(value: Value, where: str) -> int:
    """An integer. Raises `InvalidRules`."""
    if not isinstance(value, int) or isinstance(value, bool):
        raise InvalidRules(where, "must be an integer")
    return value


def optional_integer(value: Value, where: str) -> int | None:
    """An integer or null. Raises `InvalidRules`."""
    return None if value is None else integer(value, where)


def octets(value: Value, where: str) -> bytes:
    """A byte string. Raises `InvalidRules`."""
    if not isinstance(value, bytes):
        raise InvalidRules(where, "must be a byte string")
    return value


def text(value: Value, where: str) -> str:
    """A byte string of UTF-8. Raises `InvalidRules`."""
    try:
        return octets(value, where).decode()
    except UnicodeDecodeError as error:
        raise InvalidRules(where, "must be UTF-8 text") from error


def within(value: int, lowest: int, highest: int, where: str) -> None:
    """Raise `InvalidRules` unless the value lies between the two, both included."""
    if not lowest <= value <= highest:
        raise InvalidRules(where, f"must be within {lowest}..{highest}, not {value}")
