"""Shell: from a stored ledger to what a node holds in memory."""

from dataclasses import dataclass
from typing import Generic

from ledger.chain.application import Application, State
from ledger.chain.chain import Tip, genesis_tip
from ledger.chain.epochs import EpochLink
from ledger.chain.replay import CorruptBlock, edge_of, replay, stored_tip
from ledger.chain.state_snapshot import Cover
from ledger.errors import Corrupt, MissingEntries
from ledger.feeds.feeds import Appended, Feeds
from ledger.records.genesis import Genesis
from ledger.records.votes import Certificate
from ledger.store.store import Store


@dataclass(frozen=True, slots=True)
class Reopened(Generic[State]):
    """What a node stands on after a start.

    `base` is the height that the replay began after, `epochs` lead to the tip's validators, `last_certificate`
    decided the tip, and `refused` says which stored snapshots were passed over, and why.
    """

    tip: Tip[State]
    feeds: Feeds
    base: int
    epochs: tuple[EpochLink, ...]
    last_certificate: Certificate | None
    refused: tuple[CorruptBlock, ...] = ()


def reopen(store: Store, genesis: Genesis, application: Application[State]) -> tuple[Tip[State], Feeds]:
    """The tip after all stored blocks and the feeds as they were held; see `reopen_fast`."""
    reopened = reopen_fast(store, genesis, application)
    return reopened.tip, reopened.feeds


def reopen_fast(store: Store, genesis: Genesis, application: Application[State]) -> Reopened[State]:
    """The tip after all stored blocks and the feeds as they were held, from the newest good snapshot on.

    A snapshot is trusted for its certificate and its roots; what is stored after it is verified again. Where a
    snapshot is missing or wrong the one before it serves, and without any the whole chain. Raises
    `CorruptBlock` or `Corrupt` when something stored does not follow from what is before it.
    """
    tip, cover, refused = _base(store, genesis, application)
    base = tip.height
    epochs, certificate = ((), None) if cover is None else (cover.epochs, cover.certificate)
    for replayed in replay(store, genesis, application, tip):
        tip, certificate = replayed.tip, replayed.certificate
        epochs += edge_of(replayed.block.header, certificate, tip)
    feeds = Feeds(genesis.cell_id, tip.membership)
    for head in tip.heads.values():
        feeds.forget_through(head)
    for member in tip.membership.members:
        if member.frozen_at is None:
            _restore(store, feeds, member.id, member.incarnation)
    return Reopened(tip, feeds, base, epochs, certificate, refused)


def _base(
    store: Store, genesis: Genesis, application: Application[State]
) -> tuple[Tip[State], Cover | None, tuple[CorruptBlock, ...]]:
    refused: tuple[CorruptBlock, ...] = ()
    for height in reversed(store.snapshots()):
        try:
            return *stored_tip(store, height, genesis, application), refused
        except CorruptBlock as fault:
            refused = (*refused, fault)
    if store.base():
        raise Corrupt(
            f"{store.path}: its history before block {store.base()} was pruned, and the snapshot there is"
            f" wrong: {refused[-1] if refused else 'it is not stored'}; move the ledger away and let the node"
            " rebuild it from its peers"
        )
    return genesis_tip(genesis, application), None, refused


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
