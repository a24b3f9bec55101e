"""Syncing: when to ask whom for what. Gossip loses things; this repairs, within bounds. Sans-IO.

One question of a kind is open per peer at a time. Every second one peer in turn is asked for entries; who claims to be
higher is asked for blocks; what a block needs is asked of those who voted for it.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

from ledger.agreement.standing import Standing
from ledger.sync.replication import Position, block_request, blocks_request, feeds_request
from ledger.sync.snapshot_transfer import SnapshotFetch, part_request, snapshot_request
from node.constants import ANSWERS_EVERY_NS, PEERS_COMPARED, POSITIONS_COMPARED, SYNC_EVERY_NS
from node.events import Effect, Now, Send, SendRequest
from node.wire import StandingFrame, encode_frame

FEEDS, BLOCKS, BLOCK, RECALL = "feeds", "blocks", "block", "recall"
SNAPSHOT, PART = "snapshot", "part"

_CURSOR_STEP = 61
"""Less than are compared, so that none is skipped, and prime, so that every peer is asked for every feed in time."""


@dataclass(slots=True)
class Syncing:
    """Which peers are up, how high they claim to be, and what they have been asked."""

    heights: dict[bytes, int] = field(default_factory=dict)
    _open: set[tuple[bytes, str]] = field(default_factory=set)
    _answered_ns: dict[bytes, int] = field(default_factory=dict)
    _next_ns: int = 0
    _turn: int = 0
    _cursor: int = 0

    @property
    def peers(self) -> tuple[bytes, ...]:
        """The peers that are up, sorted."""
        return tuple(sorted(self.heights))

    def up(self, peer: bytes) -> None:
        """A peer is reachable."""
        self.heights.setdefault(peer, 0)

    def down(self, peer: bytes) -> None:
        """A peer is gone; whatever it was asked is asked of others."""
        self.heights.pop(peer, None)
        self._answered_ns.pop(peer, None)
        self._open = {item for item in self._open if item[0] != peer}

    def claims(self, peer: bytes, height: int) -> None:
        """A peer says how high it is; only a claim."""
        if peer in self.heights:
            self.heights[peer] = height

    def answered(self, peer: bytes, tag: str) -> None:
        """A question was answered, or failed."""
        self._open.discard((peer, tag))

    def next_ns(self) -> int | None:
        """The real time of the next routine question."""
        return self._next_ns if self.heights else None

    def routine(self, positions: Iterable[Position], height: int, now: Now) -> list[Effect]:
        """The regular repair: entries of one peer in turn, and blocks of whoever is ahead."""
        if now.real_ns < self._next_ns or not self.heights:
            return []
        self._next_ns = now.real_ns + SYNC_EVERY_NS
        self._turn += 1
        peer = self.peers[self._turn % len(self.heights)]
        return [*self.ask_entries(self._next_positions(tuple(positions)), (peer,)), *self.ask_blocks(height)]

    def _next_positions(self, positions: tuple[Position, ...]) -> tuple[Position, ...]:
        """The feeds whose turn it is: in a large cell naming all of them every second would be most of the traffic."""
        if len(positions) <= POSITIONS_COMPARED:
            return positions
        start, self._cursor = self._cursor, (self._cursor + _CURSOR_STEP) % len(positions)
        return (positions + positions)[start : start + POSITIONS_COMPARED]

    def ask_entries(self, positions: Iterable[Position], peers: Iterable[bytes]) -> list[Effect]:
        """Ask for the entries after these positions."""
        asked = [peer for peer in peers if self._may_ask(peer, FEEDS)]
        if not asked:
            return []
        request = feeds_request(positions)
        return [self._ask(peer, FEEDS, request) for peer in asked]

    def ask_blocks(self, height: int) -> list[Effect]:
        """Ask the highest peer for the blocks after `height`, if it is ahead and nobody is being asked."""
        ahead = [peer for peer in self.peers if self.heights[peer] > height]
        if not ahead or any(tag.startswith(f"{BLOCKS}:") for _, tag in self._open):
            return []
        self._turn += 1
        peer = ahead[self._turn % len(ahead)]
        return [self._ask(peer, f"{BLOCKS}:{height + 1}", blocks_request(height + 1))]

    def ask_block(self, block_id: bytes, holders: Iterable[bytes]) -> list[Effect]:
        """Ask one who should hold it for a block; without a holder, anyone in turn."""
        tag = f"{BLOCK}:{block_id.hex()}"
        if any(open_tag == tag for _, open_tag in self._open):
            return []
        known = [peer for peer in holders if peer in self.heights] or list(self.peers)
        if not known:
            return []
        self._turn += 1
        return [self._ask(known[self._turn % len(known)], tag, block_request(block_id))]

    def compare(self, standing: Standing) -> list[Effect]:
        """Show a standing to the next few peers."""
        peers = self.peers
        chosen = {peers[(self._turn + step) % len(peers)] for step in range(PEERS_COMPARED) if peers}
        self._turn += len(chosen)
        frame = encode_frame(StandingFrame(standing.encode()))
        return [Send(peer, frame) for peer in sorted(chosen)]

    def may_answer(self, peer: bytes, now: Now) -> bool:
        """Whether a peer may have another answer yet: it costs us many times what the question costs it."""
        if now.real_ns < self._answered_ns.get(peer, now.real_ns) or peer not in self.heights:
            return False
        self._answered_ns[peer] = now.real_ns + ANSWERS_EVERY_NS
        return True

    def ask_recall(self, peer: bytes, request: bytes) -> list[Effect]:
        """Ask what a peer holds of our own words."""
        return [self._ask(peer, RECALL, request)] if self._may_ask(peer, RECALL) else []

    def ahead(self, height: int) -> tuple[bytes, ...]:
        """The peers that claim to be higher."""
        return tuple(peer for peer in self.peers if self.heights[peer] > height)

    def ask_snapshot(self, peer: bytes, height: int) -> list[Effect]:
        """Ask a peer for a snapshot of a block above this height; one such question is open at a time."""
        if any(tag.startswith((SNAPSHOT, PART)) for _, tag in self._open):
            return []
        return [self._ask(peer, f"{SNAPSHOT}:{height}", snapshot_request(height))]

    def ask_part(self, fetch: SnapshotFetch) -> list[Effect]:
        """Ask for the next part of a snapshot on its way here."""
        index = len(fetch.parts)
        return [self._ask(fetch.peer, f"{PART}:{index}", part_request(fetch.height, index))]

    def _may_ask(self, peer: bytes, tag: str) -> bool:
        return peer in self.heights and (peer, tag) not in self._open

    def _ask(self, peer: bytes, tag: str, request: bytes) -> SendRequest:
        self._open.add((peer, tag))
        return SendRequest(peer, tag, request)
