"""Shell: a member's own entries, read from the ledger, with how firmly each stands."""

import sqlite3

import trio

from ledger.errors import LedgerError
from ledger.records.entries import open_entry
from market.payloads import Kind
from node.views.ledger_view import payload_text
from node.web.answers import FeedEntry
from node.web.faults import Refusal
from node.web.watched_node import moment
from node.web.watcher import Watcher


async def entries_of(watcher: Watcher, limit: int) -> list[FeedEntry]:
    """The last entries, newest first: final once a block has them. Raises `Refusal` while the ledger is busy."""
    node = watcher.node
    member, tip = node.member, node.history.tip
    if member is None or tip is None:
        return []
    try:
        envelopes = await trio.to_thread.run_sync(watcher.follower.entries_of, tip, member.id, limit)
        entries = [open_entry(envelope, tip.genesis.cell_id) for envelope in envelopes]
    except (LedgerError, OSError, sqlite3.Error) as fault:
        raise Refusal(503, "ledger-busy", f"the ledger cannot be read now: {fault}") from fault
    head = tip.heads.get(member.id)
    anchored = (-1, -1) if head is None else (head.incarnation, head.sequence)
    return [
        FeedEntry(
            sequence=signed.entry.sequence,
            incarnation=signed.entry.incarnation,
            kind=_kind(signed.entry.kind),
            interval=signed.entry.interval,
            time=moment(signed.entry.time_ns),
            id=signed.id.hex(),
            says=payload_text(signed.entry),
            state="final" if (signed.entry.incarnation, signed.entry.sequence) <= anchored else "authored",
        )
        for signed in reversed(entries)
    ]


def _kind(kind: int) -> str:
    try:
        return Kind(kind).name.lower()
    except ValueError:
        return {1: "grant", 2: "change"}.get(kind, f"kind {kind}")
