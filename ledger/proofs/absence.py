"""That a sorted map has no pair with a key: the pairs on either side of where it would stand, next to each other.

Both paths lead to the map's root, so they are its leaves; and paths of one size with consecutive indices, or
with the first or the last index alone, turn so that no leaf has room between them, before or after them.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from ledger.chain.proofs import LeafProof
from ledger.errors import InvalidProof
from ledger.merkle import EMPTY_ROOT, map_proof


@dataclass(frozen=True, slots=True)
class AbsenceProof:
    """The neighbours of a key that is not there; None where it would be the first or the last."""

    key: bytes
    before: LeafProof | None
    after: LeafProof | None

    def verify(self, expected_root: bytes) -> None:
        """Return if the map with this root has no such key; raises `InvalidProof` otherwise."""
        before, after = self.before, self.after
        for each in (before, after):
            if each is not None:
                each.path.verify(each.key, each.value, expected_root)
        if before is not None and before.key >= self.key:
            raise InvalidProof("the pair before the key is not before it")
        if after is not None and after.key <= self.key:
            raise InvalidProof("the pair after the key is not after it")
        if not self._leaves_no_room(expected_root):
            raise InvalidProof("between the pairs there is room for the key")

    def _leaves_no_room(self, expected_root: bytes) -> bool:
        before = None if self.before is None else self.before.path
        after = None if self.after is None else self.after.path
        if before is None:
            return expected_root == EMPTY_ROOT if after is None else after.index == 0
        if after is None:
            return before.index == before.size - 1
        return before.size == after.size and before.index + 1 == after.index


def prove_absence(pairs: Sequence[tuple[bytes, bytes]], key: bytes) -> AbsenceProof:
    """That a sorted map has no such key. Raises ValueError when it has."""
    values = dict(pairs)
    if key in values:
        raise ValueError("the map has this key")
    before = max((each for each in values if each < key), default=None)
    after = min((each for each in values if each > key), default=None)
    found = (
        None if each is None else LeafProof(each, values[each], map_proof(pairs, each))
        for each in (before, after)
    )
    return AbsenceProof(key, *found)
