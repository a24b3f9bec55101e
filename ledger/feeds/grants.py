"""Granting a feed a new incarnation: how a member whose feed lost entries may speak again.

The member cannot say so itself, since it no longer knows what its last entry was, and if it could, losing a
feed would be a way to withdraw an order. So an operator's entry names it, and the block that contains the
entry grants it. The member's trading in that block is void, what was anchored stays, and its next entry is
sequence 0 of the new incarnation.
"""

from collections.abc import Iterable
from typing import Final

from ledger.encoding import Value
from ledger.limits import ID_BYTES
from ledger.membership.members import Membership
from ledger.records.entries import SignedEntry
from ledger.records.genesis import Role

GRANT_KIND: Final = 1
"""An operator's entry: payload (member id, incarnation). Ignored when it grants nothing."""


def grant_payload(member: bytes, incarnation: int) -> tuple[Value, ...]:
    """The payload of an entry that grants `member` the incarnation after its present one."""
    return (member, incarnation)


def apply_grants(
    membership: Membership, entries: Iterable[tuple[bytes, SignedEntry]]
) -> tuple[Membership, frozenset[bytes]]:
    """The membership after the grants among these entries, and the members that got one.

    An entry that is no operator's, malformed, or for another incarnation than the next one grants nothing.
    """
    granted: set[bytes] = set()
    for author, signed in entries:
        if signed.entry.kind != GRANT_KIND:
            continue
        operator = membership.by_id(author)
        if operator is None or not operator.roles & Role.OPERATOR:
            continue
        match signed.entry.payload:
            case (bytes(member_id), int(incarnation)) if len(member_id) == ID_BYTES:
                member = membership.by_id(member_id)
                if member is not None and incarnation == member.incarnation + 1:
                    membership = membership.with_incarnation(member_id, incarnation)
                    granted.add(member_id)
    return membership, frozenset(granted)
