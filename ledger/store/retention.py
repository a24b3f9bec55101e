"""Shell: what a node keeps of its history, and the pruning of the rest.

A pruned ledger stands on a snapshot, its base: blocks and entries are complete after it, so the chain can be
followed, verified and served from there on. Evidence, each member's last entry, each validator's last vote, and
the epochs (in the snapshots) are always kept.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from ledger.chain.state_snapshot import decode_cover, heads_of_part
from ledger.errors import Corrupt
from ledger.heads import Head
from ledger.store.store import Store

NEWEST: Final = 2
"""Snapshots always kept: the newest, and the one before it, which a peer may be fetching."""

MILESTONES: Final = 4
"""Snapshots kept on the way back to the base, evenly spaced: pruning can move no finer than they stand."""


@dataclass(frozen=True, slots=True)
class Retention:
    """How many of the last blocks are kept; None is all.

    `blocks` counts blocks together with the entries that they name, of which neither can be verified without the
    other; `votes` the heights whose single votes are kept. Raises ValueError for less than one.
    """

    blocks: int | None = None
    votes: int | None = None

    def __post_init__(self) -> None:
        if any(kept is not None and kept < 1 for kept in (self.blocks, self.votes)):
            raise ValueError("keep at least one block of each kind")

    def tidy(self, store: Store, height: int) -> None:
        """Prune a ledger whose last block is at `height`. Raises `Corrupt`, and what the store raises."""
        snapshots, present = store.snapshots(), store.base()
        base = self.base(snapshots, height, present)
        dropped = set(snapshots) - self.needed(snapshots, base)
        if base > present:
            store.prune(base, _heads_at(store, base))
        store.drop_snapshots(dropped)
        if self.votes is not None and height > self.votes:
            store.prune_votes(height - self.votes + 1)

    def base(self, snapshots: Sequence[int], height: int, present: int) -> int:
        """The highest snapshot after which enough blocks follow; `present` where there is none further up."""
        if self.blocks is None:
            return present
        return max((each for each in snapshots if each <= height - self.blocks), default=present)

    def needed(self, snapshots: Sequence[int], base: int) -> frozenset[int]:
        """Which snapshots stay: the base, the newest, and milestones at which the base can stand later."""
        kept = {base, *snapshots[-NEWEST:]}
        if self.blocks is not None:
            spacing = max(1, self.blocks // MILESTONES)
            kept |= {
                right
                for left, right in zip((base, *snapshots), snapshots, strict=False)
                if right > base and right // spacing > left // spacing
            }
        return frozenset(kept & set(snapshots))


KEEP_ALL: Final = Retention()


def _heads_at(store: Store, height: int) -> list[Head]:
    """The heads that a stored snapshot of this node's own names."""
    cover = decode_cover(store.snapshot_part(height, 0) or b"")
    heads: list[Head] = []
    for number in range(1, len(cover.parts) + 1):
        data = store.snapshot_part(height, number)
        if data is None:
            raise Corrupt(f"{store.path}: part {number} of the snapshot of block {height} is missing")
        heads.extend(heads_of_part(data))
    return heads
