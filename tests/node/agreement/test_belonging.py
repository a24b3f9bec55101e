"""Who a node is, who may connect to it, and whom it asks, while members come, go and take new keys."""

from dataclasses import replace
from hashlib import sha256

from ledger.membership.members import Membership
from ledger.records.changes import Admit, Change, NumberedChange, Remove, Rotate
from ledger.records.genesis import Role
from node import events as ev
from node.agreement.belonging import Identity, confirmations_needed, connectable, members_changed
from sim.cells.keys import Keys, founded

KEYS = [Keys.of(index) for index in range(4)]
FOUNDED = Membership.founding(founded(KEYS))
NEW = sha256(b"new").digest()


def changed(change: Change) -> Membership:
    """The founded cell after one change."""
    return FOUNDED.with_pending(NumberedChange(1, change), 3).at(3)


def test_exactly_the_members_in_force_may_connect() -> None:
    assert {name for _, name in connectable(FOUNDED)} == {"home-0", "home-1", "home-2", "home-3"}
    pending = FOUNDED.with_pending(NumberedChange(1, Remove(KEYS[3].member)), 3)
    assert members_changed(FOUNDED, pending) == []
    allowed, said = members_changed(pending, pending.at(3))
    assert isinstance(allowed, ev.MembersChanged)
    assert KEYS[3].public not in dict(allowed.members)
    assert isinstance(said, ev.Report) and said.fields == {"came": [], "left": ["home-3"]}


def test_a_member_with_a_new_key_is_allowed_under_it_alone() -> None:
    allowed, said = members_changed(FOUNDED, changed(Rotate(KEYS[1].member, NEW, None)))
    assert isinstance(allowed, ev.MembersChanged)
    assert dict(allowed.members).get(NEW) == "home-1"
    assert KEYS[1].public not in dict(allowed.members)
    assert isinstance(said, ev.Report) and said.fields == {"came": ["home-1"], "left": ["home-1"]}


def test_a_new_consensus_key_or_a_freeze_changes_no_connection() -> None:
    assert members_changed(FOUNDED, changed(Rotate(KEYS[1].member, None, NEW))) == []
    assert members_changed(FOUNDED, FOUNDED.with_frozen((KEYS[1].member,), 2)) == []


def test_we_are_present_only_under_the_key_that_we_hold() -> None:
    identity = Identity(KEYS[1].member, KEYS[1].public, None)
    member = identity.present(FOUNDED)
    assert member is not None and member.name == b"home-1"
    rotated = changed(Rotate(KEYS[1].member, NEW, None))
    assert identity.present(rotated) is None
    assert replace(identity, feed_key=NEW).present(rotated) is not None
    assert replace(identity, feed_key=NEW).feed_keys(rotated) == {NEW, KEYS[1].public}
    assert identity.present(changed(Remove(KEYS[1].member))) is None


def test_so_many_confirm_as_the_cell_that_is_there_now_has_for_a_quorum() -> None:
    own = KEYS[0].member
    assert confirmations_needed(FOUNDED, own) == 2
    assert confirmations_needed(changed(Remove(KEYS[3].member)), own) == 2
    admitted = changed(Admit(b"five", NEW, sha256(NEW).digest(), int(Role.VALIDATOR), ()))
    assert confirmations_needed(admitted, own) == 3
    alone = Membership.founding(founded(KEYS[:1]))
    assert confirmations_needed(alone, own) == 0
    assert confirmations_needed(alone, NEW) == 0
