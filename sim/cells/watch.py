"""What is checked after every event of a simulated cell, cheaply; the rest is checked at its end.

Each method returns what is violated, or None.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

from ledger.agreement.vote_tally import EARLY_MESSAGES, ROUNDS_AHEAD, ROUNDS_BEHIND
from ledger.agreement.voters import voters_of
from ledger.errors import PeerError
from ledger.limits import HELD_ENTRIES, REORDER_ENTRIES
from ledger.membership.evidence import Evidence
from ledger.records.blocks import decode_block
from ledger.records.entries import open_entry
from ledger.records.votes import SignedProposal, SignedVote, open_proposal, open_vote
from node import events as ev
from node.constants import BLOCKS_HELD
from node.core.core import NodeCore
from node.wire import ProposalFrame, VoteFrame, decode_frame
from sim.cells.node import ClusterNode

OPEN_QUESTIONS = 4 + BLOCKS_HELD
"""Questions open to one peer: one of each kind, and blocks by id."""


@dataclass(slots=True)
class Watch:
    """What the world remembers of what honest nodes said and decided.

    `interval_ns` is in cell time, `provable` are members (by id) that may be accused; `forgetful` are nodes whose disk
    may have lost what it had. Of the `robbed` somebody else has the keys that they gave up: whoever does not know yet
    that those are void finds true evidence, with which nobody may be frozen. In the ledger of the `rotten` a bit flips:
    a start from a snapshot does not read their old blocks again, and the audit at the end is what must find it.
    """

    cell_id: bytes
    interval_ns: int
    provable: frozenset[bytes]
    forgetful: frozenset[int]
    rotten: frozenset[int]
    decided: dict[int, bytes] = field(default_factory=dict)
    positions: dict[tuple[int, int], int] = field(default_factory=dict)
    robbed: set[bytes] = field(default_factory=set)
    _signed: dict[tuple[object, ...], bytes] = field(default_factory=dict)
    _checked: set[bytes] = field(default_factory=set)
    _heights: dict[int, int] = field(default_factory=dict)
    _accused: dict[int, int] = field(default_factory=dict)

    def after_turn(self, node: ClusterNode) -> str | None:
        """One block per height and prefixes of one chain, no money made, nobody honest accused."""
        core = node.core
        tip, evidence = core.ordering.tip, core.ordering.accusations.pieces()
        if len(evidence) != self._accused.get(node.index, 0):
            self._accused[node.index] = len(evidence)
            fault = self._accusation(node)
            if fault is not None:
                return fault
        if tip.height == self._heights.get(node.index, 0):
            return None
        for height in range(self._heights.get(node.index, 0) + 1, tip.height):
            row = node.store.block(height)
            if row is None and height <= node.store.base():
                continue  # a node that joined by a snapshot has none of the blocks before it
            if node.index in self.rotten:
                continue
            if row is None or self.decided.setdefault(height, row.id) != row.id:
                return f"node {node.index} has another block {height} than the others"
        self._heights[node.index] = tip.height
        if self.decided.setdefault(tip.height, tip.header_id) != tip.header_id:
            return f"node {node.index} decided another block at height {tip.height}"
        if sum(tip.state.balances.values()):
            return f"after block {tip.height} there is {sum(tip.state.balances.values())} too much money"
        frozen = {member.id for member in tip.membership.members if member.frozen_at is not None}
        if frozen - self.provable:
            return f"an honest member is frozen: {min(frozen - self.provable).hex()[:8]}"
        return None

    def after_start(self, node: ClusterNode) -> str | None:
        """What was acknowledged before a crash is still there."""
        known = self._heights.get(node.index, 0)
        height = node.core.ordering.tip.height
        self._heights[node.index] = 0
        self._accused[node.index] = 0
        if height < known and node.index not in self.forgetful:
            return f"node {node.index} had acknowledged block {known} and comes back with {height}"
        return self.after_turn(node)

    def refused(self, node: ClusterNode, *, excused: bool) -> str | None:
        """A daemon that ends by itself has a reason outside itself."""
        return None if excused else f"node {node.index} refused without a reason: {node.refused}"

    def frame(self, sender: ClusterNode, frame: bytes) -> str | None:
        """No honest validator ever signs two different things for one step, over restarts."""
        if frame in self._checked or not sender.up:
            return None
        self._checked.add(frame)
        tip = sender.core.ordering.tip
        signed: SignedVote | SignedProposal
        try:
            match decode_frame(frame):
                case VoteFrame(envelope):
                    signed = open_vote(envelope, self.cell_id, voters_of(tip, envelope))
                case ProposalFrame(envelope, _):
                    signed = open_proposal(envelope, self.cell_id, voters_of(tip, envelope))
                case _:
                    return None
        except PeerError as fault:
            return f"node {sender.index} sends what nobody accepts: {fault}"
        content = signed.content
        place = (signed.signer, content.height, content.round, int(content.step))
        if signed.signer == sender.keys.consensus.verify_key.encode():
            return self._once(
                place, signed.body, f"validator {content.validator} signed twice at {place[1:]}"
            )
        return None

    def entry(self, sender: ClusterNode, envelope: bytes) -> str | None:
        """No honest member ever signs two different entries for one place of its feed, over restarts."""
        signed = open_entry(envelope, self.cell_id)
        place = (signed.entry.author, signed.entry.incarnation, signed.entry.sequence)
        return self._once(place, signed.id, f"node {sender.index} signed two entries at {place[1:]}")

    def commanded(self, node: ClusterNode, interval: int, energy: int, now: ev.Now) -> str | None:
        """Devices are told exactly what was filled, once, under a certificate held by the deadline."""
        if self.positions.setdefault((node.index, interval), energy) != energy:
            return f"node {node.index} commanded something else before for interval {interval}"
        if now.cell_ns >= interval * self.interval_ns:
            return f"node {node.index} commanded interval {interval} after its deadline"
        for height in range(node.store.height(), node.store.base(), -1):
            row = node.store.block(height)
            covered = interval if row is None else decode_block(row.block).header.last_interval
            if covered < interval:
                break
            if row is not None and covered == interval:
                return None
        return f"node {node.index} commanded interval {interval} without a certificate for it"

    def memory(self, node: ClusterNode) -> str | None:
        """What is held because of others is bounded for each of them."""
        for name, held, bound in _held(node.core):
            if held > bound:
                return f"node {node.index} holds {held} {name}, at most {bound} are allowed"
        return None

    def _accusation(self, node: ClusterNode) -> str | None:
        membership = node.core.ordering.tip.membership
        for encoded in node.core.ordering.accusations.pieces():
            offender = Evidence.decode(encoded).check(self.cell_id, membership)
            if offender not in self.provable and offender not in self.robbed:
                return f"node {node.index} holds evidence against the honest member {offender.hex()[:8]}"
        return None

    def _once(self, place: tuple[object, ...], body: bytes, violation: str) -> str | None:
        return None if self._signed.setdefault(place, body) == body else violation


def _held(core: NodeCore) -> Iterator[tuple[str, int, int]]:
    """(What is held, how much, its bound), from the structures themselves."""
    present, members = (
        len(each) for each in (core.gathering.membership.members, core.gathering.membership.everyone)
    )
    ordering, gathering = core.ordering, core.gathering
    for feed in gathering.feeds._feeds.values():
        yield "entries of one member that wait for another", len(feed.waiting), REORDER_ENTRIES
        yield "entries of one member", len(feed.held), HELD_ENTRIES + REORDER_ENTRIES
    yield "strays", len(gathering._strays), members
    yield "entries of other branches", len(gathering._branches._by_id), 2 * HELD_ENTRIES
    yield "blocks of one height", len(ordering._candidates._blocks), BLOCKS_HELD + 1
    yield "accusations", len(ordering.accusations.held), members
    yield "questions", len(core.syncing._open), members * OPEN_QUESTIONS
    yield "rounds", len(ordering.agreement._tally.rounds()), ROUNDS_BEHIND + ROUNDS_AHEAD + 4
    for kept in ordering.agreement._early._kept.values():
        yield "early messages of one validator", len(kept), EARLY_MESSAGES
    yield "capacities", len(core.capacities.seen), present
