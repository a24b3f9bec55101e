"""Reading the membership back from its leaves: the inverse of `Membership.leaves` and `Membership.change_leaves`."""

from collections.abc import Iterable
from typing import Final

from ledger.changes import NumberedChange
from ledger.encoding import Value, decode
from ledger.errors import Malformed
from ledger.limits import SYNC_BYTES
from ledger.membership import Member, Membership, Pending, Retired

_NUMBER: Final = b"number"
_KEY: Final = b"key/"
_PENDING: Final = b"pending/"


def membership_of_leaves(
    members: Iterable[tuple[bytes, bytes]], changes: Iterable[tuple[bytes, bytes]]
) -> Membership:
    """The membership that has these leaves, each kind sorted. Raises `Malformed`."""
    everyone = [_member_from(key, data) for key, data in members]
    number: int | None = None
    retired: list[Retired] = []
    pending: list[Pending] = []
    for key, data in changes:
        value = decode(data, max_bytes=SYNC_BYTES)
        if key == _NUMBER and isinstance(value, int):
            number = value
        elif key.startswith(_KEY):
            retired.append(_retired_from(key.removeprefix(_KEY), value))
        elif key.startswith(_PENDING):
            pending.append(_pending_from(value))
        else:
            raise Malformed("no leaf of a change of membership")
    if number is None:
        raise Malformed("the number of the last change is missing")
    try:
        return Membership(
            members=tuple(member for member in everyone if member.left_at is None),
            departed=tuple(member for member in everyone if member.left_at is not None),
            retired=tuple(retired),
            changes=number,
            pending=tuple(pending),
        )
    except ValueError as fault:
        raise Malformed(str(fault)) from fault


def _member_from(key: bytes, data: bytes) -> Member:
    match decode(data, max_bytes=SYNC_BYTES):
        case (
            bytes(name),
            bytes(feed_key),
            (bytes() | None) as consensus_key,
            int(roles),
            int(incarnation),
            (int() | None) as frozen_at,
            (int() | None) as left_at,
            (tuple() | None) as terms,
        ):
            return Member(key, name, feed_key, consensus_key, roles, incarnation, frozen_at, left_at, terms)
    raise Malformed("no record of a member")


def _retired_from(key: bytes, value: Value) -> Retired:
    match value:
        case (bytes(member), int(height), int(votes)):
            return Retired(key, member, height, bool(votes))
    raise Malformed("no record of a key of the past")


def _pending_from(value: Value) -> Pending:
    match value:
        case (int(height), bytes(body)):
            return Pending(NumberedChange.decode(body), height)
    raise Malformed("no record of a change to come")
