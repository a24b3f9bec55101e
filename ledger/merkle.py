"""Merkle trees of RFC 6962, with the proof verifiers of RFC 9162 sections 2.1.3.2 and 2.1.4.2.

A leaf's hash is SHA-256(0x00 || leaf) and a node's SHA-256(0x01 || left || right); a tree of n leaves splits
at the largest power of two below n, so every list of leaves has exactly one tree and a proof has no freedom
of form. A sorted map is the tree over its encoded (key, value) pairs.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from hashlib import sha256

from ledger.encoding import encode
from ledger.errors import InvalidProof
from ledger.limits import ID_BYTES

EMPTY_ROOT = sha256().digest()
"""The root of the tree without leaves."""


def leaf_hash(leaf: bytes) -> bytes:
    """The hash of a leaf."""
    return sha256(b"\x00" + leaf).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """The hash of an inner node."""
    return sha256(b"\x01" + left + right).digest()


def root(leaves: Iterable[bytes]) -> bytes:
    """The root of the tree over these leaves."""
    return root_of_hashes([leaf_hash(leaf) for leaf in leaves])


def root_of_hashes(hashes: Sequence[bytes]) -> bytes:
    """The root of the tree whose leaves have these hashes, level by level: n - 1 hashes, no recursion."""
    if not hashes:
        return EMPTY_ROOT
    level = list(hashes)
    while len(level) > 1:
        paired = [node_hash(level[i], level[i + 1]) for i in range(0, len(level) - 1, 2)]
        if len(level) % 2:
            paired.append(level[-1])
        level = paired
    return level[0]


@dataclass(frozen=True, slots=True)
class Frontier:
    """An appendable log as the roots of its full subtrees, largest first: O(log n) to keep and to append."""

    size: int = 0
    hashes: tuple[bytes, ...] = ()

    def __post_init__(self) -> None:
        if self.size < 0 or len(self.hashes) != self.size.bit_count():
            raise ValueError("a frontier has one hash per set bit of its size")

    def append(self, leaf: bytes) -> "Frontier":
        """The log with one leaf more."""
        hashes = list(self.hashes)
        carried = leaf_hash(leaf)
        remaining = self.size
        while remaining & 1:
            carried = node_hash(hashes.pop(), carried)
            remaining >>= 1
        return Frontier(self.size + 1, (*hashes, carried))

    def root(self) -> bytes:
        """The root of the log, as ``root`` of all its leaves gives."""
        if not self.hashes:
            return EMPTY_ROOT
        result = self.hashes[-1]
        for left in reversed(self.hashes[:-1]):
            result = node_hash(left, result)
        return result


def inclusion_proof(hashes: Sequence[bytes], index: int) -> tuple[bytes, ...]:
    """The path that proves leaf ``index`` of the tree over these leaf hashes (RFC 6962 section 2.1.1)."""
    if not 0 <= index < len(hashes):
        raise ValueError("the tree has no such leaf")
    path: list[bytes] = []
    start, end = 0, len(hashes)
    while end - start > 1:
        middle = start + _split(end - start)
        if index < middle:
            path.append(root_of_hashes(hashes[middle:end]))
            end = middle
        else:
            path.append(root_of_hashes(hashes[start:middle]))
            start = middle
    return tuple(reversed(path))


def consistency_proof(hashes: Sequence[bytes], old_size: int) -> tuple[bytes, ...]:
    """The nodes that prove the tree of the first ``old_size`` leaves a prefix (RFC 6962 section 2.1.2)."""
    if not 0 < old_size <= len(hashes):
        raise ValueError("consistency is proved from a tree of at least one leaf to one that is no smaller")
    path: list[bytes] = []
    start, end = 0, len(hashes)
    old_is_whole = True
    while old_size < end:
        middle = start + _split(end - start)
        if old_size <= middle:
            path.append(root_of_hashes(hashes[middle:end]))
            end = middle
        else:
            path.append(root_of_hashes(hashes[start:middle]))
            start = middle
            old_is_whole = False
    if not old_is_whole:
        path.append(root_of_hashes(hashes[start:end]))
    return tuple(reversed(path))


def verify_inclusion(
    leaf: bytes, index: int, size: int, proof: Sequence[bytes], expected_root: bytes
) -> None:
    """Return if ``leaf`` is at ``index`` of the tree of ``size`` leaves; raise InvalidProof otherwise.

    RFC 9162 section 2.1.3.2, its variable names kept.
    """
    if not 0 <= index < size:
        raise InvalidProof("the index is not in the tree")
    _check_nodes(proof)
    fn, sn, r = index, size - 1, leaf_hash(leaf)
    for p in proof:
        if sn == 0:
            raise InvalidProof("the proof is too long")
        if fn & 1 or fn == sn:
            r = node_hash(p, r)
            while not fn & 1 and fn:
                fn, sn = fn >> 1, sn >> 1
        else:
            r = node_hash(r, p)
        fn, sn = fn >> 1, sn >> 1
    if sn:
        raise InvalidProof("the proof is too short")
    if r != expected_root:
        raise InvalidProof("the proof does not lead to the root")


def verify_consistency(
    old_size: int, old_root: bytes, new_size: int, new_root: bytes, proof: Sequence[bytes]
) -> None:
    """Return if the old tree is a prefix of the new one; raise InvalidProof otherwise.

    RFC 9162 section 2.1.4.2, its variable names kept. Two trees of one size are consistent when their roots
    are equal; the empty tree proves nothing and is refused.
    """
    if not 0 < old_size <= new_size:
        raise InvalidProof("consistency leads from a tree of at least one leaf to one that is no smaller")
    _check_nodes(proof)
    if old_size == new_size:
        if proof or old_root != new_root:
            raise InvalidProof("trees of one size are consistent only when equal, without a proof")
        return
    nodes = list(proof)
    if not nodes:
        raise InvalidProof("the proof is empty")
    if old_size & (old_size - 1) == 0:
        nodes.insert(0, old_root)
    fn, sn = old_size - 1, new_size - 1
    while fn & 1:
        fn, sn = fn >> 1, sn >> 1
    fr = sr = nodes[0]
    for c in nodes[1:]:
        if sn == 0:
            raise InvalidProof("the proof is too long")
        if fn & 1 or fn == sn:
            fr, sr = node_hash(c, fr), node_hash(c, sr)
            while not fn & 1 and fn:
                fn, sn = fn >> 1, sn >> 1
        else:
            sr = node_hash(sr, c)
        fn, sn = fn >> 1, sn >> 1
    if sn:
        raise InvalidProof("the proof is too short")
    if fr != old_root or sr != new_root:
        raise InvalidProof("the proof does not lead to both roots")


@dataclass(frozen=True, slots=True)
class MapProof:
    """That a sorted map of ``size`` pairs holds one (key, value) at ``index``."""

    index: int
    size: int
    path: tuple[bytes, ...]

    def verify(self, key: bytes, value: bytes, expected_root: bytes) -> None:
        """Return if the map with this root holds the pair; raise InvalidProof otherwise."""
        verify_inclusion(_pair_leaf(key, value), self.index, self.size, self.path, expected_root)


def map_root(pairs: Iterable[tuple[bytes, bytes]]) -> bytes:
    """The root of a sorted map; raises ValueError when keys repeat or are out of order."""
    return root_of_hashes(_map_hashes(pairs)[1])


def map_proof(pairs: Iterable[tuple[bytes, bytes]], key: bytes) -> MapProof:
    """The proof of one key's pair; raises KeyError when the map has no such key."""
    keys, hashes = _map_hashes(pairs)
    if key not in keys:
        raise KeyError(key)
    index = keys.index(key)
    return MapProof(index, len(hashes), inclusion_proof(hashes, index))


def _map_hashes(pairs: Iterable[tuple[bytes, bytes]]) -> tuple[list[bytes], list[bytes]]:
    keys: list[bytes] = []
    hashes: list[bytes] = []
    for key, value in pairs:
        if keys and keys[-1] >= key:
            raise ValueError("the keys of a map are sorted and none repeats")
        keys.append(key)
        hashes.append(leaf_hash(_pair_leaf(key, value)))
    return keys, hashes


def _pair_leaf(key: bytes, value: bytes) -> bytes:
    return encode((key, value))


def _split(size: int) -> int:
    """The largest power of two below ``size``."""
    return 1 << (size - 1).bit_length() - 1


def _check_nodes(proof: Sequence[bytes]) -> None:
    if any(len(node) != ID_BYTES for node in proof):
        raise InvalidProof("a proof consists of hashes of 32 bytes")
