"""Merkle trees agree with RFC 6962's reference tree, and nothing but a true proof verifies."""

import json
from hashlib import sha256
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.encoding import encode
from ledger.errors import InvalidProof
from ledger.merkle import (
    Frontier,
    consistency_proof,
    inclusion_proof,
    leaf_hash,
    map_proof,
    map_root,
    node_hash,
    root,
    root_of_hashes,
    verify_consistency,
    verify_inclusion,
)

FOLDER = Path(__file__).parent.parent / "vectors" / "merkle"
PROOFS = sorted(FOLDER.glob("*inclusion*.json")) + sorted(FOLDER.glob("*consistency*.json"))
REFERENCE = json.loads((FOLDER / "reference-tree.json").read_text())
REFERENCE_LEAVES = [bytes.fromhex(leaf) for leaf in REFERENCE["leaves"]]
REFERENCE_ROOTS = [bytes.fromhex(expected) for expected in REFERENCE["roots"]]

leaves_of_a_tree = st.lists(st.binary(max_size=8), min_size=1, max_size=40)


def naive_root(leaves: list[bytes]) -> bytes:
    """MTH of RFC 6962 section 2.1, word for word."""
    if not leaves:
        return sha256().digest()
    if len(leaves) == 1:
        return sha256(b"\x00" + leaves[0]).digest()
    k = 1
    while 2 * k < len(leaves):
        k *= 2
    return sha256(b"\x01" + naive_root(leaves[:k]) + naive_root(leaves[k:])).digest()


def naive_path(index: int, leaves: list[bytes]) -> list[bytes]:
    """PATH of RFC 6962 section 2.1.1, word for word."""
    if len(leaves) == 1:
        return []
    k = 1
    while 2 * k < len(leaves):
        k *= 2
    if index < k:
        return [*naive_path(index, leaves[:k]), naive_root(leaves[k:])]
    return [*naive_path(index - k, leaves[k:]), naive_root(leaves[:k])]


def naive_consistency(old_size: int, leaves: list[bytes], whole: bool = True) -> list[bytes]:
    """SUBPROOF of RFC 6962 section 2.1.2, word for word."""
    if old_size == len(leaves):
        return [] if whole else [naive_root(leaves)]
    k = 1
    while 2 * k < len(leaves):
        k *= 2
    if old_size <= k:
        return [*naive_consistency(old_size, leaves[:k], whole), naive_root(leaves[k:])]
    return [*naive_consistency(old_size - k, leaves[k:], False), naive_root(leaves[:k])]


def hashes_of(leaves: list[bytes]) -> list[bytes]:
    return [leaf_hash(leaf) for leaf in leaves]


@pytest.mark.parametrize("size", range(9))
def test_the_reference_tree_has_the_published_roots(size: int) -> None:
    leaves = REFERENCE_LEAVES[:size]
    assert root(leaves) == naive_root(leaves) == REFERENCE_ROOTS[size]


@pytest.mark.parametrize("path", PROOFS, ids=lambda path: path.stem)
def test_proof_vector(path: Path) -> None:
    vector = json.loads(path.read_text())
    proof = [bytes.fromhex(node) for node in vector["proof"]]

    def verify() -> None:
        if "leaf" in vector:
            leaf, expected = bytes.fromhex(vector["leaf"]), bytes.fromhex(vector["root"])
            verify_inclusion(leaf, vector["index"], vector["size"], proof, expected)
        else:
            old_root, new_root = bytes.fromhex(vector["old_root"]), bytes.fromhex(vector["new_root"])
            verify_consistency(vector["old_size"], old_root, vector["new_size"], new_root, proof)

    if "error" not in vector:
        verify()
        return
    assert vector["error"] == "InvalidProof"
    with pytest.raises(InvalidProof) as fault:
        verify()
    assert vector["reason"] in str(fault.value)


@given(st.lists(st.binary(max_size=8), max_size=70))
def test_roots_and_the_appendable_log_equal_the_definition(leaves: list[bytes]) -> None:
    frontier = Frontier()
    for leaf in leaves:
        frontier = frontier.append(leaf)
    assert frontier.root() == root(leaves) == root_of_hashes(hashes_of(leaves)) == naive_root(leaves)
    assert frontier.size == len(leaves)
    assert len(frontier.hashes) == len(leaves).bit_count()


@pytest.mark.parametrize("size", range(1, 20))
def test_all_proofs_of_small_trees_equal_the_definition_and_verify(size: int) -> None:
    leaves = [bytes([number]) for number in range(size)]
    hashes, expected = hashes_of(leaves), naive_root(leaves)
    for index in range(size):
        proof = inclusion_proof(hashes, index)
        assert list(proof) == naive_path(index, leaves)
        verify_inclusion(leaves[index], index, size, proof, expected)
    for old_size in range(1, size + 1):
        proof = consistency_proof(hashes, old_size)
        assert list(proof) == naive_consistency(old_size, leaves)
        verify_consistency(old_size, naive_root(leaves[:old_size]), size, expected, proof)


@given(leaves_of_a_tree, st.data())
def test_a_tampered_inclusion_proof_is_refused(leaves: list[bytes], data: st.DataObject) -> None:
    size = len(leaves)
    index = data.draw(st.integers(0, size - 1))
    proof = list(inclusion_proof(hashes_of(leaves), index))
    expected = root(leaves)
    other_leaf = data.draw(st.binary(max_size=8).filter(lambda leaf: leaf != leaves[index]))
    with pytest.raises(InvalidProof):
        verify_inclusion(other_leaf, index, size, proof, expected)
    for tampered in tampered_proofs(proof, data):
        with pytest.raises(InvalidProof):
            verify_inclusion(leaves[index], index, size, tampered, expected)
    with pytest.raises(InvalidProof):
        verify_inclusion(leaves[index], index, size, proof, flipped(expected, data))
    for outside in (-1, size):
        with pytest.raises(InvalidProof):
            verify_inclusion(leaves[index], outside, size, proof, expected)


@given(st.integers(2, 40), st.data())
def test_an_inclusion_proof_holds_at_its_own_index_only(size: int, data: st.DataObject) -> None:
    leaves = [bytes([number]) for number in range(size)]
    index, other = data.draw(st.lists(st.integers(0, size - 1), min_size=2, max_size=2, unique=True))
    proof = inclusion_proof(hashes_of(leaves), index)
    with pytest.raises(InvalidProof):
        verify_inclusion(leaves[index], other, size, proof, root(leaves))


@given(leaves_of_a_tree, st.data())
def test_a_tampered_consistency_proof_is_refused(leaves: list[bytes], data: st.DataObject) -> None:
    size = len(leaves)
    old_size = data.draw(st.integers(1, size))
    proof = list(consistency_proof(hashes_of(leaves), old_size))
    old_root, new_root = root(leaves[:old_size]), root(leaves)
    verify_consistency(old_size, old_root, size, new_root, proof)
    for tampered in tampered_proofs(proof, data):
        with pytest.raises(InvalidProof):
            verify_consistency(old_size, old_root, size, new_root, tampered)
    with pytest.raises(InvalidProof):
        verify_consistency(old_size, flipped(old_root, data), size, new_root, proof)
    with pytest.raises(InvalidProof):
        verify_consistency(old_size, old_root, size, flipped(new_root, data), proof)
    for wrong_old in (0, size + 1):
        with pytest.raises(InvalidProof):
            verify_consistency(wrong_old, old_root, size, new_root, proof)


@given(leaves_of_a_tree, st.data())
def test_a_rewritten_history_has_no_consistency_proof_from_its_own_tree(
    leaves: list[bytes], data: st.DataObject
) -> None:
    """The prover holds a tree whose prefix differs from what was published; its honest proof must fail."""
    old_size = data.draw(st.integers(1, len(leaves)))
    changed = data.draw(st.integers(0, old_size - 1))
    rewritten = [*leaves]
    rewritten[changed] = leaves[changed] + b"!"
    proof = consistency_proof(hashes_of(rewritten), old_size)
    with pytest.raises(InvalidProof):
        verify_consistency(old_size, root(leaves[:old_size]), len(leaves), root(rewritten), proof)


def test_a_leaf_cannot_pose_as_an_inner_node() -> None:
    left, right = leaf_hash(b"left"), leaf_hash(b"right")
    tree = node_hash(left, right)
    with pytest.raises(InvalidProof):
        verify_inclusion(left + right, 0, 1, (), tree)


def test_proofs_of_what_is_not_there_cannot_be_made() -> None:
    hashes = hashes_of([b"a", b"b"])
    for index in (-1, 2):
        with pytest.raises(ValueError, match="no such leaf"):
            inclusion_proof(hashes, index)
    for old_size in (0, 3):
        with pytest.raises(ValueError, match="at least one leaf"):
            consistency_proof(hashes, old_size)


@pytest.mark.parametrize(
    ("size", "hashes"), [(1, ()), (3, (bytes(32),)), (-1, (bytes(32),)), (0, (bytes(32),))]
)
def test_a_frontier_that_contradicts_its_size_is_refused(size: int, hashes: tuple[bytes, ...]) -> None:
    with pytest.raises(ValueError, match="one hash per set bit"):
        Frontier(size, hashes)


@settings(max_examples=60)
@given(st.dictionaries(st.binary(max_size=6), st.binary(max_size=6), min_size=1, max_size=20))
def test_a_map_proves_each_of_its_pairs_and_no_other(pairs: dict[bytes, bytes]) -> None:
    ordered = sorted(pairs.items())
    expected = map_root(ordered)
    assert expected == naive_root([encode(pair) for pair in ordered])
    for key, value in ordered:
        proof = map_proof(ordered, key)
        proof.verify(key, value, expected)
        with pytest.raises(InvalidProof):
            proof.verify(key, value + b"!", expected)
        with pytest.raises(InvalidProof):
            proof.verify(key + b"!", value, expected)


@pytest.mark.parametrize("keys", [(b"b", b"a"), (b"a", b"a"), (b"a", b"c", b"b")])
def test_a_map_with_unsorted_or_repeated_keys_is_refused(keys: tuple[bytes, ...]) -> None:
    with pytest.raises(ValueError, match="sorted and none repeats"):
        map_root((key, b"") for key in keys)


def test_a_map_has_no_proof_of_a_key_it_lacks() -> None:
    with pytest.raises(KeyError):
        map_proof([(b"a", b"1")], b"b")


def test_pairs_cannot_be_cut_differently() -> None:
    assert map_root([(b"ab", b"c")]) != map_root([(b"a", b"bc")])


def flipped(digest: bytes, data: st.DataObject) -> bytes:
    bit = data.draw(st.integers(0, 8 * len(digest) - 1))
    return (int.from_bytes(digest, "big") ^ 1 << bit).to_bytes(len(digest), "big")


def tampered_proofs(proof: list[bytes], data: st.DataObject) -> list[list[bytes]]:
    longer = [[*proof, leaf_hash(b"x")], [leaf_hash(b"x"), *proof]]
    if not proof:
        return longer
    position = data.draw(st.integers(0, len(proof) - 1))
    rest = proof[position + 1 :]
    changed = [*proof[:position], flipped(proof[position], data), *rest]
    shortened_node = [*proof[:position], proof[position][:-1], *rest]
    return [*longer, changed, shortened_node, proof[:-1], proof[1:]]
