"""Proofs of equivocation that wait for a block: one per member, and none that no longer holds."""

from dataclasses import replace
from hashlib import sha256

import pytest
from nacl.signing import SigningKey

from ledger.membership.evidence import Evidence
from ledger.membership.members import Membership
from ledger.records.entries import Entry, author_entry
from ledger.records.genesis import FoundingMember, Genesis, Role, member_id
from node.agreement.accusations import Accusations

KEYS = [SigningKey(sha256(b"feed %d" % number).digest()) for number in range(4)]
MEMBERS = tuple(
    FoundingMember(b"m%d" % number, key.verify_key.encode(), None, int(Role.PROSUMER))
    for number, key in enumerate(KEYS)
)
VALIDATOR = FoundingMember(
    b"v", *(SigningKey(bytes([n] * 32)).verify_key.encode() for n in (8, 9)), int(Role.VALIDATOR)
)
GENESIS = Genesis(b"cell", 0, 0, (), (*MEMBERS, VALIDATOR), ())
MEMBERSHIP = Membership.founding(GENESIS)
IDS = [member_id(key.verify_key.encode()) for key in KEYS]


def forked(number: int, note: int = 1) -> Evidence:
    """This member signed two entries for one place in its feed."""
    key = KEYS[number]
    first, second = (
        author_entry(key, GENESIS.cell_id, Entry(key.verify_key.encode(), 0, 0, None, 32, 1, 1, (each,)))
        for each in (0, note)
    )
    return Evidence.of_entries(first, second)


def test_who_equivocates_without_end_is_accused_once() -> None:
    accusations = Accusations(GENESIS.cell_id)
    taken = [accusations.take(forked(0, note), MEMBERSHIP) for note in range(1, 20)]
    assert taken == [IDS[0], *[None] * 18]
    assert accusations.take(forked(1), MEMBERSHIP) == IDS[1]
    assert accusations.pieces() == tuple(sorted((forked(0).encode(), forked(1).encode())))


def without(number: int) -> Membership:
    return Membership(tuple(member for member in MEMBERSHIP.members if member.id != IDS[number]))


def with_another_key(number: int) -> Membership:
    another = SigningKey(bytes(32)).verify_key.encode()
    changed = (
        replace(member, feed_key=another) if member.id == IDS[number] else member
        for member in MEMBERSHIP.members
    )
    return Membership(tuple(changed))


@pytest.mark.parametrize(
    "later",
    [MEMBERSHIP.with_frozen([IDS[0]], 3), without(0), with_another_key(0)],
    ids=["frozen", "left", "rotated"],
)
def test_what_no_longer_holds_is_forgotten_and_not_taken_again(later: Membership) -> None:
    """Seed 238 of the search: the signer gave up its key in the block after the proof was found."""
    accusations = Accusations(GENESIS.cell_id)
    for number in (0, 1):
        accusations.take(forked(number), MEMBERSHIP)
    accusations.keep_what_holds(later)
    assert accusations.pieces() == (forked(1).encode(),)
    assert accusations.take(forked(0), later) is None


def test_what_proves_nothing_here_is_not_taken() -> None:
    accusations = Accusations(bytes(32))
    assert accusations.take(forked(0), MEMBERSHIP) is None
    assert accusations.pieces() == ()
