"""Recall: before the first signature after a start, compare what we remember with what peers hold of us.

A whole old backup can come back, sign guard included, and then nothing on this disk would show it. Peers show it: each
returns our own last entry and vote, with our signature. Only when enough of them know nothing newer than we do may we
sign; whoever shows something newer proves that our memory is incomplete, and then we only read.

Where the sign guard remembers what the ledger does not (the ledger was lost, or rolled back), the node fetches its own
feed and the blocks from peers, and signs again when it has caught up with its guard.
"""

from dataclasses import dataclass, field

from ledger.sync.replication import Recalled
from node.events import Effect, Report


@dataclass(frozen=True, slots=True)
class Remembered:
    """Our own last words as we know them: feed position (incarnation, sequence) and vote (height, round, step)."""

    feed: tuple[int, int] | None
    vote: tuple[int, int, int] | None
    log_whole: bool = True

    def covered_by(self, feed: tuple[int, int] | None, height: int) -> bool:
        """Whether a ledger with this own feed head and this height holds all that we signed.

        A vote for a height that is not decided yet must be in the write-ahead log (`log_whole`).
        """
        feed_held = self.feed is None or (feed is not None and feed >= self.feed)
        votes_held = self.vote is None or height >= self.vote[0] or self.log_whole
        return feed_held and votes_held


@dataclass(slots=True)
class Recall:
    """Waits for `needed` peers to confirm. `confirmed` peers hold nothing of us that we do not know.

    Only words under the `feed_key` that we sign with now count: what somebody signs with a key that we gave up, and
    shows to those who do not know that yet, is not ours, and cannot silence us.
    """

    needed: int
    feed_key: bytes
    confirmed: set[bytes] = field(default_factory=set)

    @property
    def done(self) -> bool:
        """Whether we may sign."""
        return len(self.confirmed) >= self.needed

    def hear(self, peer: bytes, recalled: Recalled, remembered: Remembered) -> str | None:
        """A peer's answer: None when it confirms, else what of ours it holds that we do not remember."""
        if recalled.entry is not None and recalled.entry.entry.author == self.feed_key:
            entry = recalled.entry.entry
            if remembered.feed is None or (entry.incarnation, entry.sequence) > remembered.feed:
                return f"entry {entry.sequence} of incarnation {entry.incarnation} of our own feed"
        for cast in (recalled.vote, recalled.proposal):
            if cast is None:
                continue
            place = (cast.height, cast.round, int(cast.step))
            if remembered.vote is None or place > remembered.vote:
                return f"our vote at height {cast.height}, round {cast.round}"
        self.confirmed.add(peer)
        return None


def not_remembered(what: str) -> str:
    """Why a node only reads that does not remember what it said."""
    return f"a peer holds {what}, which this node does not remember: an old copy came back"


def missing_reports(
    read_only: str | None, remembered: Remembered, height: int, *, covered: bool
) -> list[Effect]:
    """What a start says of a memory that is not whole: why it only reads, or that it is behind its guard."""
    if read_only is not None:
        return [Report("read_only", {"reason": read_only})]
    if not covered:
        guard = {"feed": remembered.feed, "vote": remembered.vote}
        return [Report("behind_guard", {"guard": guard, "height": height})]
    return []
