"""The other branch of a fork, when a block names it and not the one held here.

An equivocating member may show one branch to some nodes and another to others. Feeds keep the first they saw,
and the evidence will freeze the member; but a block may have been decided before that, and whoever holds the
branch that it does not name must still be able to check it and follow. So entries fetched because a block
names them are kept here beside the feeds, found by their ids, until the block is decided and its branch takes
the place of the one held.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from ledger.chain.application import State
from ledger.chain.chain import EntrySource, Tip
from ledger.feeds.feeds import Feeds
from ledger.heads import Head
from ledger.limits import HELD_ENTRIES
from ledger.records.entries import SignedEntry

KEPT_ENTRIES: Final = 2 * HELD_ENTRIES
"""Entries kept in all (8 MiB at most); beyond that the oldest go, and are fetched again when they are wanted.
"""


class Branches:
    """Opened entries by id, bounded, from which chains to a named head are found."""

    def __init__(self) -> None:
        self._by_id: dict[bytes, SignedEntry] = {}

    def keep(self, entries: Iterable[SignedEntry]) -> bool:
        """Keep entries that were fetched because a block names a head beyond them; whether any was not kept before."""
        any_new = False
        for signed in entries:
            any_new = any_new or signed.id not in self._by_id
            self._by_id[signed.id] = signed
            if len(self._by_id) > KEPT_ENTRIES:
                del self._by_id[next(iter(self._by_id))]
        return any_new

    def chain(self, head: Head, anchor: Head | None) -> list[SignedEntry] | None:
        """The kept entries after the anchor up to the head, None when one is not kept or they do not join."""
        found: list[SignedEntry] = []
        first = 0 if anchor is None or anchor.incarnation != head.incarnation else anchor.sequence + 1
        wanted: bytes | None = head.id
        for sequence in range(head.sequence, first - 1, -1):
            signed = None if wanted is None else self._by_id.get(wanted)
            if signed is None or signed.entry.sequence != sequence:
                return None
            found.append(signed)
            wanted = signed.entry.previous
        return found[::-1]

    def over(self, source: EntrySource, tip: Tip[State], heads: Sequence[Head]) -> EntrySource:
        """`source`, but with the branches that a block on `tip` names by these heads, where they are kept."""
        return _Over(self, source, tip.heads, {head.member: head for head in heads})

    def adopt(
        self, heads: Sequence[Head], feeds: Feeds, now_ns: int
    ) -> list[tuple[bytes, Sequence[SignedEntry]]]:
        """Put the branches that these heads of a decided block name in place of those held, where they differ.

        Call it before the feeds follow the block. What it returns, (member, entries), goes to `Store.adopt`.
        """
        if not self._by_id:
            return []
        replaced = ((head.member, feeds.follow(head, self._by_id.values(), now_ns)) for head in heads)
        return [(member, entries) for member, entries in replaced if entries]


@dataclass(frozen=True, slots=True)
class _Over:
    """An `EntrySource` that looks for a block's branches first."""

    branches: Branches
    source: EntrySource
    anchors: Mapping[bytes, Head]
    heads: Mapping[bytes, Head]

    def entries(self, member: bytes, incarnation: int, after: int, through: int) -> Sequence[SignedEntry]:
        head = self.heads.get(member)
        if head is not None and (head.incarnation, head.sequence) == (incarnation, through):
            chain = self.branches.chain(head, self.anchors.get(member))
            if chain is not None:
                return chain
        return self.source.entries(member, incarnation, after, through)
