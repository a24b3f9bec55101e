"""What members that cheat do to what they send; in all else they run the honest daemon.

Each cheat is one deviation that the others must live with: a forked feed, two votes for one step, a proposer who
censors or takes a last look, a peer whose answers are garbage.
"""

from dataclasses import dataclass, field, replace
from random import Random

from ledger.entries import author_entry, open_entry
from ledger.heads import Head
from ledger.limits import VOTE_BYTES
from ledger.signing import unseal
from ledger.votes import Vote, decode_vote, sign_vote
from market.payloads import Kind
from node import events as ev
from node.constants import ENTRIES
from node.core import NodeCore
from node.ordering import Gate
from node.timeliness import SeenOrder
from node.wire import StatusFrame, VoteFrame, decode_frame, encode_frame
from sim.cluster_faults import MS, Cheat, S
from sim.cluster_keys import GATE_LEAD_S, INTERVAL_S, SPEED, Keys

LOOK_NS = 400 * MS
"""Real time after the gate until a member that looks last shows its order: more than the margin."""
FORK_SHARE = 0.5
"""Of a cheat's entries and votes, how many it shows two versions of."""


@dataclass(slots=True)
class Cheater:
    """One cheating member of a cell of so many; `random` is its own."""

    index: int
    cheat: Cheat
    keys: Keys
    cell_id: bytes
    random: Random
    _branch: dict[int, bytes] = field(default_factory=dict)
    _forked: set[tuple[int, int, int]] = field(default_factory=set)

    def gossiped(self, receiver: int, topic: str, data: bytes) -> tuple[bytes, int]:
        """What this receiver is shown instead of a message, and how much later (real ns)."""
        if topic == ENTRIES and self.cheat is Cheat.FORKS_FEED and receiver % 2:
            return self._other_branch(data), 0
        if topic == ENTRIES and self.cheat is Cheat.LOOKS_LAST and self._is_order(data):
            return data, 3 * LOOK_NS
        return data, 0

    def framed(self, receiver: int, frame: bytes) -> list[bytes]:
        """The frames that this receiver gets instead of one."""
        match decode_frame(frame):
            case StatusFrame(height) if self.cheat is Cheat.LIES_TO_SYNC:
                return [encode_frame(StatusFrame(height + 1000)), self.random.randbytes(50)]
            case VoteFrame(envelope) if self.cheat is Cheat.FORKS_VOTES and receiver % 2:
                return [frame, *self._other_vote(envelope)]
        return [frame]

    def replied(self, reply: bytes | None, now: ev.Now) -> bytes | None:
        """The answer to a request instead of the right one."""
        if reply is None or (self.cheat is Cheat.LOOKS_LAST and _around_a_gate(now)):
            return None
        if self.cheat is not Cheat.LIES_TO_SYNC:
            return reply
        spoiled = bytearray(reply)
        spoiled[self.random.randrange(len(spoiled))] ^= 1 << self.random.randrange(8)
        return self.random.choice((bytes(spoiled), reply[:-1], self.random.randbytes(100), b""))

    def prepare(self, core: NodeCore, victim: bytes) -> None:
        """Bend the core of a proposer."""
        if self.cheat is Cheat.CENSORS:
            core.ordering.gate = Censorship(core.ordering.gate, victim)
        if self.cheat is Cheat.LOOKS_LAST:
            core.ordering.gate = LastLook(core)

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

    def _other_vote(self, envelope: bytes) -> list[bytes]:
        vote = decode_vote(unseal(envelope, VOTE_BYTES)[0])
        place = (vote.height, vote.round, int(vote.step))
        own = sign_vote(self.keys.consensus, self.cell_id, vote)
        if own.envelope != envelope or (place not in self._forked and self.random.random() > FORK_SHARE):
            return []
        self._forked.add(place)
        block_id = None if vote.block_id is not None else self.cell_id
        other = Vote(vote.height, vote.round, vote.step, block_id, vote.valid_round, vote.validator)
        return [encode_frame(VoteFrame(sign_vote(self.keys.consensus, self.cell_id, other).envelope))]


def _around_a_gate(now: ev.Now) -> bool:
    """Whether the order for the next gate exists and is still held back."""
    from_gate_s = (
        now.cell_ns // S - (INTERVAL_S - GATE_LEAD_S) + INTERVAL_S // 2
    ) % INTERVAL_S - INTERVAL_S // 2
    return abs(from_gate_s) * S < LOOK_NS * 2 * SPEED


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
