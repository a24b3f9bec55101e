"""Who may vote, how many must, whose turn it is."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.records.validators import ValidatorSet


def validators(size: int) -> ValidatorSet:
    return ValidatorSet(tuple(bytes([index]) * 32 for index in range(size)))


@given(st.integers(1, 200))
def test_two_quorums_share_an_honest_validator_and_the_honest_reach_one(size: int) -> None:
    members = validators(size)
    assert 2 * members.quorum - size > members.faults
    assert size - members.faults >= members.quorum


@pytest.mark.parametrize(
    ("size", "faults", "quorum"), [(1, 0, 1), (3, 0, 3), (4, 1, 3), (7, 2, 5), (8, 2, 6)]
)
def test_quorum_and_faults_of_usual_cells(size: int, faults: int, quorum: int) -> None:
    assert (validators(size).faults, validators(size).quorum) == (faults, quorum)


def test_the_proposer_moves_on_with_every_round_and_every_height() -> None:
    members = validators(4)
    assert [members.proposer(5, round_) for round_ in range(5)] == [1, 2, 3, 0, 1]
    assert [members.proposer(height, 0) for height in range(1, 6)] == [1, 2, 3, 0, 1]


def test_a_stranger_has_no_index() -> None:
    members = validators(3)
    assert members.index_of(members.keys[2]) == 2
    assert members.index_of(b"stranger".ljust(32)) is None


def test_the_hash_depends_on_every_key_and_on_their_order() -> None:
    members = validators(3)
    assert members.hash() == validators(3).hash()
    assert members.hash() != validators(4).hash()
    assert members.hash() != ValidatorSet(members.keys[::-1]).hash()


def test_no_validators_or_the_same_key_twice_is_refused() -> None:
    with pytest.raises(ValueError, match="without validators"):
        ValidatorSet(())
    with pytest.raises(ValueError, match="share a consensus key"):
        ValidatorSet((b"a" * 32, b"a" * 32))
