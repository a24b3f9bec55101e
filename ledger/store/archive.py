"""Shell: what a node answers its peers from: its store, and the blocks it holds that are not decided yet."""

from collections.abc import Callable, Sequence

from ledger.records.rows import BlockRow
from ledger.records.validators import Epoch
from ledger.store.store import Store


class StoreArchive:
    """A `replication.Archive` over a store.

    `undecided` finds the encoded bytes of a proposed block by id, and `epochs` gives the last sets of
    validators, by which votes are found from a consensus key.
    """

    def __init__(
        self,
        store: Store,
        undecided: Callable[[bytes], bytes | None],
        epochs: Callable[[], Sequence[Epoch]],
    ) -> None:
        self._store = store
        self._undecided = undecided
        self._epochs = epochs

    def envelopes(self, member: bytes, incarnation: int, after: int, limit: int) -> Sequence[bytes]:
        """At most `limit` envelopes of the member's stored entries after a sequence, in order."""
        return self._store.envelopes(member, incarnation, after, limit)

    def entry_id(self, member: bytes, incarnation: int, sequence: int) -> bytes | None:
        """The id of one stored entry."""
        return self._store.entry_id(member, incarnation, sequence)

    def height(self) -> int:
        """The height of the last stored block."""
        return self._store.height()

    def block(self, height: int) -> BlockRow | None:
        """A stored block."""
        return self._store.block(height)

    def snapshots(self) -> Sequence[int]:
        """The heights of the stored snapshots."""
        return self._store.snapshots()

    def snapshot_part(self, height: int, part: int) -> bytes | None:
        """A stored cover or part."""
        return self._store.snapshot_part(height, part)

    def block_by_id(self, block_id: bytes) -> tuple[bytes, bytes | None] | None:
        """A proposed block, or a stored one with its certificate."""
        proposed = self._undecided(block_id)
        if proposed is not None:
            return proposed, None
        height = self._store.block_height(block_id)
        row = None if height is None else self._store.block(height)
        return None if row is None else (row.block, row.certificate)

    def last_words(
        self, member: bytes, consensus_key: bytes | None
    ) -> tuple[bytes | None, bytes | None, bytes | None]:
        """The envelopes of the member's last entry, and of its last vote and proposal."""
        vote = None if consensus_key is None else self._last_vote(consensus_key, proposal=False)
        proposal = None if consensus_key is None else self._last_vote(consensus_key, proposal=True)
        return self._store.last_envelope(member), vote, proposal

    def _last_vote(self, consensus_key: bytes, *, proposal: bool) -> bytes | None:
        """The last kept vote under a key, which may have had another index in every epoch."""
        before: int | None = None
        for epoch in reversed(self._epochs()):
            index = epoch.validators.index_of(consensus_key)
            if index is not None:
                row = self._store.last_vote(
                    index, proposal=proposal, first_height=epoch.first_height, before=before
                )
                if row is not None:
                    return row.envelope
            before = epoch.first_height
        return None
