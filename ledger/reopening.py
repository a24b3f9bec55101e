"""Shell: from a stored ledger to what a node holds in memory."""

from ledger.application import Application, State
from ledger.chain import Tip
from ledger.errors import Corrupt, MissingEntries
from ledger.feeds import Appended, Feeds
from ledger.genesis import Genesis
from ledger.replay import load_chain
from ledger.store import Store


def reopen(store: Store, genesis: Genesis, application: Application[State]) -> tuple[Tip[State], Feeds]:
    """The tip after all stored blocks and the feeds as they were held, everything verified again.

    Raises `CorruptBlock` or `Corrupt` when something stored does not follow from what is before it.
    """
    tip = load_chain(store, genesis, application)
    feeds = Feeds(genesis.cell_id, tip.membership)
    for head in tip.heads.values():
        feeds.forget_through(head)
    for member in tip.membership.members:
        if member.frozen_at is None:
            _restore(store, feeds, member.id, member.incarnation)
    return tip, feeds


def _restore(store: Store, feeds: Feeds, member: bytes, incarnation: int) -> None:
    """Offer the stored entries after the anchored head again, each at the time it was first seen."""
    anchored = feeds.head(member)
    after = -1 if anchored is None else anchored.sequence
    last = store.last_sequence(member, incarnation)
    try:
        entries = store.entries(member, incarnation, after, max(after, last))
    except MissingEntries as fault:
        raise _broken(store, member, incarnation, f"lacks an entry between {after} and {last}") from fault
    for signed in entries:
        sequence = signed.entry.sequence
        first_seen_ns = store.first_seen(member, incarnation, sequence)
        result = feeds.offer(signed, 0 if first_seen_ns is None else first_seen_ns)
        if not isinstance(result, Appended):
            raise _broken(store, member, incarnation, f"does not continue with entry {sequence}")


def _broken(store: Store, member: bytes, incarnation: int, what: str) -> Corrupt:
    return Corrupt(
        f"{store.path}: the feed of member {member.hex()}, incarnation {incarnation}, {what};"
        " move the ledger away and let the node rebuild it from its peers"
    )
