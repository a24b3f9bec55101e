"""What members that cheat do to what they send; in all else they run the honest daemon.

Each cheat is one deviation that the others must live with: a forked feed, two votes for one step, a proposer who
censors, takes a last look or proposes what is wrong, a peer whose answers are garbage or without end.
"""

from dataclasses import dataclass, field, replace
from random import Random

from ledger.heads import Head
from ledger.limits import SYNC_BYTES
from ledger.records.entries import author_entry, open_entry
from ledger.records.votes import NO_ROUND, Vote, sign_vote
from market.payloads import Kind
from node import events as ev
from node.agreement.ordering import Gate
from node.agreement.timeliness import SeenOrder
from node.constants import ENTRIES
from node.core.core import NodeCore
from node.wire import ProposalFrame, StatusFrame, VoteFrame, decode_frame, encode_frame
from sim.cells import forgeries as forged
from sim.cells.faults import MS, Cheat, S
from sim.cells.keys import Keys, Pace
from sim.cells.node import ClusterNode

LOOK_NS = 400 * MS
"""Real time after the gate until a member that looks last shows its order: more than the margin."""
FORK_SHARE = 0.5
"""Of a cheat's entries and votes, how many it shows two versions of."""
OLD_FRAMES = 50
"""Frames that a replaying cheat remembers."""
OLD_REPLIES = 20
"""Replies that a cheat with old answers remembers: heads, blocks and snapshots that were right once."""
EXAGGERATION = 2
"""How many times a lying meter reports what it counted: as far as its nameplate lets it."""


@dataclass(slots=True)
class Cheater:
    """One cheating member of a cell of `size`; `random` is its own, `victim` the one member it has in mind."""

    index: int
    cheat: Cheat
    keys: Keys
    cell_id: bytes
    random: Random
    size: int
    victim: Keys
    pace: Pace
    _branch: dict[int, bytes] = field(default_factory=dict)
    _forked: set[tuple[int, int, int]] = field(default_factory=set)
    _wrong: dict[bytes, bytes] = field(default_factory=dict)
    _old: list[bytes] = field(default_factory=list)
    _lie: bytes = b""
    _replies: list[bytes] = field(default_factory=list)

    def gossiped(self, receiver: int, topic: str, data: bytes) -> list[tuple[bytes, int]]:
        """What this receiver is shown instead of a message, and how much later (real ns)."""
        if topic != ENTRIES:
            return [(data, 0)]
        match self.cheat:
            case Cheat.FORKS_FEED if receiver % 2:
                return [(self._other_branch(data), 0)]
            case Cheat.LOOKS_LAST if self._is_order(data):
                return [(data, 3 * LOOK_NS)]
            case Cheat.FORGES:
                lie = forged.forged_entry(data, self.victim.public, self.random)
                return [(data, 0), (lie, 0)]
            case Cheat.REPLAYS:
                return [
                    (data, 0),
                    (forged.entry_of_another_cell(self.keys, data, self.cell_id), 0),
                    (data, S),
                ]
        return [(data, 0)]

    def framed(self, receiver: int, frame: bytes) -> list[bytes]:
        """The frames that this receiver gets instead of one."""
        match decode_frame(frame):
            case StatusFrame(height) if self.cheat is Cheat.LIES_TO_SYNC:
                return [encode_frame(StatusFrame(height + 1000)), self.random.randbytes(50)]
            case VoteFrame(envelope):
                vote = forged.own_vote(self.keys, self.cell_id, envelope)
                return [frame, *([] if vote is None else self._beside_vote(receiver, frame, vote))]
            case ProposalFrame(envelope, block) if block is not None:
                if forged.own_proposal(self.keys, self.cell_id, envelope) is not None:
                    return [self._instead_of_proposal(receiver, frame, envelope, block)]
        return [frame]

    def replied(self, reply: bytes | None, now: ev.Now) -> bytes | None:
        """The answer to a request instead of the right one."""
        if reply is None or (self.cheat is Cheat.LOOKS_LAST and _around_a_gate(now, self.pace)):
            return None
        match self.cheat:
            case Cheat.WITHHOLDS_BLOCKS:
                return forged.without_block(reply)
            case Cheat.STREAMS_ENDLESSLY:
                return forged.endless(reply)
            case Cheat.LIES_TO_SYNC:
                spoiled = bytearray(reply)
                spoiled[self.random.randrange(len(spoiled))] ^= 1 << self.random.randrange(8)
                huge = self.random.randbytes(10) * (SYNC_BYTES // 10 + 1)
                lies = (bytes(spoiled), reply[:-1], self.random.randbytes(100), b"", huge)
                return self.random.choice(lies)
            case Cheat.ANSWERS_OF_OLD:
                self._replies = [*self._replies, reply][:OLD_REPLIES]
                return self.random.choice((reply, *self._replies))
        return reply

    def prepare(self, node: ClusterNode) -> None:
        """Bend the core and the household of a cheat that starts."""
        core = node.core
        match self.cheat:
            case Cheat.CENSORS:
                core.ordering.gate = Censorship(core.ordering.gate, self.victim.member)
            case Cheat.LOOKS_LAST:
                core.ordering.gate = LastLook(core)
            case Cheat.LIES_ABOUT_ITS_METER:
                node.household.exaggerates = EXAGGERATION

    def after_turn(self, core: NodeCore) -> None:
        """Bend the core again."""
        if self.cheat is Cheat.FORGETS_LOCKS:
            agreement = core.ordering.agreement
            agreement._locked_block = agreement._valid_block = None
            agreement._locked_round = agreement._valid_round = NO_ROUND
        if self.cheat is Cheat.ACCUSES_FALSELY:
            if not self._lie:
                index = core.ordering.tip.validators.index_of(self.victim.consensus.verify_key.encode())
                assert index is not None
                self._lie = forged.false_accusation(index, self.cell_id, self.random)
            core.ordering.accusations.held[b"a lie"] = self._lie

    def _beside_vote(self, receiver: int, frame: bytes, vote: Vote) -> list[bytes]:
        match self.cheat:
            case Cheat.FORKS_VOTES if receiver % 2:
                return self._other_vote(vote)
            case Cheat.PROPOSES_OUT_OF_TURN:
                return [forged.out_of_turn(self.keys, self.cell_id, vote)]
            case Cheat.FORGES:
                return forged.forged_votes(vote, self.size, self.random)
            case Cheat.REPLAYS:
                self._old = [*self._old[-OLD_FRAMES:], frame]
                return [
                    self.random.choice(self._old),
                    forged.vote_of_another_cell(self.keys, vote),
                    forged.vote_of_another_type(self.keys, self.cell_id, vote),
                ]
        return []

    def _instead_of_proposal(self, receiver: int, frame: bytes, envelope: bytes, block: bytes) -> bytes:
        """The frame that shows this receiver another proposal, each time the same."""
        proposal = forged.own_proposal(self.keys, self.cell_id, envelope)
        assert proposal is not None
        match self.cheat:
            case Cheat.EQUIVOCATES if receiver % 2:
                return forged.reproposed(self.keys, self.cell_id, proposal, forged.later_block(block))
            case Cheat.WITHHOLDS_BLOCKS:
                return encode_frame(ProposalFrame(envelope, None))
            case Cheat.CLEARS_WRONGLY | Cheat.ACCUSES_FALSELY if envelope not in self._wrong:
                if self.cheat is Cheat.CLEARS_WRONGLY:
                    wrong = forged.wrong_block(block, self.random)
                else:
                    wrong = forged.accusing_block(block, self._lie)
                self._wrong[envelope] = forged.reproposed(self.keys, self.cell_id, proposal, wrong)
        return self._wrong.get(envelope, frame)

    def _is_order(self, data: bytes) -> bool:
        return open_entry(data, self.cell_id).entry.kind == Kind.ORDER

    def _other_branch(self, data: bytes) -> bytes:
        """The same place of the feed on the other branch; from the first fork on both go on."""
        signed = open_entry(data, self.cell_id)
        entry = signed.entry
        known = self._branch.get(entry.sequence)
        if known is None and not self._branch and self.random.random() > FORK_SHARE:
            return data
        previous = self._branch.get(entry.sequence - 1, b"") or entry.previous
        other = author_entry(
            self.keys.feed, self.cell_id, replace(entry, previous=previous, time_ns=entry.time_ns + 1)
        )
        self._branch[entry.sequence] = other.id
        return other.envelope

    def _other_vote(self, vote: Vote) -> list[bytes]:
        place = (vote.height, vote.round, int(vote.step))
        if place not in self._forked and self.random.random() > FORK_SHARE:
            return []
        self._forked.add(place)
        block_id = None if vote.block_id is not None else self.cell_id
        other = Vote(vote.height, vote.round, vote.step, block_id, NO_ROUND, vote.validator)
        return [encode_frame(VoteFrame(sign_vote(self.keys.consensus, self.cell_id, other).envelope))]


def _around_a_gate(now: ev.Now, pace: Pace) -> bool:
    """Whether the order for the next gate exists and is still held back."""
    length_s = pace.interval_s
    into_s = now.cell_ns // S - (length_s - pace.gate_lead_s)
    from_gate_s = (into_s + length_s // 2) % length_s - length_s // 2
    return abs(from_gate_s) * S < LOOK_NS * 2 * pace.speed


@dataclass(frozen=True, slots=True)
class Censorship:
    """A gate that forgets one member."""

    gate: Gate
    victim: bytes

    def orders_for(self, interval: int) -> tuple[SeenOrder, ...]:
        """All orders."""
        return tuple(self.gate.orders_for(interval))

    def heads_for(self, interval: int, gate_ns: int) -> tuple[Head, ...]:
        """All feeds but the victim's."""
        return tuple(head for head in self.gate.heads_for(interval, gate_ns) if head.member != self.victim)


@dataclass(frozen=True, slots=True)
class LastLook:
    """A gate that never closes for its owner."""

    core: NodeCore

    def orders_for(self, interval: int) -> tuple[SeenOrder, ...]:
        """All orders."""
        return self.core.gathering.orders_for(interval)

    def heads_for(self, interval: int, gate_ns: int) -> tuple[Head, ...]:
        """Every feed to its end."""
        return self.core.gathering.feeds.heads()
