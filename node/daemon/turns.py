"""Shell: one turn of the daemon: inputs into the core, effects carried out, one commit, and only then anything leaves.

Nothing leaves before what it depends on is durable: votes are logged and guarded when they are signed; entries and
blocks are committed, and own entries claimed in the guard, before anything of the turn is sent or reported.
"""

from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Protocol, assert_never

import structlog

from devices.messages.orders import Order
from ledger.agreement.records import block_records
from ledger.chain.state_snapshot import take_snapshot
from ledger.records.entries import SignedEntry
from ledger.records.rows import VoteRow
from ledger.store.retention import KEEP_ALL, Retention
from ledger.store.store import Store
from node import events as ev
from node.core.core import NodeCore
from node.daemon.signer import Signer


class Devices(Protocol):
    """The daemon's end of the control process."""

    def send_position(self, interval: int, energy: int) -> None:
        """Lease a position."""
        ...

    def order(self, order: Order) -> None:
        """Something besides a position."""
        ...

    def acknowledge(self, interval: int) -> None:
        """A meter record is safe."""
        ...


class Network(Protocol):
    """Where a turn's messages go; none of these waits."""

    def publish(self, topic: str, data: bytes) -> None:
        """Gossip to all members."""
        ...

    def broadcast(self, frame: bytes) -> None:
        """Send a frame to every neighbour."""
        ...

    def send(self, peer: bytes, frame: bytes) -> None:
        """Send a frame to one neighbour."""
        ...

    def request(self, peer: bytes, tag: str, data: bytes) -> None:
        """Ask a peer; the reply comes back as an input."""
        ...

    def set_members(self, members: Sequence[tuple[bytes, str]]) -> None:
        """Exactly these feed keys, with the names of their members, may connect."""
        ...


class Asked(Protocol):
    """Where an operator's instructions wait."""

    def done(self, name: str) -> None:
        """Forget one."""
        ...


Leaving = (
    ev.Publish
    | ev.Broadcast
    | ev.Send
    | ev.SendRequest
    | ev.CommandPosition
    | ev.Order
    | ev.AcknowledgeMeter
    | ev.MembersChanged
    | ev.InstructionTaken
    | ev.Report
)
"""What leaves this process, after the turn's commit."""


@dataclass(slots=True)
class Turns:
    """Carries out the core's effects."""

    core: NodeCore
    store: Store
    signer: Signer
    devices: Devices
    network: Network
    log: structlog.typing.FilteringBoundLogger
    now: Callable[[], ev.Now]
    asked: Asked | None = None
    retention: Retention = KEEP_ALL
    tell: Callable[[ev.Report], None] | None = None
    _outbox: list[Leaving] = field(default_factory=list)
    _own_entries: list[SignedEntry] = field(default_factory=list)
    _snapshot: ev.TakeSnapshot | None = None

    def start(self) -> None:
        """The turn before the first input."""
        self._run(deque(), self.core.start(self.now()))

    def take(self, inputs: Iterable[ev.Input]) -> None:
        """One turn. Raises `StorageError`, OSError or `DoubleSign` when nothing of it may leave."""
        self._run(deque(inputs), [])

    def _run(self, inputs: deque[ev.Input], effects: list[ev.Effect]) -> None:
        self._outbox.clear()
        self._own_entries.clear()
        self._snapshot = None
        self._carry_out(effects, inputs)
        while inputs:
            self._carry_out(self.core.handle(inputs.popleft(), self.now()), inputs)
        self.signer.log.flush()
        if self.signer.log.too_long:
            self.signer.log.reset(self.core.ordering.log_records())
        self.store.commit()
        for signed in self._own_entries:
            self.signer.claim(signed)
        for message in self._outbox:
            self._send(message)
        if self._snapshot is not None:
            self._keep(self._snapshot)

    def _carry_out(self, effects: Iterable[ev.Effect], inputs: deque[ev.Input]) -> None:
        for effect in effects:
            match effect:
                case (
                    ev.Publish()
                    | ev.Broadcast()
                    | ev.Send()
                    | ev.SendRequest()
                    | ev.CommandPosition()
                    | ev.Order()
                    | ev.AcknowledgeMeter()
                    | ev.MembersChanged()
                    | ev.InstructionTaken()
                    | ev.Report()
                ):
                    self._outbox.append(effect)
                case ev.AppendToLog(record):
                    self.signer.log.append(record)
                case ev.KeepBlock(block):
                    for record in block_records(block):
                        self.signer.log.append(record)
                case ev.StartLog():
                    self.store.commit()
                    self.signer.log.reset()
                case ev.SignVote(vote):
                    inputs.appendleft(ev.VoteSigned(self.signer.vote(vote)))
                case ev.SignProposal(proposal):
                    inputs.appendleft(ev.ProposalSigned(self.signer.proposal(proposal)))
                case ev.SignEntry():
                    self._sign_entry(effect)
                case ev.StoreBlock(height, block_id, block, certificate):
                    self.store.put_block(height, block_id, block, certificate)
                case ev.StoreVote(height, round_, step, validator, envelope):
                    self.store.put_vote(VoteRow(height, round_, step, validator, envelope))
                case ev.StoreEvidence(evidence):
                    self.store.put_evidence(evidence)
                case ev.TakeSnapshot():
                    self._snapshot = effect
                case ev.StandOn(snapshot, heads):
                    self.store.rebase(snapshot, heads)
                case _:
                    assert_never(effect)

    def _sign_entry(self, wanted: ev.SignEntry) -> None:
        """Sign and offer at once, so that the next entry chains to this one."""
        place = self.core.own_feed()
        if place is None:
            self.log.warning("entry_dropped", kind=wanted.kind, interval=wanted.interval)
            return
        signed = self.signer.entry(wanted, *place)
        self._own_entries.append(signed)
        self._carry_out(self.core.handle(ev.EntrySigned(signed), self.now()), deque())

    def _keep(self, due: ev.TakeSnapshot) -> None:
        """Store the snapshot that is due; of those before it only what is still needed stays."""
        application = self.core.ordering.application
        try:
            snapshot = take_snapshot(due.tip, application, due.header, due.certificate, due.epochs)
        except ValueError as fault:
            self.log.warning("snapshot_skipped", height=due.tip.height, reason=str(fault))
            return
        self.store.put_snapshot(snapshot)
        self.store.commit()
        self.retention.tidy(self.store, due.tip.height)

    def _send(self, message: Leaving) -> None:
        match message:
            case ev.CommandPosition(interval, energy):
                self.devices.send_position(interval, energy)
            case ev.Order(order):
                self.devices.order(order)
            case ev.AcknowledgeMeter(interval):
                self.devices.acknowledge(interval)
            case ev.MembersChanged(members):
                self.network.set_members(members)
            case ev.InstructionTaken(name):
                if self.asked is not None:
                    self.asked.done(name)
            case ev.Report(event, fields):
                self.log.info(event, **fields)
                if self.tell is not None:
                    self.tell(message)
            case ev.Publish(topic, data):
                self.network.publish(topic, data)
            case ev.Broadcast(frame):
                self.network.broadcast(frame)
            case ev.Send(peer, frame):
                self.network.send(peer, frame)
            case ev.SendRequest(peer, tag, data):
                self.network.request(peer, tag, data)
