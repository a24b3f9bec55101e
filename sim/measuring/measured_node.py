"""Shell: one real daemon's core with its files, in a cell whose other members are scripts: what its work costs.

The daemon is the validator without a metering point. Its clock is virtual; only the time that its turns take is
measured. What it sends is counted by what it is for, each message as often as it goes out. Times are real ns of this
process, sizes bytes.
"""

import time
from collections import Counter
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from pathlib import Path

import structlog

from devices.messages.orders import Order
from ledger.chain.chain import Tip, extend
from ledger.encoding import encode
from ledger.files.directory import AGREEMENT_LOG_FILE, GUARD_FILE, LEDGER_FILE
from ledger.files.sign_guard import SignGuard
from ledger.files.write_ahead_log import WriteAheadLog
from ledger.records.blocks import Block, decode_block
from ledger.records.entries import SignedEntry
from ledger.records.votes import NO_ROUND, Proposal, SignedVote, Step, sign_proposal
from ledger.store.store import Store
from ledger.sync.replication import Kind
from market.cell import EnergyCell
from market.cell_state import CellState
from node import events as ev
from node.configuration.config import ClockSection, Config, NodeSection
from node.constants import (
    BLOCK_IN_FRAME_BYTES,
    CAPACITY_AGAIN_NS,
    CAPACITY_PER_MEMBER_NS,
    ENTRIES,
    INPUTS_PER_TURN,
)
from node.daemon.assembly import assemble
from node.daemon.signer import Signer
from node.daemon.startup import trusted
from node.daemon.turns import Turns
from node.wire import CAPACITY_BYTES, ProposalFrame, VoteFrame, decode_frame, encode_frame
from sim.measuring.scripted_cell import FIRST_INTERVAL, ScriptedCell

INTERVAL_S = 300
S = 1_000_000_000
MESH = 4
"""Neighbours to whom a node passes a gossiped message on, the one it came from included."""
GOSSIP_OVERHEAD = 192
"""Bytes around a gossiped message: author, number, topic and signature."""
LAZY, WINDOW, MESSAGE_ID = 6, 3, 46
"""Neighbours outside the mesh who are told of a message, how often, and in how many bytes."""


class MeasuredNode:
    """The daemon and the world around it. `wall_s` and `cpu_s` add up over `run_block`, `sent` by what for."""

    def __init__(self, directory: Path, size: int) -> None:
        self.cell = ScriptedCell(size, INTERVAL_S)
        self.wall_s = 0.0
        self.cpu_s = 0.0
        self.sent: Counter[str] = Counter()
        self._size = size
        self._interval = FIRST_INTERVAL
        self._now_ns = self.cell.calendar.gate_closure_ns(FIRST_INTERVAL) - 100 * S
        self._waiting: list[ev.Input] = []
        self._proposed: Block | None = None
        self._pulled = b""
        cell_id = self.cell.genesis.cell_id
        own = next(iter(self.cell.votes.values()))
        signer = Signer(
            cell_id,
            self.cell.keys[0],
            own,
            SignGuard.open(directory / GUARD_FILE, create=True),
            WriteAheadLog.open(directory / AGREEMENT_LOG_FILE),
        )
        self._own_key = own.verify_key.encode()
        store = Store.open(directory / LEDGER_FILE, cell_id, create=True)
        stack = ExitStack()
        stack.callback(store.close)
        stack.callback(signer.close)
        member = self.cell.member(0)
        self._opened = trusted(
            self.cell.genesis,
            store,
            signer,
            lambda tip: next(each for each in tip.membership.members if each.id == member),
            stack,
        )
        config = Config(node=NodeSection(name="member 0"), clock=ClockSection(speed=1))
        log = structlog.wrap_logger(structlog.ReturnLogger(), processors=[])
        core = assemble(config, self._opened, self.now())
        self._turns = Turns(core, store, signer, self, self, log, self.now)
        self._turns.start()
        self._peers = [key.verify_key.encode() for key in self.cell.keys[1:]]
        self._take(ev.PeerConnected(peer) for peer in self._peers)
        assert core.active

    def now(self) -> ev.Now:
        """Both clocks, which are one here."""
        return ev.Now(self._now_ns, self._now_ns, 1)

    def run_block(self, orders: int) -> None:
        """One interval: its entries, its routine, its block, decided by the votes of all."""
        interval, self._interval = self._interval, self._interval + 1
        gate_ns = self.cell.calendar.gate_closure_ns(interval)
        written = self.cell.write(interval, orders)
        self._pass_until(gate_ns - 60 * S)
        self._timed(ev.GossipReceived(ENTRIES, signed.entry.author, signed.envelope) for _, signed in written)
        self._count_gossip(signed for _, signed in written)
        self._pass_until(gate_ns + S // 2)
        tip, proposal = self._proposal(interval)
        block_id = tip.header_id
        others = [index for index, key in enumerate(self.cell.tip.validators.keys) if key != self._own_key]
        prevotes = self.cell.vote(Step.PREVOTE, block_id, others)
        precommits = self.cell.vote(Step.PRECOMMIT, block_id, others)
        peer = self._peers[0]
        self._timed(ev.FrameReceived(peer, frame) for frame in proposal)
        self._pass_until(self._now_ns + S // 5)
        self._timed(ev.FrameReceived(peer, _frame(vote)) for vote in prevotes)
        self._pass_until(self._now_ns + S // 5)
        self._timed(ev.FrameReceived(peer, _frame(vote)) for vote in precommits)
        ordering = self._turns.core.ordering
        assert ordering.tip.header_id == block_id and ordering.last_certificate is not None
        self.cell.decide(tip, ordering.last_certificate)

    def forget_measurements(self) -> None:
        """What was measured so far was to warm up."""
        self.wall_s = self.cpu_s = 0.0
        self.sent.clear()

    def close(self) -> None:
        """Give the files back."""
        self._opened.close()

    def _proposal(self, interval: int) -> tuple[Tip[CellState], list[bytes]]:
        """The tip after the block of this height, and the frame that brings it, if it is not our own."""
        validators, height = self.cell.tip.validators, self.cell.tip.height + 1
        index = validators.proposer(height, 0)
        if validators.keys[index] == self._own_key:
            assert self._proposed is not None
            block, self._proposed = self._proposed, None
            return extend(self.cell.tip, EnergyCell(), block, self.cell)[0], []
        block, tip = self.cell.propose(interval, self._now_ns)
        key, encoded = self.cell.votes[validators.keys[index]], block.encode()
        proposal = Proposal(height, 0, NO_ROUND, tip.header_id, index)
        signed = sign_proposal(key, self.cell.genesis.cell_id, proposal)
        self._pulled = encoded
        shown = encoded if len(encoded) <= BLOCK_IN_FRAME_BYTES else None
        return tip, [encode_frame(ProposalFrame(signed.envelope, shown))]

    def _timed(self, inputs: Iterable[ev.Input]) -> None:
        batch = list(inputs)
        wall, used = time.perf_counter(), time.process_time()
        self._take(batch)
        self.wall_s += time.perf_counter() - wall
        self.cpu_s += time.process_time() - used

    def _take(self, inputs: Iterable[ev.Input]) -> None:
        """As the daemon does it: some hundred inputs per turn, then what the turn's questions brought."""
        batch = list(inputs)
        for start in range(0, len(batch), INPUTS_PER_TURN):
            self._turns.take(batch[start : start + INPUTS_PER_TURN])
        while self._waiting:
            waiting, self._waiting = self._waiting, []
            self._turns.take(waiting)

    def _pass_until(self, at_ns: int) -> None:
        """Let time pass, with every timer that is due; what members can do does not change, and is said again."""
        seconds = max(0, at_ns - self._now_ns) / S
        once = (MESH - 1) * (CAPACITY_BYTES + GOSSIP_OVERHEAD) + self._told_of()
        again_s = max(CAPACITY_AGAIN_NS, self._size * CAPACITY_PER_MEMBER_NS) / S
        self.sent["swarm"] += round(seconds * (self._size - 1) * once / again_s)
        while (due_ns := self._turns.core.next_timer(self.now())) is not None and due_ns < at_ns:
            self._now_ns = max(self._now_ns, due_ns)
            self._take([ev.TimerDue()])
        self._now_ns = max(self._now_ns, at_ns)

    def _count_gossip(self, entries: Iterable[SignedEntry]) -> None:
        """What each entry costs the node that passes it on; its author's own copy is one more to a neighbour."""
        for signed in entries:
            copies = min(MESH - 1, self._size - 2)
            self.sent["entries"] += copies * (len(signed.envelope) + GOSSIP_OVERHEAD) + self._told_of()

    def _told_of(self) -> int:
        return min(LAZY, max(0, self._size - 1 - MESH)) * WINDOW * MESSAGE_ID

    # The daemon's network and devices.

    def publish(self, topic: str, data: bytes) -> None:
        """It writes nothing of its own."""
        self.sent["entries" if topic == ENTRIES else "swarm"] += MESH * (len(data) + GOSSIP_OVERHEAD)

    def broadcast(self, frame: bytes) -> None:
        """A frame for every neighbour."""
        self._count_frame(frame, len(self._peers))

    def send(self, peer: bytes, frame: bytes) -> None:
        """A frame for one neighbour."""
        self._count_frame(frame, 1)

    def request(self, peer: bytes, tag: str, data: bytes) -> None:
        """A question, and since all nodes ask as often, one of theirs answered; nobody has anything new."""
        reply = self._reply(tag)
        self.sent["sync"] += len(data) + len(reply)
        self._waiting.append(ev.ReplyReceived(peer, tag, reply))

    def set_members(self, members: Sequence[tuple[bytes, str]]) -> None:
        """Everybody stays."""

    def send_position(self, interval: int, energy: int) -> None:
        """There are no devices."""

    def order(self, order: Order) -> None:
        """There is nothing that could be ordered."""

    def acknowledge(self, interval: int) -> None:
        """There is no meter."""

    def _reply(self, tag: str) -> bytes:
        match tag.partition(":")[0]:
            case "feeds":
                return encode((Kind.FEEDS, 0, ()))
            case "block":
                return encode((Kind.BLOCK, self._pulled, None))
            case "recall":
                return encode((Kind.RECALL, self.cell.tip.height, None, None, None))
        return encode((Kind.BLOCKS, self.cell.tip.height, ()))

    def _count_frame(self, frame: bytes, times: int) -> None:
        decoded = decode_frame(frame)
        if isinstance(decoded, ProposalFrame) and decoded.block is not None:
            self._proposed = decode_block(decoded.block)
        status = frame[1:2] == b"\x03"
        self.sent["sync" if status else "votes"] += times * (4 + len(frame))


def _frame(vote: SignedVote) -> bytes:
    return encode_frame(VoteFrame(vote.envelope))
