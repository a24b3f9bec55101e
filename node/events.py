"""What the daemon's core is told and what it asks for: two closed unions.

Inputs arrive through `NodeCore.handle(input, now)`; effects leave it and are carried out in order by
`node/daemon/runtime.py`, the only interpreter. What an effect produces (a signature, a reply) comes back as an input.
"""

from dataclasses import dataclass

from devices.messages import orders
from devices.messages.control_messages import Alarm, Attached, ImageReport, MeterRecord
from ledger.chain.chain import Tip
from ledger.chain.epochs import EpochLink
from ledger.chain.state_snapshot import Snapshot
from ledger.encoding import Value
from ledger.heads import Head
from ledger.records.blocks import Header
from ledger.records.entries import SignedEntry
from ledger.records.votes import Certificate, Proposal, SignedProposal, SignedVote, Vote
from market.cell_state import CellState


@dataclass(frozen=True, slots=True)
class Now:
    """The two clocks at one moment: `real_ns` is monotonic, `cell_ns` is cell time."""

    real_ns: int
    cell_ns: int
    speed: int

    def real_of(self, cell_ns: int) -> int:
        """The real time at which cell time will be (or was) `cell_ns`."""
        return self.real_ns + (cell_ns - self.cell_ns) // self.speed


# Inputs -------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class GossipReceived:
    """A gossiped message; `author` is the key that the network layer verified as its author's."""

    topic: str
    author: bytes
    data: bytes


@dataclass(frozen=True, slots=True)
class FrameReceived:
    """A frame from a neighbour's persistent stream."""

    peer: bytes
    data: bytes


@dataclass(frozen=True, slots=True)
class PeerConnected:
    """A member is reachable."""

    peer: bytes


@dataclass(frozen=True, slots=True)
class PeerLost:
    """A member is no longer reachable."""

    peer: bytes


@dataclass(frozen=True, slots=True)
class ReplyReceived:
    """The answer to `SendRequest` with this tag; None when it failed or timed out."""

    peer: bytes
    tag: str
    data: bytes | None


@dataclass(frozen=True, slots=True)
class TimerDue:
    """The moment `NodeCore.next_timer` named has come."""


@dataclass(frozen=True, slots=True)
class VoteSigned:
    """Our vote, logged, guarded and signed."""

    vote: SignedVote


@dataclass(frozen=True, slots=True)
class ProposalSigned:
    """Our proposal, logged, guarded and signed."""

    proposal: SignedProposal


@dataclass(frozen=True, slots=True)
class EntrySigned:
    """Our entry, guarded, signed and stored."""

    entry: SignedEntry


@dataclass(frozen=True, slots=True)
class MeterRead:
    """The control process measured one interval."""

    record: MeterRecord


@dataclass(frozen=True, slots=True)
class DevicesMeasured:
    """The newest process image."""

    image: ImageReport


@dataclass(frozen=True, slots=True)
class ControlAttached:
    """A control process answers: what its devices can do together."""

    attached: Attached


@dataclass(frozen=True, slots=True)
class AlarmChanged:
    """The control process raised or cleared an alarm."""

    alarm: Alarm


@dataclass(frozen=True, slots=True)
class LoopStalled:
    """The process did not run for a while (stopped, swapped out): nothing can be said about what arrived meanwhile."""

    since_real_ns: int


@dataclass(frozen=True, slots=True)
class OperatorInstructed:
    """Somebody at this machine wants an entry in our feed; `name` is how to forget it."""

    name: str
    kind: int
    interval: int
    payload: tuple[Value, ...]


Input = (
    GossipReceived
    | FrameReceived
    | PeerConnected
    | PeerLost
    | ReplyReceived
    | TimerDue
    | VoteSigned
    | ProposalSigned
    | EntrySigned
    | MeterRead
    | DevicesMeasured
    | ControlAttached
    | AlarmChanged
    | LoopStalled
    | OperatorInstructed
)


# Effects ------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Publish:
    """Gossip `data` to all members on `topic`."""

    topic: str
    data: bytes


@dataclass(frozen=True, slots=True)
class Broadcast:
    """Send a frame to every neighbour."""

    frame: bytes


@dataclass(frozen=True, slots=True)
class Send:
    """Send a frame to one neighbour."""

    peer: bytes
    frame: bytes


@dataclass(frozen=True, slots=True)
class SendRequest:
    """Ask one peer; the answer returns as `ReplyReceived` with the same tag."""

    peer: bytes
    tag: str
    data: bytes


@dataclass(frozen=True, slots=True)
class AppendToLog:
    """Append to the write-ahead log and flush, before anything that follows is carried out."""

    record: bytes


@dataclass(frozen=True, slots=True)
class KeepBlock:
    """Append a block to the write-ahead log: it is about to be prevoted, and must outlive this process."""

    block: bytes


@dataclass(frozen=True, slots=True)
class StartLog:
    """Begin the write-ahead log of a new height: what was logged for earlier ones is no longer needed."""

    height: int


@dataclass(frozen=True, slots=True)
class SignVote:
    """Log, guard, sign; comes back as `VoteSigned`."""

    vote: Vote


@dataclass(frozen=True, slots=True)
class SignProposal:
    """Log, guard, sign; comes back as `ProposalSigned`."""

    proposal: Proposal


@dataclass(frozen=True, slots=True)
class SignEntry:
    """Chain to the own feed, guard, sign, store; comes back as `EntrySigned`. Dropped when the feed may not grow."""

    kind: int
    interval: int
    time_ns: int
    payload: tuple[Value, ...]


@dataclass(frozen=True, slots=True)
class StoreBlock:
    """Store a decided block with its certificate."""

    height: int
    block_id: bytes
    block: bytes
    certificate: bytes


@dataclass(frozen=True, slots=True)
class StoreVote:
    """Keep a vote, or with step 0 a proposal, for accountability."""

    height: int
    round: int
    step: int
    validator: int
    envelope: bytes


@dataclass(frozen=True, slots=True)
class StoreEvidence:
    """Keep a proof of equivocation."""

    evidence: bytes


@dataclass(frozen=True, slots=True)
class TakeSnapshot:
    """Keep the state after a block, once everything of the turn has left; `epochs` lead to its validators."""

    tip: Tip[CellState]
    header: Header
    certificate: Certificate
    epochs: tuple[EpochLink, ...]


@dataclass(frozen=True, slots=True)
class StandOn:
    """Begin the ledger again from a snapshot that a peer had, at once and durably; these are its heads."""

    snapshot: Snapshot
    heads: tuple[Head, ...]


@dataclass(frozen=True, slots=True)
class CommandPosition:
    """Lease a market position to the control process: the net energy (mWh) contracted for an interval."""

    interval: int
    energy: int


@dataclass(frozen=True, slots=True)
class Order:
    """Order something of the control process besides a position."""

    order: orders.Order


@dataclass(frozen=True, slots=True)
class AcknowledgeMeter:
    """The reading of this interval is in our feed; the control process may forget it."""

    interval: int


@dataclass(frozen=True, slots=True)
class MembersChanged:
    """Exactly these members may connect from now on: their feed keys and names."""

    members: tuple[tuple[bytes, str], ...]


@dataclass(frozen=True, slots=True)
class InstructionTaken:
    """An operator's instruction is in our feed; forget it."""

    name: str


@dataclass(frozen=True, slots=True)
class Report:
    """A structured log line; `fields` are JSON values."""

    event: str
    fields: dict[str, object]


Effect = (
    Publish
    | Broadcast
    | Send
    | SendRequest
    | AppendToLog
    | KeepBlock
    | StartLog
    | SignVote
    | SignProposal
    | SignEntry
    | StoreBlock
    | StoreVote
    | StoreEvidence
    | TakeSnapshot
    | StandOn
    | CommandPosition
    | Order
    | AcknowledgeMeter
    | MembersChanged
    | InstructionTaken
    | Report
)
