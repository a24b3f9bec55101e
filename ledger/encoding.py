"""The canonical encoding: CBOR (RFC 8949) cut down to integers, byte strings, null and definite arrays.

Every value has exactly one encoding and every accepted byte string is the encoding of exactly one value, so
that ids and signatures over bytes are ids and signatures over values. cbor2 reads and writes; what it would let
pass (trailing bytes, longer-than-needed integers, tags, floats, text, maps, indefinite lengths) is refused by
its own limits, by a look at every type, and by encoding again what was read. Reading costs time and memory
linear in the bytes received, whatever lengths they claim.
"""

from typing import Never, TypeAlias

import cbor2

from ledger.errors import Malformed
from ledger.limits import DEPTH

Value: TypeAlias = int | bytes | tuple["Value", ...] | None
"""What can be signed: nothing else enters agreed state."""

INT_BOUND = 1 << 63
"""Integers lie in -2**63 .. 2**63 - 1; larger amounts travel as ``big_int_bytes``."""


def encode(value: Value) -> bytes:
    """The canonical encoding of a value.

    Raises TypeError for a type outside ``Value`` and ValueError for an integer outside 64 bits or arrays
    nested too deep: those are mistakes of the caller, not of a peer.
    """
    _check(value, DEPTH)
    return cbor2.dumps(value)


def decode(data: bytes, *, max_bytes: int) -> Value:
    """The value that ``data`` is the canonical encoding of; raises Malformed and nothing else."""
    if len(data) > max_bytes:
        raise Malformed(f"{len(data)} bytes where at most {max_bytes} are allowed")
    try:
        value: Value = cbor2.loads(
            data,
            semantic_decoders=_NO_TAGS,
            tag_hook=_refuse_tag,
            max_depth=DEPTH + 1,
            allow_indefinite=False,
            immutable=True,
        )
        canonical = encode(value)
    except (cbor2.CBORError, TypeError, ValueError) as fault:
        raise Malformed(f"not the encoding of a ledger value: {fault}") from None
    if canonical != data:
        raise Malformed("not the shortest encoding of its value, or bytes follow it")
    return value


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


def _check(value: Value, depth: int) -> None:
    """Raise TypeError or ValueError unless the value is one of ours; bool is an int to Python, not to us."""
    kind = type(value)
    if kind is bytes or value is None:
        return
    if isinstance(value, int) and kind is not bool:
        if not -INT_BOUND <= value < INT_BOUND:
            raise ValueError("an integer outside 64 bits")
    elif isinstance(value, tuple):
        if depth == 0:
            raise ValueError(f"arrays nested deeper than {DEPTH}")
        for item in value:
            # Most of what is signed are hashes and small integers, so these are not worth a call.
            if type(item) is not bytes and not (type(item) is int and -INT_BOUND <= item < INT_BOUND):
                _check(item, depth - 1)
    elif not isinstance(value, bytes):
        raise TypeError(f"a {type(value).__name__} is not a ledger value")


def _refuse_tag(*_: object) -> Never:
    raise ValueError("tags are not used")


_NO_TAGS = dict.fromkeys((*range(300), 1004, 43_000, 55_799), _refuse_tag)
"""Every tag that cbor2 would interpret, refused before it does; all others go to ``tag_hook``."""
