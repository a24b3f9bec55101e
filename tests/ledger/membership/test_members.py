"""Membership is an immutable, sorted, agreed value."""

from dataclasses import replace
from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.errors import Malformed
from ledger.membership.members import Membership
from ledger.merkle import map_root
from ledger.records.genesis import FoundingMember, Genesis, Role, member_id


def key(name: str) -> bytes:
    return sha256(name.encode()).digest()


def found(names: list[str], validators: list[str]) -> Membership:
    members = tuple(
        FoundingMember(
            name.encode(),
            key(name),
            key(name + " votes") if name in validators else None,
            int(Role.VALIDATOR | Role.PROSUMER if name in validators else Role.PROSUMER),
        )
        for name in names
    )
    return Membership.founding(Genesis(b"cell", 0, 0, (), members, ()))


NAMES = ["ada", "bob", "cleo", "dan", "eve"]
MEMBERSHIP = found(NAMES, ["ada", "bob", "cleo", "dan"])


def test_members_are_sorted_by_id_whatever_their_order_in_the_genesis() -> None:
    ids = [member.id for member in MEMBERSHIP.members]
    assert ids == sorted(member_id(key(name)) for name in NAMES)
    assert found(NAMES[::-1], ["ada", "bob", "cleo", "dan"]) == MEMBERSHIP


def test_members_are_found_by_id_and_by_either_key() -> None:
    ada = MEMBERSHIP.by_id(member_id(key("ada")))
    assert ada is not None
    assert ada.name == b"ada"
    assert MEMBERSHIP.by_feed_key(key("ada")) == MEMBERSHIP.by_consensus_key(key("ada votes")) == ada
    assert MEMBERSHIP.by_id(key("ada")) is None
    assert MEMBERSHIP.by_feed_key(key("ada votes")) is None
    assert MEMBERSHIP.by_consensus_key(key("ada")) is None


def test_validators_are_the_consensus_keys_in_order_of_member_id() -> None:
    expected = [m.consensus_key for m in MEMBERSHIP.members if m.name != b"eve"]
    assert list(MEMBERSHIP.validators().keys) == expected


def test_freezing_marks_the_height_once_and_keeps_the_quorum() -> None:
    ada, bob = member_id(key("ada")), member_id(key("bob"))
    frozen = MEMBERSHIP.with_frozen([ada], 7).with_frozen([ada, bob], 9)
    heights = {m.name: m.frozen_at for m in frozen.members}
    assert heights == {b"ada": 7, b"bob": 9, b"cleo": None, b"dan": None, b"eve": None}
    assert frozen.validators() == MEMBERSHIP.validators()
    assert all(member.frozen_at is None for member in MEMBERSHIP.members)


def test_only_members_can_be_frozen() -> None:
    with pytest.raises(ValueError, match="only a member"):
        MEMBERSHIP.with_frozen([bytes(32)], 1)


def test_an_incarnation_is_only_ever_raised() -> None:
    ada = member_id(key("ada"))
    raised = MEMBERSHIP.with_incarnation(ada, 2)
    granted = raised.by_id(ada)
    assert granted is not None
    assert granted.incarnation == 2
    for id_, incarnation in ((ada, 2), (ada, 1), (bytes(32), 1)):
        with pytest.raises(ValueError, match="incarnation"):
            raised.with_incarnation(id_, incarnation)


def test_ids_and_feed_keys_are_unique_and_ids_in_order() -> None:
    first, second = MEMBERSHIP.members[:2]
    for members in ((second, first), (first, first)):
        with pytest.raises(ValueError, match="sorted by id"):
            Membership(members)
    with pytest.raises(ValueError, match="same feed key"):
        Membership((first, replace(second, feed_key=first.feed_key)))


def test_leaves_commit_to_everything_about_a_member() -> None:
    ada = member_id(key("ada"))
    changed = [
        MEMBERSHIP,
        MEMBERSHIP.with_frozen([ada], 1),
        MEMBERSHIP.with_frozen([ada], 2),
        MEMBERSHIP.with_incarnation(ada, 1),
        *(
            Membership(tuple(replace(m, **change) if m.id == ada else m for m in MEMBERSHIP.members))
            for change in ({"name": b"x"}, {"feed_key": bytes(32)}, {"consensus_key": None}, {"roles": 1})
        ),
    ]
    assert len({map_root(membership.leaves()) for membership in changed}) == len(changed)
    assert [key for key, _ in MEMBERSHIP.leaves()] == [member.id for member in MEMBERSHIP.members]


@given(
    st.binary(max_size=60), st.sampled_from([b"number", b"key/" + key("a"), b"pending/" + bytes(8), b"other"])
)
def test_leaves_of_anything_else_are_malformed_or_a_membership(data: bytes, name: bytes) -> None:
    for leaves, changes in (([(key("a"), data)], []), ([], [(name, data)])):
        try:
            read = Membership.from_leaves(leaves, changes)
        except Malformed:
            continue
        assert dict(changes).items() <= dict(read.change_leaves()).items()
