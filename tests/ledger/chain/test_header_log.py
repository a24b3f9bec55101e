"""The log gives the roots and proofs of the plain Merkle tree, at a cost that grows with the logarithm."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.chain import header_log
from ledger.chain.header_log import HeaderLog
from ledger.merkle import Frontier, consistency_proof, inclusion_proof, leaf_hash, root, verify_consistency


def ids(count: int) -> list[bytes]:
    return [index.to_bytes(32, "big") for index in range(count)]


def log_of(count: int, begins: int = 0) -> HeaderLog:
    before = Frontier()
    for each in ids(begins):
        before = before.append(each)
    log = HeaderLog(before)
    for each in ids(count)[begins:]:
        log.append(each)
    return log


@settings(max_examples=60)
@given(st.integers(0, 70), st.data())
def test_roots_and_proofs_are_those_of_the_plain_tree_at_every_size(count: int, data: st.DataObject) -> None:
    begins = data.draw(st.integers(0, count))
    log = log_of(count, begins)
    size = data.draw(st.integers(begins, count))
    assert (log.begins, log.size, log.root(size)) == (begins, count, root(ids(size)))
    if size:
        old = data.draw(st.integers(max(1, begins), size))
        proof = log.consistency(old, size)
        assert proof == consistency_proof([leaf_hash(each) for each in ids(size)], old)
        verify_consistency(old, log.root(old), size, log.root(size), proof)
    if size > begins:
        index = data.draw(st.integers(begins, size - 1))
        path = log.inclusion(index, size)
        assert path == inclusion_proof([leaf_hash(each) for each in ids(size)], index)


@pytest.mark.parametrize(("old", "new"), [(0, 3), (4, 3), (2, 6), (-1, 2)])
def test_what_the_log_never_was_is_not_proved(old: int, new: int) -> None:
    with pytest.raises(ValueError, match="consistency is proved from a log of at least one id"):
        log_of(5).consistency(old, new)


@pytest.mark.parametrize(("index", "size"), [(-1, 3), (3, 3), (0, 6), (0, 0)])
def test_an_id_that_the_log_does_not_hold_is_not_proved(index: int, size: int) -> None:
    with pytest.raises(ValueError, match="no such id"):
        log_of(5).inclusion(index, size)


def test_what_was_before_its_beginning_is_not_proved() -> None:
    log = log_of(9, begins=6)
    for asked in (lambda: log.root(5), lambda: log.inclusion(5, 9), lambda: log.consistency(5, 9)):
        with pytest.raises(ValueError, match=r"begins with 6|no such id|no smaller"):
            asked()


def test_the_root_of_a_size_it_has_not_reached_is_refused() -> None:
    with pytest.raises(ValueError, match="the log has 5 ids"):
        log_of(5).root(6)


def test_a_proof_costs_a_number_of_hashes_in_the_square_of_the_logarithm(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    log = log_of(4_095)
    hashed = 0

    def counted(left: bytes, right: bytes) -> bytes:
        nonlocal hashed
        hashed += 1
        return b"node"

    monkeypatch.setattr(header_log, "node_hash", counted)
    log.consistency(1_365, 4_095)
    assert 0 < hashed < 12 * 12
