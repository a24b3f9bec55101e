"""Feeds: what one node holds of every member's hash chain of entries.

Entries arrive in any order, more than once, and from anyone. What is appended is always a chain without gaps
from the anchored head on, in the incarnation that the membership grants. Memory per member is bounded: a few
entries wait for a missing one, a limited number waits for a block, and a few anchored ones are remembered to
recognise copies and forks. Signatures are checked before: whatever is offered has been opened by
``open_entry``.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TypeAlias

from ledger.errors import MissingEntries
from ledger.heads import Head
from ledger.limits import HELD_ENTRIES, REMEMBERED_ENTRIES, REORDER_ENTRIES
from ledger.membership.evidence import Evidence
from ledger.membership.members import Member, Membership
from ledger.records.entries import SignedEntry


@dataclass(frozen=True, slots=True)
class Appended:
    """The offered entry, and those that had waited for it, continue the feed; in order, to be stored."""

    entries: tuple[SignedEntry, ...]


@dataclass(frozen=True, slots=True)
class Duplicate:
    """The entry is already held."""


@dataclass(frozen=True, slots=True)
class Gap:
    """The entry does not join what is held: the one at ``next_sequence`` is needed first.

    Usually that is the one after the head, and the offered entry waits. When the offered entry stands right
    after the head but names another predecessor, it is the predecessor on the author's other branch: whoever
    sent this can show it, and then the fork is proved.
    """

    member: bytes
    incarnation: int
    next_sequence: int


@dataclass(frozen=True, slots=True)
class Fork:
    """The author signed two entries for one place; what is held stays as it was."""

    evidence: Evidence


@dataclass(frozen=True, slots=True)
class Anchored:
    """A block anchored an entry at this place and it is no longer held: the store knows if they differ."""

    member: bytes
    incarnation: int
    sequence: int


@dataclass(frozen=True, slots=True)
class Refused:
    """The entry has no place in any feed of this cell now; nothing was kept of it."""

    reason: str


OfferResult: TypeAlias = Appended | Duplicate | Gap | Fork | Anchored | Refused


@dataclass(slots=True)
class _Feed:
    """One member's feed in its granted incarnation.

    ``held`` maps consecutive sequences, the head's last, to entries. ``anchored`` is the last head that a
    block names; after a restart it is known without its entry. ``waiting`` never contains the sequence after
    the head.
    """

    incarnation: int
    anchored: Head | None = None
    head: Head | None = None
    held: dict[int, SignedEntry] = field(default_factory=dict)
    waiting: dict[int, SignedEntry] = field(default_factory=dict)

    @property
    def next_sequence(self) -> int:
        return 0 if self.head is None else self.head.sequence + 1

    @property
    def anchored_sequence(self) -> int:
        return -1 if self.anchored is None else self.anchored.sequence

    @property
    def is_full(self) -> bool:
        return self.next_sequence - 1 - self.anchored_sequence >= HELD_ENTRIES


class Feeds:
    """All feeds of one cell, by member, as one node holds them."""

    def __init__(self, cell_id: bytes, membership: Membership) -> None:
        self.cell_id = cell_id
        self._membership = membership
        self._feeds: dict[bytes, _Feed] = {}
        self._first_seen: dict[bytes, int] = {}

    def set_membership(self, membership: Membership) -> None:
        """Follow a block's membership: a granted incarnation starts empty, who left or froze is dropped."""
        self._membership = membership
        for member_id, feed in list(self._feeds.items()):
            member = membership.by_id(member_id)
            if member is None or member.incarnation != feed.incarnation:
                self._forget(feed.held, feed.held)
                self._forget(feed.waiting, feed.waiting)
                del self._feeds[member_id]
            elif member.frozen_at is not None:
                self._forget(feed.waiting, feed.waiting)

    def offer(self, signed: SignedEntry, now_ns: int) -> OfferResult:
        """Take an entry that ``open_entry`` accepted. ``now_ns``, in cell time, becomes its first seen."""
        entry = signed.entry
        member = self._membership.by_feed_key(entry.author)
        if member is None:
            return Refused("the author is no member of the cell")
        if member.frozen_at is not None:
            return Refused("the author is frozen for equivocation")
        if entry.incarnation != member.incarnation:
            return Refused(f"incarnation {entry.incarnation} where {member.incarnation} is granted")
        feed = self._feed_of(member)
        known = feed.held.get(entry.sequence) or feed.waiting.get(entry.sequence)
        if known is not None:
            return Duplicate() if known.id == signed.id else Fork(Evidence.of_entries(known, signed))
        if entry.sequence < feed.next_sequence:
            if feed.head is not None and feed.head.id == signed.id:
                return Duplicate()
            return Anchored(member.id, entry.incarnation, entry.sequence)
        if entry.sequence > feed.next_sequence:
            self._let_wait(feed, signed, now_ns)
            return Gap(member.id, entry.incarnation, feed.next_sequence)
        if entry.previous != (None if feed.head is None else feed.head.id):
            return Gap(member.id, entry.incarnation, entry.sequence - 1)
        if feed.is_full:
            return Refused(f"{HELD_ENTRIES} entries of the author already wait for a block")
        self._append(feed, member.id, signed, now_ns)
        return Appended((signed, *self._drain(feed, member.id)))

    def head(self, member: bytes) -> Head | None:
        """The last entry held of a member's feed in its granted incarnation, or None."""
        feed = self._feeds.get(member)
        return None if feed is None else feed.head

    def heads(self) -> tuple[Head, ...]:
        """All heads, sorted by member."""
        heads = (feed.head for _, feed in sorted(self._feeds.items()))
        return tuple(head for head in heads if head is not None)

    def entries(self, member: bytes, incarnation: int, after: int, through: int) -> list[SignedEntry]:
        """The entries with sequence ``after + 1`` to ``through``; ``after`` is -1 from the start.

        Raises MissingEntries when one of them is not held (any more). The head it wants has an empty id,
        because only the asker knows which branch it means.
        """
        if through <= after:
            return []
        feed = self._feeds.get(member)
        held = feed.held if feed is not None and feed.incarnation == incarnation else {}
        if after + 1 not in held or through not in held:
            raise MissingEntries((Head(member, incarnation, through, b""),))
        return [held[sequence] for sequence in range(after + 1, through + 1)]

    def may_grow(self, member: bytes) -> bool:
        """Whether another entry of this member has a place: it is not frozen, and blocks keep up with its entries."""
        known = self._membership.by_id(member)
        feed = self._feeds.get(member)
        return known is not None and known.frozen_at is None and (feed is None or not feed.is_full)

    def unanchored(self, member: bytes) -> list[SignedEntry]:
        """The entries of a member that no block has anchored yet, in order."""
        feed = self._feeds.get(member)
        if feed is None:
            return []
        return [signed for sequence, signed in sorted(feed.held.items()) if sequence > feed.anchored_sequence]

    def first_seen(self, entry_id: bytes) -> int | None:
        """When an entry that is held or waits was first offered (cell time, ns), or None."""
        return self._first_seen.get(entry_id)

    def forget_through(self, head: Head) -> None:
        """A block anchors this head and the store has the entries up to it: keep the tip and the last few.

        Also restores a feed after a restart. When another branch or less is held here, the anchored head
        takes its place; a head of an earlier incarnation than the granted one, or of who left, changes nothing.
        Raises ValueError for a head that the membership grants to nobody: the membership of the block comes first.
        """
        member = self._membership.by_id(head.member)
        if member is None and self._membership.former(head.member) is not None:
            return
        if member is None or head.incarnation > member.incarnation:
            raise ValueError("the head belongs to no feed that the membership grants")
        if head.incarnation < member.incarnation:
            return
        feed = self._feed_of(member)
        if head.sequence <= feed.anchored_sequence:
            return
        held = feed.held.get(head.sequence)
        if held is None or held.id != head.id:
            self._forget(feed.held, feed.held)
            self._forget(feed.waiting, feed.waiting)
            feed.head = head
        feed.anchored = head
        self._forget(feed.held, [s for s in feed.held if s <= head.sequence - REMEMBERED_ENTRIES])

    def adopt(self, entries: Sequence[SignedEntry], now_ns: int) -> None:
        """Hold the branch that a decided block names, in place of what is held from its first entry on.

        Raises ValueError when the entries are no chain, do not join what is held, or would undo what is
        anchored.
        """
        first = entries[0].entry
        member = self._membership.by_feed_key(first.author)
        if member is None or first.incarnation != member.incarnation:
            raise ValueError("the branch belongs to no feed that the membership grants")
        feed = self._feed_of(member)
        if first.sequence <= feed.anchored_sequence:
            raise ValueError("what is anchored cannot be replaced")
        before = self._head_at(feed, member.id, first.sequence - 1)
        if first.previous != (None if before is None else before.id) or not _is_chain(entries):
            raise ValueError("the branch is no chain that joins what is held")
        self._forget(feed.held, [s for s in feed.held if s >= first.sequence])
        self._forget(feed.waiting, feed.waiting)
        feed.head = before
        for signed in entries:
            self._append(feed, member.id, signed, now_ns)

    def follow(self, head: Head, offered: Iterable[SignedEntry], now_ns: int) -> tuple[SignedEntry, ...]:
        """Hold the branch that leads to a decided head, out of these entries and those held already.

        Returns the entries that took the place of others, in order, to be stored likewise; nothing when the head is
        held anyway or the entries do not reach from what is held to the head.
        """
        member = self._membership.by_id(head.member)
        if member is None or head.incarnation != member.incarnation:
            return ()
        feed = self._feed_of(member)
        candidates = {signed.id: signed for signed in offered if signed.entry.author == member.feed_key}
        branch: list[SignedEntry] = []
        wanted: bytes | None = head.id
        for sequence in range(head.sequence, feed.anchored_sequence, -1):
            held = feed.held.get(sequence)
            if held is not None and held.id == wanted:
                break
            signed = None if wanted is None else candidates.get(wanted)
            if signed is None or (signed.entry.incarnation, signed.entry.sequence) != (
                head.incarnation,
                sequence,
            ):
                return ()
            branch.append(signed)
            wanted = signed.entry.previous
        else:
            if wanted != (None if feed.anchored is None else feed.anchored.id):
                return ()
        branch.reverse()
        if branch:
            self.adopt(branch, now_ns)
        return tuple(branch)

    def _feed_of(self, member: Member) -> _Feed:
        return self._feeds.setdefault(member.id, _Feed(member.incarnation))

    def _append(self, feed: _Feed, member_id: bytes, signed: SignedEntry, now_ns: int) -> None:
        self._first_seen.setdefault(signed.id, now_ns)
        feed.held[signed.entry.sequence] = signed
        feed.head = Head(member_id, feed.incarnation, signed.entry.sequence, signed.id)

    def _drain(self, feed: _Feed, member_id: bytes) -> list[SignedEntry]:
        """Append what has waited for the head, and drop the next one if it cannot follow."""
        appended: list[SignedEntry] = []
        while (signed := feed.waiting.pop(feed.next_sequence, None)) is not None:
            if feed.head is None or signed.entry.previous != feed.head.id or feed.is_full:
                del self._first_seen[signed.id]
                break
            self._append(feed, member_id, signed, self._first_seen[signed.id])
            appended.append(signed)
        return appended

    def _let_wait(self, feed: _Feed, signed: SignedEntry, now_ns: int) -> None:
        """Keep an early entry; when too many wait, the latest goes, which sync brings anyway."""
        self._first_seen.setdefault(signed.id, now_ns)
        feed.waiting[signed.entry.sequence] = signed
        if len(feed.waiting) > REORDER_ENTRIES:
            self._forget(feed.waiting, [max(feed.waiting)])

    def _head_at(self, feed: _Feed, member_id: bytes, sequence: int) -> Head | None:
        """The held or anchored head at a sequence, None before the first; ValueError where none is held."""
        if sequence == -1:
            return None
        if feed.anchored is not None and feed.anchored.sequence == sequence:
            return feed.anchored
        if sequence not in feed.held:
            raise ValueError("the branch does not join what is held")
        return Head(member_id, feed.incarnation, sequence, feed.held[sequence].id)

    def _forget(self, kept: dict[int, SignedEntry], sequences: Iterable[int]) -> None:
        for sequence in list(sequences):
            self._first_seen.pop(kept.pop(sequence).id, None)


def _is_chain(entries: Sequence[SignedEntry]) -> bool:
    return all(
        (after.entry.author, after.entry.incarnation, after.entry.sequence, after.entry.previous)
        == (before.entry.author, before.entry.incarnation, before.entry.sequence + 1, before.id)
        for before, after in pairwise(entries)
    )
