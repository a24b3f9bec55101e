"""Fetching a snapshot from a peer, part by part: each is checked before the next is asked for. No I/O.

Two more questions of anti-entropy: SNAPSHOT (the cover of your newest above a height) and PART (one part of it).
A peer can make us hold no more than `SNAPSHOT_PARTS` replies, and only under a cover that a quorum certified.
"""

from dataclasses import dataclass, field

from ledger.chain.application import Application, State
from ledger.chain.chain import Tip
from ledger.chain.state_snapshot import Cover, Snapshot, check_part, decode_cover, restore
from ledger.encoding import decode, encode
from ledger.errors import Malformed
from ledger.limits import SYNC_BYTES
from ledger.records.genesis import Genesis
from ledger.records.validators import ValidatorSet
from ledger.sync.replication import Kind


def snapshot_request(above: int) -> bytes:
    """Ask for the cover of a snapshot of a block above this height."""
    return encode((Kind.SNAPSHOT, above))


def part_request(height: int, index: int) -> bytes:
    """Ask for one part, counted from 0, of the snapshot at a height."""
    return encode((Kind.PART, height, index))


@dataclass(slots=True)
class SnapshotFetch:
    """A snapshot on its way here from one peer; `cover` has been checked."""

    peer: bytes
    cover: Cover
    parts: list[bytes] = field(default_factory=list)

    @property
    def height(self) -> int:
        """The height of the snapshot's block."""
        return self.cover.header.height

    @property
    def complete(self) -> bool:
        """Whether every part is here."""
        return len(self.parts) == len(self.cover.parts)

    def take(self, index: int, reply: bytes) -> None:
        """The reply with the next part. Raises `Malformed` for another one."""
        match decode(reply, max_bytes=SYNC_BYTES):
            case (Kind.PART, bytes(part)) if index == len(self.parts):
                check_part(self.cover, index, part)
                self.parts.append(part)
            case _:
                raise Malformed("no reply with the part that was asked for")

    def finish(self, genesis: Genesis, application: Application[State]) -> tuple[Tip[State], Snapshot]:
        """The tip of a complete snapshot, and the snapshot to be stored. Raises `PeerError`: then the peer lied."""
        tip = restore(self.cover, self.parts, genesis, application)
        return tip, Snapshot(self.height, self.cover.encode(), tuple(self.parts))


def read_snapshot_reply(
    peer: bytes, reply: bytes, above: int, cell_id: bytes, founders: ValidatorSet
) -> SnapshotFetch | None:
    """What a peer's reply to `snapshot_request` begins; None when it has none. Raises `PeerError`."""
    match decode(reply, max_bytes=SYNC_BYTES):
        case (Kind.SNAPSHOT, None):
            return None
        case (Kind.SNAPSHOT, bytes(data)):
            cover = decode_cover(data)
        case _:
            raise Malformed("no reply with a snapshot")
    if cover.header.height <= above:
        raise Malformed("a snapshot that is not above the height asked for")
    cover.check(cell_id, founders)
    return SnapshotFetch(peer, cover)
