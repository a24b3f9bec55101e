"""Gathering: takes entries from anywhere into the feeds and knows which orders were here when. Sans-IO: effects out.

Everything offered is hostile until `open_entry` has accepted it. What joins a feed is stored; what does not says that
something is missing, which anti-entropy repairs.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

from ledger.chain import EntrySource
from ledger.entries import SignedEntry, open_entry
from ledger.errors import MissingEntries, PeerError
from ledger.evidence import Evidence
from ledger.feeds import Anchored, Appended, Feeds, Fork, Gap, Head, Refused
from ledger.membership import Membership
from market.payloads import Kind
from node.events import Effect, Now, StoreEntries
from node.timeliness import SeenOrder


@dataclass(slots=True)
class Taken:
    """What came of offering entries."""

    effects: list[Effect] = field(default_factory=list)
    evidence: list[Evidence] = field(default_factory=list)
    appended: int = 0
    gaps: int = 0
    refused: int = 0


@dataclass(slots=True)
class Gathering:
    """The feeds of a cell with the orders that wait for their gate. `stored` reads what is already on disk."""

    cell_id: bytes
    feeds: Feeds
    membership: Membership
    stored: EntrySource
    _orders: dict[int, list[SeenOrder]] = field(default_factory=dict)

    def take(self, envelopes: Iterable[bytes], now: Now) -> Taken:
        """Offer envelopes from a peer. Bad ones are counted as refused and change nothing."""
        taken = Taken()
        for envelope in envelopes:
            try:
                signed = open_entry(envelope, self.cell_id)
            except PeerError:
                taken.refused += 1
                continue
            self._offer(signed, now, taken)
        return taken

    def take_own(self, signed: SignedEntry, now: Now) -> None:
        """Our own entry, already stored by whoever signed it."""
        result = self.feeds.offer(signed, now.cell_ns)
        assert isinstance(result, Appended), f"our own entry does not continue our feed: {result}"
        self._index(result.entries, now.cell_ns)

    def restore(self, entries: Iterable[tuple[SignedEntry, int]]) -> None:
        """Entries from our own store that no block has anchored yet, each with when it was first seen."""
        for signed, first_seen_ns in entries:
            result = self.feeds.offer(signed, first_seen_ns)
            if isinstance(result, Appended):
                self._index(result.entries, first_seen_ns)

    def anchor(self, membership: Membership, moved: Iterable[Head], last_interval: int) -> None:
        """A block was decided: its heads are anchored and the orders of its intervals are done with."""
        self.membership = membership
        self.feeds.set_membership(membership)
        for head in moved:
            self.feeds.forget_through(head)
        for interval in [interval for interval in self._orders if interval <= last_interval]:
            del self._orders[interval]

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
            return list(self.stored.entries(member, incarnation, after, through))

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

    def _offer(self, signed: SignedEntry, now: Now, taken: Taken) -> None:
        result = self.feeds.offer(signed, now.cell_ns)
        match result:
            case Appended(entries):
                member = self._index(entries, now.cell_ns)
                taken.appended += len(entries)
                taken.effects.append(StoreEntries(member, entries, now.cell_ns))
            case Gap():
                taken.gaps += 1
            case Fork(evidence):
                taken.evidence.append(evidence)
            case Anchored(member, incarnation, sequence):
                self._compare(signed, member, incarnation, sequence, taken)
            case Refused():
                taken.refused += 1

    def _compare(
        self, signed: SignedEntry, member: bytes, incarnation: int, sequence: int, taken: Taken
    ) -> None:
        try:
            (known,) = self.stored.entries(member, incarnation, sequence - 1, sequence)
        except MissingEntries:
            return
        if known.id != signed.id:
            taken.evidence.append(Evidence.of_entries(known, signed))

    def _index(self, entries: Iterable[SignedEntry], now_ns: int) -> bytes:
        member = b""
        for signed in entries:
            entry = signed.entry
            author = self.membership.by_feed_key(entry.author)
            assert author is not None, "only a member's entry is appended"
            member = author.id
            if entry.kind == Kind.ORDER:
                seen_ns = self.feeds.first_seen(signed.id)
                order = SeenOrder(
                    member, entry.incarnation, entry.sequence, now_ns if seen_ns is None else seen_ns
                )
                self._orders.setdefault(entry.interval, []).append(order)
        return member
