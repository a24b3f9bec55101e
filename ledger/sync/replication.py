"""Anti-entropy: requests and replies by which nodes repair what gossip lost. No I/O: bytes in, bytes out.

Four questions: FEEDS (these are my heads, what comes after?), BLOCKS (decided ones from a height on), BLOCK
(one by its id, decided or proposed) and RECALL (what have I said, as far as you hold it?); two more are in
`snapshot_transfer`. Every reply is at
most `SYNC_BYTES`, and reading one is bounded whatever it claims. What a reply contains is no more than a
claim: entries still go through `open_entry` and `Feeds`, blocks through `follow`.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from ledger.chain.application import State
from ledger.chain.chain import Tip
from ledger.encoding import Value, decode, encode
from ledger.errors import BadSignature, Malformed
from ledger.feeds.feeds import Feeds
from ledger.heads import Head
from ledger.limits import (
    BLOCK_BYTES,
    ENTRY_BYTES,
    ID_BYTES,
    KEY_BYTES,
    PROPOSAL_BYTES,
    SNAPSHOT_PARTS,
    SYNC_BYTES,
)
from ledger.membership.members import Membership
from ledger.records.blocks import Block, decode_block
from ledger.records.entries import SignedEntry, open_entry
from ledger.records.rows import BlockRow
from ledger.records.votes import Certificate, Proposal, Vote, decode_proposal, decode_vote
from ledger.signing import MessageType, unseal, verify

REPLY_ENTRIES: Final = 1024
"""Entries in one reply: about a tenth of a second of signature verification for who asked."""

REPLY_BLOCKS: Final = 64
"""Blocks in one reply: each costs a quorum of signature verifications."""

REQUEST_POSITIONS: Final = 8192
"""Feeds named in one request: twice the members of a large cell."""

_REPLY_ROOM: Final = SYNC_BYTES - 64
"""What a reply's items may take; the rest is for its frame."""


class Kind:
    """The first field of a request and of its reply."""

    FEEDS: Final = 1
    BLOCKS: Final = 2
    BLOCK: Final = 3
    RECALL: Final = 4
    SNAPSHOT: Final = 5
    PART: Final = 6


@dataclass(frozen=True, slots=True)
class Position:
    """Up to where a feed is held: the last sequence and its id, or -1 and None when nothing is.

    With the id the other side sees a fork: where it holds another entry, it sends that one too.
    """

    member: bytes
    incarnation: int
    sequence: int = -1
    id: bytes | None = None


class Archive(Protocol):
    """What a node answers from. Nothing it gives needs to be held in memory."""

    def envelopes(self, member: bytes, incarnation: int, after: int, limit: int) -> Sequence[bytes]:
        """At most `limit` envelopes of the member's entries after a sequence, in order."""
        ...

    def entry_id(self, member: bytes, incarnation: int, sequence: int) -> bytes | None:
        """The id of one held entry."""
        ...

    def height(self) -> int:
        """The height of the last decided block."""
        ...

    def block(self, height: int) -> BlockRow | None:
        """A decided block."""
        ...

    def block_by_id(self, block_id: bytes) -> tuple[bytes, bytes | None] | None:
        """A decided or proposed block and, when decided, its certificate; both encoded."""
        ...

    def snapshots(self) -> Sequence[int]:
        """The heights of the held snapshots, ascending."""
        ...

    def snapshot_part(self, height: int, part: int) -> bytes | None:
        """The cover of a snapshot (part 0), or one of its parts (from 1 on)."""
        ...

    def last_words(
        self, member: bytes, consensus_key: bytes | None
    ) -> tuple[bytes | None, bytes | None, bytes | None]:
        """The envelopes of the member's last entry, and of the last vote and proposal under a consensus key."""
        ...


@dataclass(frozen=True, slots=True)
class FeedsReply:
    """Envelopes of entries, none of them opened yet. `more` says that asking again will bring others."""

    envelopes: tuple[bytes, ...]
    more: bool


@dataclass(frozen=True, slots=True)
class BlocksReply:
    """Consecutive blocks with certificates, decoded but not verified, and the height the peer claims."""

    height: int
    blocks: tuple[tuple[Block, Certificate], ...]


@dataclass(frozen=True, slots=True)
class BlockReply:
    """One block with its certificate, if it is decided; None when the peer does not have it."""

    block: Block | None
    certificate: Certificate | None


@dataclass(frozen=True, slots=True)
class Recalled:
    """The last of one's own words that a peer holds; their signatures are verified, so it cannot invent any."""

    height: int
    entry: SignedEntry | None
    vote: Vote | None
    proposal: Proposal | None


def feed_positions(feeds: Feeds, membership: Membership) -> tuple[Position, ...]:
    """Up to where every feed is held that may still grow: what to ask for in regular anti-entropy."""
    return tuple(
        _position_of(member.id, member.incarnation, feeds.head(member.id))
        for member in membership.members
        if member.frozen_at is None
    )


def anchored_positions(tip: Tip[State], wanted: Iterable[Head]) -> tuple[Position, ...]:
    """From where to ask for the entries that `MissingEntries` wants: from the anchor on, so that a branch
    other than the one held here comes too.
    """
    positions = []
    for head in wanted:
        anchor = tip.heads.get(head.member)
        same = anchor if anchor is not None and anchor.incarnation == head.incarnation else None
        positions.append(_position_of(head.member, head.incarnation, same))
    return tuple(positions)


def feeds_request(positions: Iterable[Position]) -> bytes:
    """Ask for the entries after these positions. Raises ValueError beyond `REQUEST_POSITIONS`."""
    listed = tuple((p.member, p.incarnation, p.sequence, p.id) for p in positions)
    if len(listed) > REQUEST_POSITIONS:
        raise ValueError(f"a request names at most {REQUEST_POSITIONS} feeds")
    return encode((Kind.FEEDS, listed))


def blocks_request(from_height: int) -> bytes:
    """Ask for the decided blocks from a height on."""
    return encode((Kind.BLOCKS, from_height))


def block_request(block_id: bytes) -> bytes:
    """Ask for one block, decided or proposed."""
    return encode((Kind.BLOCK, block_id))


def recall_request(member: bytes, consensus_key: bytes | None) -> bytes:
    """Ask what a peer holds of one's own entries and votes, before signing the first thing after a start."""
    return encode((Kind.RECALL, member, consensus_key))


def answer(request: bytes, archive: Archive) -> bytes:
    """The reply to a request, at most `SYNC_BYTES`. Raises `Malformed` for anything that is no request."""
    match decode(request, max_bytes=SYNC_BYTES):
        case (Kind.FEEDS, tuple(items)) if len(items) <= REQUEST_POSITIONS:
            return _answer_feeds([_position_from(item) for item in items], archive)
        case (Kind.BLOCKS, int(from_height)) if from_height >= 1:
            return _answer_blocks(from_height, archive)
        case (Kind.BLOCK, bytes(block_id)) if len(block_id) == ID_BYTES:
            block, certificate = archive.block_by_id(block_id) or (None, None)
            return encode((Kind.BLOCK, block, certificate))
        case (Kind.RECALL, bytes(member), (bytes() | None) as key) if len(member) == ID_BYTES:
            if key is not None and len(key) != KEY_BYTES:
                raise Malformed("a consensus key has 32 bytes")
            return encode((Kind.RECALL, archive.height(), *archive.last_words(member, key)))
        case (Kind.SNAPSHOT, int(above)) if above >= 0:
            newest = max((height for height in archive.snapshots() if height > above), default=None)
            return encode((Kind.SNAPSHOT, None if newest is None else archive.snapshot_part(newest, 0)))
        case (Kind.PART, int(height), int(index)) if height >= 1 and 0 <= index < SNAPSHOT_PARTS:
            return encode((Kind.PART, archive.snapshot_part(height, 1 + index)))
    raise Malformed("no such request")


def read_feeds_reply(data: bytes) -> FeedsReply:
    """The envelopes in a reply, each within the cap of an entry. Raises `Malformed`."""
    match decode(data, max_bytes=SYNC_BYTES):
        case (Kind.FEEDS, int(more), tuple(items)) if more in (0, 1) and len(items) <= REPLY_ENTRIES:
            envelopes = tuple(item for item in items if isinstance(item, bytes) and len(item) <= ENTRY_BYTES)
            if len(envelopes) == len(items):
                return FeedsReply(envelopes, bool(more))
    raise Malformed("no reply with entries")


def read_blocks_reply(data: bytes, from_height: int) -> BlocksReply:
    """The blocks in a reply, consecutive from the height asked for. Raises `Malformed` or `InvalidBlock`."""
    match decode(data, max_bytes=SYNC_BYTES):
        case (Kind.BLOCKS, int(height), tuple(items)) if height >= 0 and len(items) <= REPLY_BLOCKS:
            blocks = tuple(_certified_from(item) for item in items)
        case _:
            raise Malformed("no reply with blocks")
    if any(block.header.height != from_height + index for index, (block, _) in enumerate(blocks)):
        raise Malformed("the blocks are not consecutive from the height asked for")
    return BlocksReply(height, blocks)


def read_block_reply(data: bytes, cell_id: bytes, block_id: bytes) -> BlockReply:
    """The block in a reply, which has the id asked for. Raises `Malformed` or `InvalidBlock`."""
    match decode(data, max_bytes=SYNC_BYTES):
        case (Kind.BLOCK, None, None):
            return BlockReply(None, None)
        case (Kind.BLOCK, bytes(encoded), (bytes() | None) as encoded_certificate):
            block = decode_block(encoded)
        case _:
            raise Malformed("no reply with a block")
    if block.block_id(cell_id) != block_id:
        raise Malformed("another block than the one asked for")
    certificate = None if encoded_certificate is None else Certificate.decode(encoded_certificate)
    if certificate is not None and certificate.block_id != block_id:
        raise Malformed("the certificate of another block")
    return BlockReply(block, certificate)


def read_recall_reply(
    data: bytes, cell_id: bytes, feed_keys: Collection[bytes], consensus_key: bytes | None
) -> Recalled:
    """One's own last words that a peer holds; `feed_keys` are all that one ever had.

    Raises `Malformed`, `InvalidVote`, or `BadSignature` when they are not one's own.
    """
    match decode(data, max_bytes=SYNC_BYTES):
        case (
            Kind.RECALL,
            int(height),
            (bytes() | None) as entry,
            (bytes() | None) as vote,
            (bytes() | None) as proposal,
        ) if height >= 0:
            pass
        case _:
            raise Malformed("no reply with one's own words")
    opened = None if entry is None else open_entry(entry, cell_id)
    if opened is not None and opened.entry.author not in feed_keys:
        raise BadSignature("the entry is another member's")
    vote_body = _own_body(vote, MessageType.VOTE, cell_id, consensus_key)
    proposal_body = _own_body(proposal, MessageType.PROPOSAL, cell_id, consensus_key)
    return Recalled(
        height,
        opened,
        None if vote_body is None else decode_vote(vote_body),
        None if proposal_body is None else decode_proposal(proposal_body),
    )


def _answer_feeds(positions: Sequence[Position], archive: Archive) -> bytes:
    found: list[bytes] = []
    room = _REPLY_ROOM
    more = False
    for position in positions:
        after = position.sequence
        if after >= 0 and position.id is not None:
            held = archive.entry_id(position.member, position.incarnation, after)
            if held is not None and held != position.id:
                after -= 1
        limit = REPLY_ENTRIES - len(found)
        envelopes = archive.envelopes(position.member, position.incarnation, after, limit + 1)
        for index, envelope in enumerate(envelopes):
            room -= len(envelope) + 3
            if index == limit or room < 0:
                more = True
                break
            found.append(envelope)
        if more:
            break
    return encode((Kind.FEEDS, int(more), tuple(found)))


def _answer_blocks(from_height: int, archive: Archive) -> bytes:
    height = archive.height()
    found: list[Value] = []
    room = _REPLY_ROOM
    for number in range(from_height, min(height, from_height + REPLY_BLOCKS - 1) + 1):
        row = archive.block(number)
        if row is None:
            break
        room -= len(row.block) + len(row.certificate) + 11
        if room < 0:
            break
        found.append((row.block, row.certificate))
    return encode((Kind.BLOCKS, height, tuple(found)))


def _position_of(member: bytes, incarnation: int, head: Head | None) -> Position:
    if head is None:
        return Position(member, incarnation)
    return Position(member, incarnation, head.sequence, head.id)


def _position_from(value: Value) -> Position:
    match value:
        case (bytes(member), int(incarnation), int(sequence), (bytes() | None) as entry_id):
            if len(member) != ID_BYTES or incarnation < 0 or sequence < -1:
                raise Malformed("no position in a feed")
            return Position(member, incarnation, sequence, entry_id)
    raise Malformed("a position has a member, an incarnation, a sequence and an id")


def _certified_from(value: Value) -> tuple[Block, Certificate]:
    match value:
        case (bytes(block), bytes(certificate)) if len(certificate) <= BLOCK_BYTES:
            return decode_block(block), Certificate.decode(certificate)
    raise Malformed("a decided block comes with its certificate")


def _own_body(
    envelope: bytes | None, kind: MessageType, cell_id: bytes, consensus_key: bytes | None
) -> bytes | None:
    if envelope is None:
        return None
    if consensus_key is None:
        raise Malformed("a vote of a member that does not vote")
    body, signature = unseal(envelope, PROPOSAL_BYTES)
    verify(consensus_key, kind, cell_id, body, signature)
    return body
