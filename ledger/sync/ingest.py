"""Shell: the way of entries from the wire into the store, in batches.

Opening an entry (decoding, verifying, hashing) needs nothing but its bytes, so a batch may be opened on
several threads: PyNaCl releases the interpreter lock while it verifies. Joining feeds and storing stay in
order on the caller's thread. What is taken is durable after the store's next `commit`, which the caller makes
once per turn.
"""

from collections.abc import Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, field
from functools import partial
from typing import Final, assert_never

from ledger.errors import PeerError
from ledger.feeds.feeds import Anchored, Appended, Duplicate, Feeds, Fork, Gap, Refused
from ledger.membership.evidence import Evidence
from ledger.membership.members import Membership
from ledger.records.entries import SignedEntry, open_entry
from ledger.store.store import Store

CHUNK_ENTRIES: Final = 64
"""Entries per task of a thread pool: a few milliseconds, far above the cost of handing a task over."""


@dataclass(slots=True)
class Ingested:
    """What became of a batch. `appended` are new and queued for the store, each feed's in order."""

    appended: list[SignedEntry] = field(default_factory=list)
    opened: list[SignedEntry] = field(default_factory=list)
    """All entries of good form, whatever the feeds said: for `Branches`, when a block named them."""
    gaps: list[Gap] = field(default_factory=list)
    evidence: list[Evidence] = field(default_factory=list)
    duplicates: int = 0
    refused: list[str] = field(default_factory=list)
    """Why entries of good form have no place here."""
    faults: list[PeerError] = field(default_factory=list)
    """Why envelopes could not be opened: their sender is to blame."""


def ingest(
    envelopes: Sequence[bytes],
    feeds: Feeds,
    membership: Membership,
    store: Store,
    now_ns: int,
    pool: Executor | None = None,
) -> Ingested:
    """Open a batch, join it to the feeds and queue what is new in the store. `now_ns` is this node's cell
    time.

    Raises only what the store raises in looking up an anchored entry; whatever a peer sends ends in the
    result.
    """
    result = Ingested()
    for opened in open_entries(envelopes, feeds.cell_id, pool):
        if isinstance(opened, PeerError):
            result.faults.append(opened)
        else:
            result.opened.append(opened)
            offer(opened, feeds, membership, store, now_ns, result)
    return result


def open_entries(
    envelopes: Sequence[bytes], cell_id: bytes, pool: Executor | None = None
) -> list[SignedEntry | PeerError]:
    """Each envelope's entry, or why it is none, in order; on the pool's threads when there is one."""
    if pool is None or len(envelopes) <= CHUNK_ENTRIES:
        return _open_chunk(cell_id, envelopes)
    chunks = [envelopes[start : start + CHUNK_ENTRIES] for start in range(0, len(envelopes), CHUNK_ENTRIES)]
    return [opened for chunk in pool.map(partial(_open_chunk, cell_id), chunks) for opened in chunk]


def offer(
    signed: SignedEntry, feeds: Feeds, membership: Membership, store: Store, now_ns: int, result: Ingested
) -> None:
    """Join one opened entry (a peer's or one's own) to the feeds and queue what it completes in the store."""
    match feeds.offer(signed, now_ns):
        case Appended(entries):
            member = membership.by_feed_key(signed.entry.author)
            assert member is not None
            for new in entries:
                first_seen_ns = feeds.first_seen(new.id)
                store.append(member.id, new, now_ns if first_seen_ns is None else first_seen_ns)
            result.appended.extend(entries)
        case Duplicate():
            result.duplicates += 1
        case Gap() as gap:
            result.gaps.append(gap)
        case Fork(evidence):
            result.evidence.append(evidence)
        case Anchored(member_id, incarnation, sequence):
            _compare_with_stored(signed, store, (member_id, incarnation, sequence), result)
        case Refused(reason):
            result.refused.append(reason)
        case unexpected:
            assert_never(unexpected)


def _compare_with_stored(
    signed: SignedEntry, store: Store, place: tuple[bytes, int, int], result: Ingested
) -> None:
    """An entry at a place that a block has anchored: a copy, or the second half of a fork."""
    member, incarnation, sequence = place
    if store.entry_id(member, incarnation, sequence) in (signed.id, None):
        result.duplicates += 1
        return
    (stored,) = store.entries(member, incarnation, sequence - 1, sequence)
    result.evidence.append(Evidence.of_entries(stored, signed))


def _open_chunk(cell_id: bytes, envelopes: Sequence[bytes]) -> list[SignedEntry | PeerError]:
    opened: list[SignedEntry | PeerError] = []
    for envelope in envelopes:
        try:
            opened.append(open_entry(envelope, cell_id))
        except PeerError as fault:
            opened.append(fault)
    return opened
