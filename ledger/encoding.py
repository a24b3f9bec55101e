"""The canonical encoding: CBOR (RFC 8949) cut down to integers, byte strings, null and definite arrays.

Every value has exactly one encoding and every accepted byte string is the encoding of exactly one value, so
that ids and signatures over bytes are ids and signatures over values. The codec is our own because a general
CBOR reader accepts what must not pass here: trailing bytes, longer-than-needed integers, tags, floats, text,
maps and indefinite lengths. Reading costs time and memory linear in the bytes received, whatever lengths they
claim.
"""

from struct import Struct
from typing import TypeAlias

from ledger.errors import Malformed
from ledger.limits import DEPTH

Value: TypeAlias = int | bytes | tuple["Value", ...] | None
"""What can be signed: nothing else enters agreed state."""

INT_BOUND = 1 << 63
"""Integers lie in -2**63 .. 2**63 - 1; larger amounts travel as ``big_int_bytes``."""

_ENDS_INSIDE = "the bytes end inside a value"
_BAD_ARGUMENT = "an integer or length that is not in its shortest form or exceeds 64 bits"
_UNSIGNED, _NEGATIVE, _BYTES, _ARRAY, _NULL = 0x00, 0x20, 0x40, 0x80, 0xF6


def encode(value: Value) -> bytes:
    """The canonical encoding of a value.

    Raises TypeError for a type outside ``Value`` and ValueError for an integer outside 64 bits or arrays
    nested too deep: those are mistakes of the caller, not of a peer.
    """
    out: list[bytes] = []
    _append_items(out, (value,), DEPTH)
    return b"".join(out)


def decode(data: bytes, *, max_bytes: int) -> Value:
    """The value that ``data`` is the canonical encoding of; raises Malformed and nothing else."""
    if len(data) > max_bytes:
        raise Malformed(f"{len(data)} bytes where at most {max_bytes} are allowed")
    try:
        values, end = _read_items(data, 0, 1, DEPTH)
    except IndexError:
        raise Malformed(_ENDS_INSIDE) from None
    if end != len(data):
        raise Malformed("bytes follow the value" if end < len(data) else _ENDS_INSIDE)
    return values[0]


def big_int_bytes(value: int) -> bytes:
    """A signed integer of any size as minimal big-endian two's complement; zero is the empty string."""
    if value == 0:
        return b""
    magnitude = value if value > 0 else ~value
    return value.to_bytes(magnitude.bit_length() // 8 + 1, "big", signed=True)


def big_int_from(data: bytes) -> int:
    """The integer that ``big_int_bytes`` encoded; raises Malformed when the bytes are not minimal."""
    value = int.from_bytes(data, "big", signed=True)
    if big_int_bytes(value) != data:
        raise Malformed("a big integer with needless leading bytes")
    return value


def _head(major: int, argument: int) -> bytes:
    if argument < 24:
        return _SHORT_HEADS[major + argument]
    if argument < 0x100:
        return _HEAD_8.pack(major + 24, argument)
    if argument < 0x1_0000:
        return _HEAD_16.pack(major + 25, argument)
    if argument < 0x1_0000_0000:
        return _HEAD_32.pack(major + 26, argument)
    if argument < INT_BOUND:
        return _HEAD_64.pack(major + 27, argument)
    raise ValueError("an integer outside 64 bits")


def _append_items(out: list[bytes], values: tuple[Value, ...], depth: int) -> None:
    for value in values:
        kind = type(value)
        if isinstance(value, int) and kind is not bool:
            out.append(_head(_UNSIGNED, value) if value >= 0 else _head(_NEGATIVE, ~value))
        elif isinstance(value, bytes):
            out.append(_head(_BYTES, len(value)))
            out.append(value)
        elif value is None:
            out.append(_NULL_ENCODED)
        elif isinstance(value, tuple):
            if depth == 0:
                raise ValueError(f"arrays nested deeper than {DEPTH}")
            out.append(_head(_ARRAY, len(value)))
            _append_items(out, value, depth - 1)
        else:
            raise TypeError(f"a {kind.__name__} is not a ledger value")


def _read_items(data: bytes, at: int, count: int, depth: int) -> tuple[tuple[Value, ...], int]:
    """``count`` values from position ``at``, and the position after them; scalars are inline for speed."""
    items: list[Value] = []
    for _ in range(count):
        head = _HEADS[data[at]]
        if head is None:
            raise Malformed(f"byte 0x{data[at]:02x} starts no ledger value")
        major, argument, width, least = head
        at += 1
        if width:
            argument = int.from_bytes(data[at : at + width], "big")
            at += width
            if not least <= argument < INT_BOUND:
                raise Malformed(_ENDS_INSIDE if at > len(data) else _BAD_ARGUMENT)
        if major == _UNSIGNED:
            items.append(argument)
        elif major == _BYTES:
            end = at + argument
            if end > len(data):
                raise Malformed("a byte string is longer than what is left")
            items.append(data[at:end])
            at = end
        elif major == _ARRAY:
            if depth == 0:
                raise Malformed(f"arrays nested deeper than {DEPTH}")
            if argument > len(data) - at:
                raise Malformed("an array is longer than what is left")
            nested, at = _read_items(data, at, argument, depth - 1)
            items.append(nested)
        elif major == _NEGATIVE:
            items.append(~argument)
        else:
            items.append(None)
    return tuple(items), at


def _describe_head(first: int) -> tuple[int, int, int, int] | None:
    """(major type, argument, bytes of a following argument, least argument that needs so many)."""
    if first == _NULL:
        return (_NULL, 0, 0, 0)
    major, short = first & 0xE0, first & 0x1F
    if major not in (_UNSIGNED, _NEGATIVE, _BYTES, _ARRAY) or short > 27:
        return None
    if short < 24:
        return (major, short, 0, 0)
    width = 1 << (short - 24)
    return (major, 0, width, 24 if width == 1 else 1 << (4 * width))


_HEADS = tuple(_describe_head(first) for first in range(256))
_NULL_ENCODED = bytes([_NULL])
_SHORT_HEADS = tuple(bytes([first]) for first in range(256))
_HEAD_8, _HEAD_16, _HEAD_32, _HEAD_64 = Struct(">BB"), Struct(">BH"), Struct(">BI"), Struct(">BQ")
