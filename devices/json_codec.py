"""Frozen dataclasses to JSON and back, strictly: for the control socket, saved state and cycle records.

An object carries its class name under "type". Reading checks every type, refuses unknown fields, missing ones that
have no default, numbers that are not finite, and anything longer than its bound, and says where it stood.
"""

import json
from dataclasses import MISSING, fields, is_dataclass
from enum import Enum
from functools import cache
from types import NoneType, UnionType
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

from devices.errors import MessageError

Decoded = TypeVar("Decoded")

LONGEST_TEXT = 1_000
"""Characters: names, reasons and paths are far shorter."""
LONGEST_LIST = 5_000
"""Items: more than the records kept or the devices of one node."""
LARGEST_INTEGER = 2**63
"""What a 64-bit counter of nanoseconds or milliwatt-hours holds."""


def to_json(value: object) -> bytes:
    """One dataclass as compact JSON in UTF-8. Its floats are finite (ValueError)."""
    return json.dumps(_plain(value), separators=(",", ":"), allow_nan=False).encode()


def from_json(expected: type[Decoded], data: bytes) -> Decoded:
    """The dataclass of type `expected` in `data`. Raises MessageError."""
    value: Decoded = from_json_union((expected,), data)
    return value


def from_json_union(expected: tuple[type[Any], ...], data: bytes) -> Any:
    """One of the `expected` dataclasses in `data`. Raises MessageError."""
    try:
        plain = json.loads(data, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise MessageError(f"no JSON: {error}") from error
    return _typed(_union(expected), plain, "message")


def _plain(value: object) -> object:
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    if is_dataclass(value):
        members = {field.name: _plain(getattr(value, field.name)) for field in fields(value)}
        return {"type": type(value).__name__, **members}
    return value


def _no_constant(name: str) -> float:
    raise ValueError(f"{name} is no number here")


@cache
def _union(expected: tuple[type[Any], ...]) -> Any:
    return Union[expected]  # noqa: UP007 - built from a tuple at run time


def _typed(expected: Any, plain: object, path: str) -> Any:
    origin = get_origin(expected)
    if origin in (Union, UnionType):
        return _one_of(get_args(expected), plain, path)
    if origin is tuple:
        if not isinstance(plain, list) or len(plain) > LONGEST_LIST:
            raise MessageError(f"{path}: not a list of at most {LONGEST_LIST}")
        item = get_args(expected)[0]
        return tuple(_typed(item, each, f"{path}[{index}]") for index, each in enumerate(plain))
    if is_dataclass(origin or expected):
        return _object(expected, plain, path)
    return _scalar(expected, plain, path)


def _one_of(members: tuple[Any, ...], plain: object, path: str) -> Any:
    if plain is None and NoneType in members:
        return None
    choices = [member for member in members if member is not NoneType]
    if len(choices) == 1:
        return _typed(choices[0], plain, path)
    tag = plain.get("type") if isinstance(plain, dict) else None
    for choice in choices:
        if (get_origin(choice) or choice).__name__ == tag:
            return _typed(choice, plain, path)
    raise MessageError(f"{path}: no type that is known here")


def _object(expected: Any, plain: object, path: str) -> Any:
    class_, members, required = _members(expected)
    if not isinstance(plain, dict) or plain.get("type") != class_.__name__:
        raise MessageError(f"{path}: not a {class_.__name__}")
    given = plain.keys() - {"type"}
    if given - members.keys() or required - given:
        raise MessageError(f"{path}: not the fields of a {class_.__name__}")
    values = {name: _typed(members[name], plain[name], f"{path}.{name}") for name in members if name in given}
    try:
        return class_(**values)
    except ValueError as error:
        raise MessageError(f"{path}: {error}") from error


@cache
def _members(expected: Any) -> tuple[type[Any], dict[str, Any], frozenset[str]]:
    """A dataclass, the types of its fields (type variables replaced where it is generic), and those without a default:
    an older release did not write the others yet.
    """
    class_ = get_origin(expected) or expected
    hints = get_type_hints(class_)
    variables = dict(zip(getattr(class_, "__parameters__", ()), get_args(expected), strict=True))
    members = {field.name: variables.get(hints[field.name], hints[field.name]) for field in fields(class_)}
    required = frozenset(
        each.name for each in fields(class_) if each.default is MISSING and each.default_factory is MISSING
    )
    return class_, members, required


def _scalar(expected: Any, plain: object, path: str) -> Any:
    if isinstance(expected, type) and issubclass(expected, Enum):
        for member in expected:
            if member.value == plain:
                return member
    elif expected is bool:
        if isinstance(plain, bool):
            return plain
    elif expected is int:
        if isinstance(plain, int) and not isinstance(plain, bool) and abs(plain) < LARGEST_INTEGER:
            return plain
    elif expected is float:
        if isinstance(plain, int | float) and not isinstance(plain, bool) and abs(plain) < LARGEST_INTEGER:
            return float(plain)
    elif expected is str and isinstance(plain, str) and len(plain) <= LONGEST_TEXT:
        return plain
    raise MessageError(f"{path}: no {getattr(expected, '__name__', expected)} that is allowed here")
