"""Snapshots in the daemon: when one is taken, and joining by one of a peer's. Sans-IO.

A snapshot is fetched when the blocks that this node needs are pruned at every peer that is ahead, or when it is
further behind than it would keep. One is fetched at a time, from one peer, and only under a cover that a quorum
certified: the worst that peer can do is to stop, and then another is asked.
"""

from dataclasses import dataclass, field

from ledger.chain.epochs import EpochLink
from ledger.chain.replay import edge_of
from ledger.errors import PeerError
from ledger.records.genesis import Genesis
from ledger.records.validators import ValidatorSet
from ledger.sync.replication import BlocksReply, read_blocks_reply
from ledger.sync.snapshot_transfer import SnapshotFetch, read_snapshot_reply
from market.cell_state import CellState
from node.agreement.belonging import confirmations_needed, members_changed
from node.agreement.gathering import Gathering
from node.agreement.ordering import Ordering
from node.agreement.recall import Recall, Remembered, not_remembered
from node.agreement.steps import Decided
from node.agreement.syncing import BLOCKS, PART, SNAPSHOT, Syncing
from node.constants import SNAPSHOT_EVERY_BLOCKS
from node.events import Effect, Now, Report, StandOn, TakeSnapshot


@dataclass(slots=True)
class Joining:
    """`keep_blocks` is how many blocks this node keeps, `epochs` those that lead to the tip's validators."""

    genesis: Genesis
    founders: ValidatorSet
    member: bytes
    remembered: Remembered
    recall: Recall
    ordering: Ordering[CellState]
    gathering: Gathering
    syncing: Syncing
    epochs: tuple[EpochLink, ...] = ()
    keep_blocks: int | None = None
    every: int = SNAPSHOT_EVERY_BLOCKS
    _fetch: SnapshotFetch | None = None
    _lacking: set[bytes] = field(default_factory=set)
    _lacking_height: int = -1
    _without: dict[bytes, int] = field(default_factory=dict)

    @property
    def forgotten(self) -> str | None:
        """What the cell has anchored of our own feed and our guard does not know, before the first signature.

        Peers who joined by a snapshot cannot show such an entry, but the heads do: we must not sign.
        """
        own, said = self.ordering.tip.heads.get(self.member), self.remembered.feed
        if own is None or (said is not None and (own.incarnation, own.sequence) <= said):
            return None
        return not_remembered(f"entry {own.sequence} of incarnation {own.incarnation} of our own feed")

    def due(self, decided: Decided[CellState]) -> list[Effect]:
        """Every so many blocks the state is kept, for a fast start and for members who come later."""
        tip, header, certificate = decided.tip, decided.block.header, decided.certificate
        self.epochs += edge_of(header, certificate, tip)
        if tip.height % self.every:
            return []
        return [TakeSnapshot(tip, header, certificate, self.epochs)]

    def unanswered(self, peer: bytes, tag: str) -> None:
        """A peer did not give what it was asked for."""
        kind, _, argument = tag.partition(":")
        if kind == BLOCKS:
            if int(argument) != self._lacking_height:
                self._lacking_height = int(argument)
                self._lacking.clear()
            self._lacking.add(peer)
        elif kind in (SNAPSHOT, PART):
            self.gone(peer)

    def gone(self, peer: bytes) -> None:
        """A peer left, or did not answer: another is asked."""
        self._without.pop(peer, None)
        if self._fetch is not None and self._fetch.peer == peer:
            self._fetch = None

    def blocks_of(self, peer: bytes, data: bytes, from_height: int) -> BlocksReply:
        """A peer's blocks from a height on; who has none, or talks nonsense, lacks them. Raises `PeerError`."""
        self.unanswered(peer, f"{BLOCKS}:{from_height}")
        blocks = read_blocks_reply(data, from_height)
        if blocks.blocks:
            self._lacking.discard(peer)
        return blocks

    def instead_of(self, blocks: BlocksReply, peer: bytes) -> list[Effect] | None:
        """The question for a snapshot, when the blocks that a peer has do not help.

        No question while a snapshot comes that saves them; None when they are to be taken.
        """
        tip = self.ordering.tip.height
        ahead = self.syncing.ahead(tip)
        pruned = self._lacking_height == tip + 1 and self._lacking.issuperset(ahead) and bool(ahead)
        has_none = self._without.get(peer) == tip
        far = self.keep_blocks is not None and blocks.height - tip > self.keep_blocks and not has_none
        if self._fetch is not None or not (pruned or far):
            return [] if self._fetch is not None and far else None
        return self.syncing.ask_snapshot(peer, tip)

    def reply(self, peer: bytes, kind: str, index: int, data: bytes, now: Now) -> list[Effect]:
        """A peer's cover or part. Raises `PeerError`; then the fetch begins anew, with whoever is asked next."""
        if kind == SNAPSHOT and self._fetch is None:
            height, cell_id = self.ordering.tip.height, self.genesis.cell_id
            self._fetch = read_snapshot_reply(peer, data, height, cell_id, self.founders)
            if self._fetch is None:
                self._without[peer] = height
                return self.syncing.ask_blocks(height)
        fetch = self._fetch
        if fetch is None or fetch.peer != peer:
            return []
        try:
            if kind == PART:
                fetch.take(index, data)
            return self._stand_on(fetch, now) if fetch.complete else self.syncing.ask_part(fetch)
        except PeerError:
            self._fetch = None
            raise

    def _stand_on(self, fetch: SnapshotFetch, now: Now) -> list[Effect]:
        tip, snapshot = fetch.finish(self.genesis, self.ordering.application)
        self._fetch = None
        if tip.height <= self.ordering.tip.height:
            return []
        heads = tuple(tip.heads.values())
        self.ordering.stand_on(tip, fetch.cover.certificate, now)
        changed = members_changed(self.gathering.membership, tip.membership)
        self.recall.needed = confirmations_needed(tip.membership, self.member)
        self.gathering.stand_on(tip.membership, heads, tip.last_interval)
        self.epochs = fetch.cover.epochs
        report = Report("joined", {"height": tip.height, "id": tip.header_id.hex()})
        return [StandOn(snapshot, heads), report, *changed, *self.syncing.ask_blocks(tip.height)]
