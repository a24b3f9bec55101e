"""What goes into the agreement and what comes out of it: two closed unions, and nothing else passes.

The shell feeds one event at a time and carries out the effects in their order. Four of its duties are what
safety rests on:

- ``Persist`` appends to the write-ahead log. Before anything after it leaves this node (``CastVote``,
  ``CastProposal``, ``Broadcast``), the log is flushed.
- ``CastVote`` and ``CastProposal``: flush the log, advance the sign guard (which flushes itself), sign,
  broadcast, and feed the signed message back as ``ReceivedVote`` or ``ReceivedProposal``.
- Events are fed in only between calls. Signed messages fed back wait until the effects before them are carried
  out; answers to ``CheckBlock`` and ``GetValue``, which are always last, may be fed at once.
- Whatever is fed in is verified: votes and proposals come from ``open_vote`` and ``open_proposal``, and a
  certificate has passed ``check`` with the validators of its height.
"""

from dataclasses import dataclass
from typing import TypeAlias

from ledger.agreement.standing import Standing
from ledger.records.validators import ValidatorSet
from ledger.records.votes import Certificate, Proposal, SignedProposal, SignedVote, Step, Vote

Message: TypeAlias = SignedProposal | SignedVote | Certificate
"""What travels between validators."""

Record: TypeAlias = Proposal | Vote | SignedProposal | SignedVote
"""What the log brings back: an unsigned one was about to be cast by this node, a signed one was heard."""


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Real time in ns: each step of round r waits ``base + r * delta``; ticks repeat."""

    propose_ns: int
    prevote_ns: int
    precommit_ns: int
    delta_ns: int
    tick_ns: int

    def of(self, step: Step, round_: int) -> int:
        """The wait of one step in one round; it grows with the round until it exceeds the network's delay."""
        base = (self.propose_ns, self.prevote_ns, self.precommit_ns)[step]
        return base + round_ * self.delta_ns


# Events


@dataclass(frozen=True, slots=True)
class StartHeight:
    """Begin a height, one above the last. ``own_index`` None only watches; ``can_sign`` False waits it out.

    ``records`` are what ``read_records`` finds in the log for this height; empty unless restarting in it.
    """

    height: int
    validators: ValidatorSet
    own_index: int | None
    can_sign: bool
    records: tuple[Record, ...] = ()


@dataclass(frozen=True, slots=True)
class ReceivedProposal:
    """A verified proposal, of this node or another."""

    signed: SignedProposal


@dataclass(frozen=True, slots=True)
class ReceivedVote:
    """A verified vote, of this node or another."""

    signed: SignedVote


@dataclass(frozen=True, slots=True)
class ReceivedCertificate:
    """A certificate that passed ``check``."""

    certificate: Certificate


@dataclass(frozen=True, slots=True)
class ValueReady:
    """The answer to ``GetValue``: a block of our own that this node now holds. Stale ones are ignored."""

    height: int
    round: int
    block_id: bytes


@dataclass(frozen=True, slots=True)
class BlockChecked:
    """The answer to ``CheckBlock``, with its fields copied; it may come any time later, or twice."""

    height: int
    round: int
    block_id: bytes
    fresh: bool
    valid: bool


@dataclass(frozen=True, slots=True)
class TimeoutExpired:
    """The time of a ``ScheduleTimeout`` has come. Late and stale ones are harmless."""

    step: Step
    height: int
    round: int


@dataclass(frozen=True, slots=True)
class Tick:
    """The time of a ``ScheduleTick`` has come: repeat our own words and compare notes."""

    height: int


Event: TypeAlias = (
    StartHeight
    | ReceivedProposal
    | ReceivedVote
    | ReceivedCertificate
    | ValueReady
    | BlockChecked
    | TimeoutExpired
    | Tick
)


# Effects


@dataclass(frozen=True, slots=True)
class Persist:
    """Append this record to the write-ahead log; flush it before anything after it leaves."""

    record: bytes


@dataclass(frozen=True, slots=True)
class CastVote:
    """Flush the log, advance the guard, sign, broadcast, feed back."""

    vote: Vote


@dataclass(frozen=True, slots=True)
class CastProposal:
    """Flush the log, advance the guard, sign, broadcast, feed back."""

    proposal: Proposal


@dataclass(frozen=True, slots=True)
class Broadcast:
    """Send to all validators again; losing it is harmless."""

    message: Message


@dataclass(frozen=True, slots=True)
class Compare:
    """Show this to a few peers, others each time: they send what it lacks (``Agreement.answer``)."""

    standing: Standing


@dataclass(frozen=True, slots=True)
class ScheduleTimeout:
    """Feed ``TimeoutExpired`` at this monotonic time; timers of older heights may be dropped."""

    step: Step
    height: int
    round: int
    at_ns: int


@dataclass(frozen=True, slots=True)
class ScheduleTick:
    """Feed ``Tick`` at this monotonic time; timers of older heights may be dropped."""

    height: int
    at_ns: int


@dataclass(frozen=True, slots=True)
class GetValue:
    """Build a block and answer with ``ValueReady``, before the propose timeout if it is to be of use."""

    height: int
    round: int


@dataclass(frozen=True, slots=True)
class CheckBlock:
    """Judge this block as soon as it is held (``RequestBlock`` follows), and answer with ``BlockChecked``.

    ``fresh`` asks for everything (completeness against what was held at gate closure, timeliness);
    otherwise only for what every node must find alike. Answer when the block is held durably, not before: a
    cell that is locked on a block which nobody holds any more cannot go on.
    """

    height: int
    round: int
    block_id: bytes
    fresh: bool


@dataclass(frozen=True, slots=True)
class RequestBlock:
    """Pull this block unless it is held: ``holders`` (validator indices) signed for it, so they hold it.

    Repeated on every tick while a question about the block is open, so the shell need not repeat it.
    """

    height: int
    block_id: bytes
    holders: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Decide:
    """The height is decided: store block and certificate and apply; start the next when its time comes."""

    height: int
    round: int
    block_id: bytes
    certificate: Certificate


@dataclass(frozen=True, slots=True)
class FoundEvidence:
    """One validator signed two different things for one height, round and step: proof for a later block."""

    first: SignedVote | SignedProposal
    second: SignedVote | SignedProposal


Effect: TypeAlias = (
    Persist
    | CastVote
    | CastProposal
    | Broadcast
    | Compare
    | ScheduleTimeout
    | ScheduleTick
    | GetValue
    | CheckBlock
    | RequestBlock
    | Decide
    | FoundEvidence
)
