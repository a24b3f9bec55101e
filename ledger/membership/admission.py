"""Which changes of membership a block takes. They hold two heights later.

A change that a block at height h takes is pending in the state after h, and in force from height h + 2 on: the
header of h + 1 already names the validators of h + 2. So whoever follows the headers knows the validators of the
next height before it must check their votes, and a validator knows its last height one block ahead.

What is wrong with an entry never makes a block invalid: the entry changes nothing.
"""

from collections.abc import Callable, Iterable
from typing import Final

from ledger.encoding import Value
from ledger.errors import InvalidGenesis, PeerError
from ledger.membership.members import Membership
from ledger.membership.switching import judge, propose, take_support
from ledger.records.changes import (
    CHANGE_KIND,
    Admit,
    Change,
    NumberedChange,
    Readmit,
    Remove,
    Rotate,
    SwitchProtocol,
    open_change,
)
from ledger.records.entries import SignedEntry
from ledger.records.genesis import ALL_ROLES, Genesis, Role, check_name, member_id

HEIGHTS_AHEAD: Final = 2
"""A change taken at height h holds from height h + 2 on."""

MEMBERS_LIMIT: Final = 4096
"""Members of a cell: half of what one request of anti-entropy names, and far beyond one feeder."""

Accepts = Callable[[bytes, tuple[Value, ...]], bool]
"""Whether the application has a place for a member with this id on these terms."""


def take_changes(
    membership: Membership,
    entries: Iterable[tuple[bytes, SignedEntry]],
    genesis: Genesis,
    height: int,
    accepts: Accepts,
) -> Membership:
    """`membership` with the changes that the entries of the block at `height` bring pending in it, and the protocol's
    version that these lead to.
    """
    for author, signed in entries:
        membership = take_support(membership, author, signed)
        if signed.entry.kind != CHANGE_KIND:
            continue
        match signed.entry.payload:
            case (bytes(envelope),):
                try:
                    numbered = open_change(envelope, genesis.cell_id, genesis.admission_keys)
                except PeerError:
                    continue
                membership = with_change(membership, numbered, genesis, height, accepts)
    return judge(membership, height, height + HEIGHTS_AHEAD)


def with_change(
    membership: Membership, numbered: NumberedChange, genesis: Genesis, height: int, accepts: Accepts
) -> Membership:
    """`membership` after one signed change in the block at `height`; the same where the change is not taken."""
    if numbered.number != membership.changes + 1:
        return membership
    if isinstance(numbered.change, SwitchProtocol):
        return propose(membership, numbered, numbered.change, height, height + HEIGHTS_AHEAD)
    if why_not(membership, numbered.change, genesis, accepts) is not None:
        return membership
    return membership.with_pending(numbered, height + HEIGHTS_AHEAD)


def why_not(membership: Membership, change: Change, genesis: Genesis, accepts: Accepts) -> str | None:
    """Why a change cannot follow all that is pending; None when it can."""
    expected = membership.expected()
    match change:
        case Admit():
            return _why_not_admit(expected, change, genesis, accepts)
        case Remove(id_):
            member = expected.by_id(id_)
            if member is None:
                return "there is no such member"
            others = [other for other in expected.members if other.id != id_]
            if not any(other.roles & Role.VALIDATOR for other in others):
                return "no validator would be left"
            return None
        case Rotate(id_, feed_key, consensus_key):
            return _why_not_keys(expected, id_, (feed_key, consensus_key), genesis)
        case Readmit(id_, incarnation, consensus_key):
            member = expected.by_id(id_)
            if member is not None and incarnation != member.incarnation + 1:
                return f"incarnation {incarnation} does not follow {member.incarnation}"
            if member is not None and member.consensus_key is not None and consensus_key is None:
                return "a validator begins again only with a new consensus key"
            return _why_not_keys(expected, id_, (None, consensus_key), genesis)
        case SwitchProtocol(version):
            newest = membership.protocol.newest
            return None if version > newest else f"protocol {version} is not newer than {newest}, which holds"


def _why_not_admit(expected: Membership, change: Admit, genesis: Genesis, accepts: Accepts) -> str | None:
    if len(expected.members) >= MEMBERS_LIMIT:
        return f"a cell has at most {MEMBERS_LIMIT} members"
    try:
        check_name(change.name, "the name")
    except InvalidGenesis as fault:
        return str(fault)
    if any(member.name == change.name for member in expected.members):
        return f"another member is named {change.name.decode()!r}"
    if change.roles <= 0 or change.roles & ~ALL_ROLES:
        return f"the roles {change.roles} are not known roles"
    if bool(change.roles & Role.VALIDATOR) != (change.consensus_key is not None):
        return "a validator, and nobody else, has a consensus key"
    if change.feed_key == change.consensus_key:
        return "two keys are the same"
    for key in (change.feed_key, change.consensus_key):
        if key is not None and _was_used(expected, key, genesis):
            return f"the key {key.hex()} was used before in this cell"
    if not accepts(member_id(change.feed_key), change.terms):
        return "the application has no place on these terms"
    return None


def _why_not_keys(
    expected: Membership, id_: bytes, keys: tuple[bytes | None, bytes | None], genesis: Genesis
) -> str | None:
    member = expected.by_id(id_)
    feed_key, consensus_key = keys
    if member is None:
        return "there is no such member"
    if consensus_key is not None and member.consensus_key is None:
        return "a member that is no validator has no consensus key"
    if feed_key is not None and feed_key == consensus_key:
        return "two keys are the same"
    for key in keys:
        if key is not None and _was_used(expected, key, genesis):
            return f"the key {key.hex()} was used before in this cell"
    return None


def _was_used(expected: Membership, key: bytes, genesis: Genesis) -> bool:
    """No key serves twice, or one member could be charged with what another signed."""
    return (
        key in genesis.admission_keys
        or key in expected.feed_keys(ever=True)
        or key in expected.consensus_keys(ever=True)
    )
