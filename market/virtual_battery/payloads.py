"""What makes a virtual battery: a member names the aggregator that trades for it, an aggregator those it trades for.

The interval of such an entry is free. Encoding checks as decoding does; both raise
`MalformedPayload`, and a decoded payload encodes to what it came from.
"""

import itertools
from typing import Final

from ledger.encoding import Value
from ledger.limits import ID_BYTES
from market.errors import MalformedPayload

MOST_MEMBERS: Final = 24
"""Members of one aggregator: as many ids as an entry has room for. An aggregator may itself delegate, so that
larger ones nest."""


def encode_delegation(aggregator: bytes | None) -> tuple[Value, ...]:
    """Payload of a DELEGATION entry: who trades for the author from the next auction on; None: it does so itself."""
    return () if aggregator is None else (_id(aggregator),)


def decode_delegation(payload: tuple[Value, ...]) -> bytes | None:
    """The aggregator of a DELEGATION payload."""
    if len(payload) > 1:
        raise MalformedPayload(f"{len(payload)} fields where one aggregator, or none, is expected")
    return _id(payload[0]) if payload else None


def encode_aggregation(members: tuple[bytes, ...]) -> tuple[Value, ...]:
    """Payload of an AGGREGATION entry: all members, ascending, for whom the author trades if they want it to."""
    _check_members(members)
    return (members,)


def decode_aggregation(payload: tuple[Value, ...]) -> tuple[bytes, ...]:
    """The members of an AGGREGATION payload."""
    match payload:
        case (tuple(ids),):
            members = tuple(_id(each) for each in ids)
            _check_members(members)
            return members
    raise MalformedPayload("an aggregation is one array of members")


def _id(value: Value) -> bytes:
    if not isinstance(value, bytes) or len(value) != ID_BYTES:
        raise MalformedPayload(f"a member is an id of {ID_BYTES} bytes")
    return value


def _check_members(members: tuple[bytes, ...]) -> None:
    if len(members) > MOST_MEMBERS:
        raise MalformedPayload(f"an aggregator has at most {MOST_MEMBERS} members")
    if any(later <= earlier for earlier, later in itertools.pairwise(members)):
        raise MalformedPayload("members ascend by id")
