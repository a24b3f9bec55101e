"""Shell: one simulated validator: the real agreement, log and guard on a simulated disk and network.

It does what the daemon does, in the same order, and power may fail between any two operations. Blocks are small
values with a validity flag. What it keeps on disk: log, guard, the blocks it has judged, and its chain.
"""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from random import Random
from typing import Protocol, assert_never

from nacl.signing import SigningKey

from ledger.agreement import Agreement
from ledger.agreement_events import (
    BlockChecked,
    Broadcast,
    CastProposal,
    CastVote,
    CheckBlock,
    Compare,
    Decide,
    Effect,
    Event,
    FoundEvidence,
    GetValue,
    Message,
    Persist,
    ReceivedCertificate,
    ReceivedProposal,
    ReceivedVote,
    RequestBlock,
    ScheduleTick,
    ScheduleTimeout,
    StartHeight,
    Tick,
    TimeoutExpired,
    Timeouts,
    ValueReady,
)
from ledger.agreement_records import log_is_behind, read_records
from ledger.encoding import decode, encode
from ledger.errors import LocalError, ReadOnly
from ledger.sign_guard import SignGuard, blank_guard
from ledger.standing import Standing
from ledger.validators import ValidatorSet
from ledger.votes import Certificate, SignedProposal, SignedVote, sign_proposal, sign_vote
from ledger.write_ahead_log import WriteAheadLog
from sim.simulated_disk import Power, PowerLost, SimulatedFile

MS = 1_000_000
TIMEOUTS = Timeouts(
    propose_ns=300 * MS, prevote_ns=100 * MS, precommit_ns=100 * MS, delta_ns=100 * MS, tick_ns=250 * MS
)
PEERS_COMPARED = 2
"""Who are asked on each tick what we lack."""

COMPACTION_RECORDS = 40
"""The log is cut to what still matters at each multiple of this, far more often than need be, to try it."""

CELL_ID = b"simulated cell".ljust(32, b".")


@dataclass(frozen=True, slots=True)
class SimulatedBlock:
    """A block's content: unsound ones break determinism's rules; doubtful ones look fresh to some nodes only."""

    height: int
    previous: bytes
    proposer: int
    nonce: int
    sound: bool
    doubtful: bool

    def encode(self) -> bytes:
        """The bytes that travel."""
        flags = int(self.sound) + 2 * int(self.doubtful)
        return encode((self.height, self.previous, self.proposer, self.nonce, flags))

    @classmethod
    def decode(cls, data: bytes) -> "SimulatedBlock":
        """Read what ``encode`` wrote."""
        match decode(data, max_bytes=1024):
            case (int(height), bytes(previous), int(proposer), int(nonce), int(flags)):
                return cls(height, previous, proposer, nonce, bool(flags & 1), bool(flags & 2))
        raise AssertionError("nobody sends other blocks in this world")

    @property
    def id(self) -> bytes:
        """What votes name."""
        return sha256(self.encode()).digest()


@dataclass(frozen=True, slots=True)
class Packet:
    """What travels: a topic and its bytes."""

    topic: str
    data: bytes


class Surroundings(Protocol):
    """What a node may ask of the world it lives in."""

    validators: ValidatorSet
    last_height: int
    random: Random

    def now_ns(self) -> int:
        """Virtual time."""

    def call_after(self, delay_ns: int, action: Callable[[], None], label: bytes) -> None:
        """Run an action later."""

    def send(self, sender: int, receiver: int, packet: Packet) -> None:
        """Hand a packet to the network, which may lose, delay or repeat it."""

    def open(self, packet: Packet) -> Message:
        """Verify a message; verified bytes are remembered, for speed."""

    def new_block(self, proposer: int, height: int, previous: bytes) -> SimulatedBlock:
        """An honest proposer's block."""

    def think_ns(self) -> int:
        """How long judging or building a block takes."""

    def note_signed(self, index: int, message: SignedVote | SignedProposal) -> None:
        """A signature leaves a node."""

    def note_decided(self, index: int, block: SimulatedBlock, certificate: Certificate) -> None:
        """A node decides."""

    def note_evidence(self, offender: int) -> None:
        """A node proves that another one equivocated."""

    def fail(self, violation: str) -> None:
        """Something that must never happen has happened."""


class SimulatedValidator:
    """One honest validator. ``life`` counts its starts: what an earlier life scheduled does not reach a later one."""

    def __init__(self, index: int, key: SigningKey, world: Surroundings) -> None:
        self.index = index
        self.up = False
        self.life = 0
        self.power = Power()
        self.chain: list[tuple[SimulatedBlock, Certificate]] = []
        self.log_file = SimulatedFile(self.power)
        self.guard_file = SimulatedFile(self.power, blank_guard())
        self._blocks: dict[bytes, SimulatedBlock] = {}
        self._key = key
        self._world = world
        self._asked_ns: dict[int, int] = {}
        self._turn = index
        self._inbox: deque[Event] = deque()
        self._checks: list[CheckBlock] = []

    def start(self) -> None:
        """Come up from what the disk holds."""
        self.up = True
        self.life += 1
        self.attempt(self._recover)

    def _recover(self) -> None:
        self._inbox.clear()
        self._checks.clear()
        self.log = WriteAheadLog(self.log_file)
        self.guard = SignGuard(self.guard_file)
        self.agreement = Agreement(TIMEOUTS, len(self.chain))
        if len(self.chain) < self._world.last_height:
            self._start_height()

    def attempt(self, action: Callable[[], None]) -> None:
        """Do something if the power lasts."""
        if not self.up:
            return
        try:
            action()
        except PowerLost:
            self.black_out()
        except LocalError as fault:
            self._world.fail(f"node {self.index} stopped: {fault}")

    def black_out(self) -> None:
        """Stop, with what the disk then holds."""
        self.up = False
        self.log_file.lose_power(self._world.random)
        self.guard_file.lose_power(self._world.random)

    def receive(self, sender: int, packet: Packet) -> None:
        """Take a packet from the network."""
        match packet.topic:
            case "block":
                self._hold(SimulatedBlock.decode(packet.data))
            case "want block":
                if packet.data in self._blocks:
                    self._send(sender, Packet("block", self._blocks[packet.data].encode()))
            case "want chain":
                for block, certificate in self.chain[int.from_bytes(packet.data, "big") - 1 :]:
                    self._send(sender, Packet("block", block.encode()))
                    self._send(sender, Packet("certificate", certificate.encode()))
            case "standing":
                for message in self.agreement.answer(Standing.decode(packet.data)):
                    self._send(sender, _packet(message))
            case _:
                self._hear(sender, self._world.open(packet))

    def feed(self, event: Event) -> None:
        """Let the agreement handle an event, and everything that this node itself says to it in turn."""
        self._handle(event)
        self._hear_own_words()

    def _hear_own_words(self) -> None:
        while self._inbox:
            self._handle(self._inbox.popleft())

    def _handle(self, event: Event) -> None:
        for effect in self.agreement.handle(event, self._world.now_ns()):
            self.power.use()
            self.perform(effect)

    def perform(self, effect: Effect) -> None:
        """Carry out one effect: the pattern for the daemon's own."""
        match effect:
            case Persist(record):
                self.log.append(record)
                if self.log.too_long or len(self.log.records) % COMPACTION_RECORDS == 0:
                    self.log.reset(self.agreement.records())
            case CastVote() | CastProposal():
                self.cast(effect)
            case Broadcast(message):
                self.log.flush()
                self._broadcast(_packet(message))
            case Compare(standing):
                self._compare(Packet("standing", standing.encode()))
            case ScheduleTimeout(step, height, round_, at_ns):
                self._later(at_ns - self._world.now_ns(), TimeoutExpired(step, height, round_))
            case ScheduleTick(height, at_ns):
                self._later(at_ns - self._world.now_ns(), Tick(height))
            case GetValue(height, round_):
                block = self._world.new_block(self.index, height, self._tip())
                self._blocks[block.id] = block
                self._answer(ValueReady(height, round_, block.id))
            case CheckBlock():
                self._checks.append(effect)
                self._answer_checks()
            case RequestBlock(_, block_id, holders):
                for holder in holders if block_id not in self._blocks else ():
                    self._send(holder, Packet("want block", block_id))
            case Decide(height, _, block_id, certificate):
                self._commit(height, block_id, certificate)
            case FoundEvidence(first, _):
                self._world.note_evidence(first.content.validator)
            case _:
                assert_never(effect)

    def cast(self, effect: CastVote | CastProposal) -> None:
        """Log, guard, sign, send, hear oneself: in this order."""
        self.log.flush()
        content = effect.vote if isinstance(effect, CastVote) else effect.proposal
        self.guard.advance_vote(content.height, content.round, content.step, content.encode())
        signed = self.sign(effect)
        self.power.use()
        self.send_signed(signed)

    def sign(self, effect: CastVote | CastProposal) -> SignedVote | SignedProposal:
        """Sign, when log and guard know of it."""
        if isinstance(effect, CastVote):
            return sign_vote(self._key, CELL_ID, effect.vote)
        return sign_proposal(self._key, CELL_ID, effect.proposal)

    def send_signed(self, signed: SignedVote | SignedProposal) -> None:
        """Let a signature leave, and hear it ourselves."""
        self._world.note_signed(self.index, signed)
        self._broadcast(_packet(signed))
        own = ReceivedVote(signed) if isinstance(signed, SignedVote) else ReceivedProposal(signed)
        self._inbox.append(own)

    def _hear(self, sender: int, message: Message) -> None:
        """Into the agreement; and whoever is far behind is shown the way, as anti-entropy does in the daemon."""
        height = message.height if isinstance(message, Certificate) else message.content.height
        if height > self.agreement.height and self._may_ask(sender):
            self._send(sender, Packet("want chain", (len(self.chain) + 1).to_bytes(8, "big")))
        elif height < max(self.agreement.height, len(self.chain) + 1) and self._may_ask(sender):
            self.receive(sender, Packet("want chain", height.to_bytes(8, "big")))
        match message:
            case SignedVote():
                self.feed(ReceivedVote(message))
            case SignedProposal():
                self.feed(ReceivedProposal(message))
            case Certificate():
                self.feed(ReceivedCertificate(message))

    def _may_ask(self, peer: int) -> bool:
        now_ns = self._world.now_ns()
        if now_ns < self._asked_ns.get(peer, 0):
            return False
        self._asked_ns[peer] = now_ns + 100 * MS
        return True

    def _start_height(self) -> None:
        height = len(self.chain) + 1
        records = read_records(self.log.records, height, CELL_ID, self._world.validators)
        if not records:
            self.log.reset()
        if log_is_behind(records, height, self.guard.last.place):
            raise ReadOnly("it signed what its log has lost")
        self._checks.clear()
        self.feed(StartHeight(height, self._world.validators, self.index, can_sign=True, records=records))

    def _commit(self, height: int, block_id: bytes, certificate: Certificate) -> None:
        block = self._blocks[block_id]
        self.chain.append((block, certificate))
        self._world.note_decided(self.index, block, certificate)
        self.power.use()
        if height < self._world.last_height:
            self._call_later(self._world.think_ns(), self._start_height, b"start height")

    def _tip(self) -> bytes:
        return self.chain[-1][0].id if self.chain else CELL_ID

    def _hold(self, block: SimulatedBlock) -> None:
        self._blocks[block.id] = block
        self._answer_checks()
        self._hear_own_words()

    def _answer_checks(self) -> None:
        for check in [check for check in self._checks if check.block_id in self._blocks]:
            self._checks.remove(check)
            verdict = self._judge(self._blocks[check.block_id], check)
            self._answer(BlockChecked(check.height, check.round, check.block_id, check.fresh, verdict))

    def _judge(self, block: SimulatedBlock, check: CheckBlock) -> bool:
        sound = block.sound and block.height == check.height and block.previous == self._tip()
        looks_late = block.doubtful and (block.id[0] + self.index) % 3 == 0
        return sound and not (check.fresh and looks_late)

    def _broadcast(self, packet: Packet) -> None:
        for receiver in range(self._world.validators.size):
            self._send(receiver, packet)

    def _compare(self, packet: Packet) -> None:
        """Ask two others, and the next two on the next tick."""
        for _ in range(PEERS_COMPARED):
            self._turn += 1
            self._send(self._turn % self._world.validators.size, packet)

    def _send(self, receiver: int, packet: Packet) -> None:
        if receiver != self.index:
            self._world.send(self.index, receiver, packet)

    def _answer(self, answer: BlockChecked | ValueReady) -> None:
        """Answer at once, in the middle of the effects, or later."""
        delay_ns = self._world.think_ns()
        if delay_ns:
            self._later(delay_ns, answer)
        else:
            self._handle(answer)

    def _later(self, delay_ns: int, event: Event) -> None:
        self._call_later(delay_ns, lambda: self.feed(event), type(event).__name__.encode())

    def _call_later(self, delay_ns: int, action: Callable[[], None], label: bytes) -> None:
        life = self.life

        def act() -> None:
            if self.life == life:
                self.attempt(action)

        self._world.call_after(delay_ns, act, label)


def _packet(message: Message) -> Packet:
    match message:
        case SignedVote():
            return Packet("vote", message.envelope)
        case SignedProposal():
            return Packet("proposal", message.envelope)
        case Certificate():
            return Packet("certificate", message.encode())
