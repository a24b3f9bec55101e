"""Feeds that a simulation writes itself, without a node: each entry signed and chained to the one before it."""

from nacl.signing import SigningKey

from ledger.encoding import Value
from ledger.records.entries import Entry, SignedEntry, author_entry


def write_entry(
    feed: list[SignedEntry],
    key: SigningKey,
    cell_id: bytes,
    kind: int,
    interval: int,
    time_ns: int,
    payload: tuple[Value, ...],
) -> SignedEntry:
    """Sign the next entry of `feed`, in its first incarnation, and append it."""
    last = feed[-1] if feed else None
    entry = Entry(
        author=key.verify_key.encode(),
        incarnation=0,
        sequence=0 if last is None else last.entry.sequence + 1,
        previous=None if last is None else last.id,
        kind=kind,
        interval=interval,
        time_ns=time_ns,
        payload=payload,
    )
    feed.append(author_entry(key, cell_id, entry))
    return feed[-1]
