"""The log of a cell's header ids, kept so that any root and any proof of it costs O(log n), not O(n).

The tree is that of `ledger.merkle` (RFC 6962). The roots of all complete subtrees are held, two hashes per
header; every root and proof is put together from at most one of them per level. A log may begin where the
headers before it are pruned: of those it needs no more than their frontier.
"""

from ledger.merkle import EMPTY_ROOT, Frontier, leaf_hash, node_hash


class HeaderLog:
    """An appendable log of ids that gives roots and proofs of every size it has had, from that of `before` on."""

    def __init__(self, before: Frontier = Frontier()) -> None:  # noqa: B008 - it is frozen
        self._begins = before.size
        self._levels: list[list[bytes]] = [[] for _ in range(max(1, before.size.bit_length()))]
        hashes = list(before.hashes)
        for level, row in enumerate(self._levels):
            if before.size >> level & 1:
                row.append(hashes.pop())

    @property
    def begins(self) -> int:
        """The smallest size of which there are roots and proofs."""
        return self._begins

    @property
    def size(self) -> int:
        """The number of ids in it."""
        return self._first(0) + len(self._levels[0])

    def append(self, header_id: bytes) -> None:
        """Add the id of the next header; O(1) on average."""
        node = leaf_hash(header_id)
        level = 0
        while True:
            if level == len(self._levels):
                self._levels.append([])
            row = self._levels[level]
            row.append(node)
            if (self._first(level) + len(row)) % 2:
                return
            node = node_hash(row[-2], row[-1])
            level += 1

    def root(self, size: int) -> bytes:
        """The root of the log when it had `size` ids. Raises ValueError when it is smaller, or began later."""
        if not self._begins <= size <= self.size:
            raise ValueError(f"the log has {self.size} ids, and begins with {self._begins}")
        return self._root(0, size) if size else EMPTY_ROOT

    def inclusion(self, index: int, size: int) -> tuple[bytes, ...]:
        """That the id at `index` is in the log of `size` ids (RFC 6962 section 2.1.1)."""
        if not self._begins <= index < size <= self.size:
            raise ValueError("the log has no such id")
        path: list[bytes] = []
        start, end = 0, size
        while end - start > 1:
            middle = start + _split(end - start)
            if index < middle:
                path.append(self._root(middle, end))
                end = middle
            else:
                path.append(self._root(start, middle))
                start = middle
        return tuple(reversed(path))

    def consistency(self, old_size: int, new_size: int) -> tuple[bytes, ...]:
        """That the log of `old_size` ids is a prefix of that of `new_size` (RFC 6962 section 2.1.2)."""
        if not max(1, self._begins) <= old_size <= new_size <= self.size:
            raise ValueError("consistency is proved from a log of at least one id to one that is no smaller")
        path: list[bytes] = []
        start, end = 0, new_size
        old_is_whole = True
        while old_size < end:
            middle = start + _split(end - start)
            if old_size <= middle:
                path.append(self._root(middle, end))
                end = middle
            else:
                path.append(self._root(start, middle))
                start = middle
                old_is_whole = False
        if not old_is_whole:
            path.append(self._root(start, end))
        return tuple(reversed(path))

    def _first(self, level: int) -> int:
        """The index of the first subtree that is held on a level: the last complete one of the frontier, if it has
        one there, else the first that is completed after it.
        """
        at = self._begins >> level
        return at - (at & 1)

    def _root(self, start: int, end: int) -> bytes:
        """The root over ids start..end - 1, a subtree of some size of this log: its start is aligned."""
        length = end - start
        if length & (length - 1) == 0:
            level = length.bit_length() - 1
            return self._levels[level][(start >> level) - self._first(level)]
        middle = start + _split(length)
        return node_hash(self._root(start, middle), self._root(middle, end))


def _split(size: int) -> int:
    """The largest power of two below `size`."""
    return 1 << (size - 1).bit_length() - 1
