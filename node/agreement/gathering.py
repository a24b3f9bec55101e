"""Gathering: takes entries from anywhere into the feeds, and knows which orders were here when.

Everything offered is hostile until `ledger.sync.ingest` accepts it; what it accepts is queued in the store, durable
after the turn's commit. What joins no feed says that something is missing, which anti-entropy repairs, or that its
author shows different branches to different members: then it is kept to prove that, and for blocks that name it.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from ledger.chain.application import State
from ledger.chain.branches import Branches
from ledger.chain.chain import EntrySource, Tip
from ledger.errors import MissingEntries
from ledger.feeds.feeds import Feeds
from ledger.heads import Head
from ledger.membership.members import Membership
from ledger.records.entries import SignedEntry
from ledger.store.store import Store
from ledger.sync.ingest import Ingested, ingest, offer
from market.payloads import Kind
from node.agreement.timeliness import SeenOrder
from node.events import Now


@dataclass(slots=True)
class Gathering:
    """The feeds of a cell with the orders that wait for their gate. `learned`: the last `take` brought anything new."""

    feeds: Feeds
    membership: Membership
    store: Store
    learned: bool = False
    _orders: dict[int, list[SeenOrder]] = field(default_factory=dict)
    _branches: Branches = field(default_factory=Branches)
    _strays: dict[bytes, SignedEntry] = field(default_factory=dict)

    def take(self, envelopes: Sequence[bytes], now: Now) -> Ingested:
        """Offer envelopes from a peer. Bad ones are reported in the result and change nothing."""
        result = ingest(envelopes, self.feeds, self.membership, self.store, now.cell_ns)
        self._index(result.appended)
        self.learned = bool(result.appended)
        if len(result.opened) > len(result.appended) + result.duplicates:
            self.learned = self._branches.keep(result.opened) or self.learned
            self._keep_strays(result.opened)
        self._compare_strays(result, now)
        return result

    def take_own(self, signed: SignedEntry, now: Now) -> None:
        """Our own entry, just signed."""
        result = Ingested()
        offer(signed, self.feeds, self.membership, self.store, now.cell_ns, result)
        assert result.appended == [signed], f"our own entry does not continue our feed: {result}"
        self._index(result.appended)

    def restore(self) -> None:
        """Find the orders again among the entries that no block has anchored, after a restart."""
        for member in self.membership.members:
            head = self.feeds.head(member.id)
            if head is not None:
                self._index(self.feeds.unanchored(member.id))

    def naming(self, tip: Tip[State], heads: Sequence[Head]) -> EntrySource:
        """The entries with the branches that a block on `tip` names by these heads."""
        return self._branches.over(self, tip, heads)

    def anchor(self, membership: Membership, moved: Sequence[Head], last_interval: int, now: Now) -> None:
        """A block was decided: its heads are anchored, and the orders of its intervals are done with."""
        for member, entries in self._branches.adopt(moved, self.feeds, now.cell_ns):
            self.store.adopt(member, entries, now.cell_ns)
            self._index(entries)
        self.stand_on(membership, moved, last_interval)

    def stand_on(self, membership: Membership, heads: Iterable[Head], last_interval: int) -> None:
        """These heads are anchored, whatever was held here."""
        self.membership = membership
        self.feeds.set_membership(membership)
        for head in heads:
            self.feeds.forget_through(head)
        for interval in [interval for interval in self._orders if interval <= last_interval]:
            del self._orders[interval]

    def own_position(self, member: bytes) -> tuple[int, int] | None:
        """Incarnation and sequence of the last known entry of a member, frozen or gone or not; None without one.

        It is stored, or anchored by a snapshot that this node stands on. In a granted incarnation without an entry the
        sequence is -1: all that was said before it is past.
        """
        known = self.membership.by_id(member) or self.membership.former(member)
        if known is None:
            return None
        head = self.feeds.head(member)
        sequence = self.store.last_sequence(member, known.incarnation)
        if head is not None and head.incarnation == known.incarnation:
            sequence = max(sequence, head.sequence)
        return None if sequence < 0 and known.incarnation == 0 else (known.incarnation, sequence)

    def orders_for(self, interval: int) -> tuple[SeenOrder, ...]:
        """The orders held for an interval, with when each was first seen (cell time)."""
        return tuple(self._orders.get(interval, ()))

    def heads_for(self, interval: int, gate_ns: int) -> tuple[Head, ...]:
        """What a fair proposer includes: every feed, up to its last entry before an order that came too late."""
        first_late: dict[bytes, SeenOrder] = {}
        for order in self._orders.get(interval, ()):
            known = first_late.get(order.member)
            if order.first_seen_ns > gate_ns and (known is None or order.sequence < known.sequence):
                first_late[order.member] = order
        heads = (self._before(head, first_late.get(head.member)) for head in self.feeds.heads())
        return tuple(head for head in heads if head is not None)

    def entries(self, member: bytes, incarnation: int, after: int, through: int) -> list[SignedEntry]:
        """Entries from memory, else from the store. Raises `MissingEntries`."""
        try:
            return self.feeds.entries(member, incarnation, after, through)
        except MissingEntries:
            return self.store.entries(member, incarnation, after, through)

    def _keep_strays(self, opened: Iterable[SignedEntry]) -> None:
        """Remember what stands right after a head but names another predecessor, one entry per author."""
        for signed in opened:
            author = self.membership.by_feed_key(signed.entry.author)
            head = None if author is None else self.feeds.head(author.id)
            if head is not None and (signed.entry.incarnation, signed.entry.sequence) == (
                head.incarnation,
                head.sequence + 1,
            ):
                self._strays[signed.entry.author] = signed

    def _compare_strays(self, result: Ingested, now: Now) -> None:
        """Where a feed went on past a stray, the two prove a fork."""
        for key in {signed.entry.author for signed in result.appended} & self._strays.keys():
            stray = self._strays.pop(key)
            offer(stray, self.feeds, self.membership, self.store, now.cell_ns, result)

    def _before(self, head: Head, late: SeenOrder | None) -> Head | None:
        if late is None or late.incarnation != head.incarnation:
            return head
        sequence = late.sequence - 1
        if sequence < 0:
            return None
        try:
            (last,) = self.entries(head.member, head.incarnation, sequence - 1, sequence)
        except MissingEntries:
            return None
        return Head(head.member, head.incarnation, sequence, last.id)

    def _index(self, entries: Iterable[SignedEntry]) -> None:
        for signed in entries:
            entry = signed.entry
            author = self.membership.by_feed_key(entry.author)
            seen_ns = self.feeds.first_seen(signed.id)
            if entry.kind != Kind.ORDER or author is None or seen_ns is None:
                continue
            order = SeenOrder(author.id, entry.incarnation, entry.sequence, seen_ns)
            self._orders.setdefault(entry.interval, []).append(order)
