"""Ordering: drives the agreement over the chain, one height at a time.

It answers what the agreement asks (build a block, judge a block), holds what must wait (a block that is not here yet,
entries that a block names, a gate that has not closed) and turns a decision into the next tip. Sans-IO: effects out.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Generic, Protocol

from ledger.agreement import events as ae
from ledger.agreement.algorithm import Agreement
from ledger.agreement.records import block_records, read_records
from ledger.agreement.standing import Standing
from ledger.agreement.voters import voters_of
from ledger.chain.application import Application, State
from ledger.chain.chain import Draft, Tip
from ledger.chain.replay import follow
from ledger.errors import InvalidBlock, MissingEntries
from ledger.heads import Head
from ledger.membership.evidence import Evidence
from ledger.records.blocks import Block, decode_block
from ledger.records.votes import Certificate, Proposal, SignedProposal, SignedVote, open_proposal, open_vote
from ledger.records.votes import Step as Phase
from market.intervals import Calendar
from node import events as ev
from node.agreement.accusations import Accusations, evidence_of
from node.agreement.candidates import BranchSource, Candidates, Invalid, Leads
from node.agreement.protocols import Protocols
from node.agreement.steps import Decided, Halt, Step, WantAnswers, WantBlock, WantEntries
from node.agreement.timeliness import (
    Attention,
    SeenOrder,
    countable,
    next_opening_ns,
    proposable_interval,
    unfairness,
)
from node.agreement.timers import Timers
from node.constants import BLOCK_IN_FRAME_BYTES
from node.wire import CertificateFrame, ProposalFrame, VoteFrame, encode_frame


class Gate(Protocol):
    """What ordering asks of the entries gathered so far."""

    def orders_for(self, interval: int) -> Iterable[SeenOrder]:
        """The orders held for an interval, with when each was first seen (cell time)."""
        ...

    def heads_for(self, interval: int, gate_ns: int) -> tuple[Head, ...]:
        """What a fair proposer includes: every feed, up to its last entry before an order that came too late."""
        ...


@dataclass(slots=True)
class Ordering(Generic[State]):
    """The agreement on top of `tip`. `own_key` is our consensus key, None when we only watch."""

    cell_id: bytes
    application: Application[State]
    tip: Tip[State]
    calendar: Calendar
    margin_ns: int
    source: BranchSource
    gate: Gate
    timeouts: ae.Timeouts
    own_key: bytes | None
    attention: Attention
    last_certificate: Certificate | None
    last_interval: int | None = None
    protocols: Protocols = field(default_factory=Protocols)
    agreement: Agreement = field(init=False)
    timers: Timers[ae.Event | str] = field(default_factory=Timers)
    can_sign: bool = False
    opened_real_ns: int | None = None
    accusations: Accusations = field(init=False)
    _candidates: Candidates[State] = field(init=False)
    _checks: list[ae.CheckBlock] = field(default_factory=list)
    _decision: ae.Decide | None = None
    _seen_votes: set[tuple[int, int, int]] = field(default_factory=set)
    _kept: set[bytes] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.agreement = Agreement(self.timeouts, self.tip.height)
        self.accusations = Accusations(self.cell_id)
        self._candidates = Candidates(self.cell_id, self.application, self.source)

    @property
    def height(self) -> int:
        """The height being agreed on."""
        return self.tip.height + 1

    @property
    def finished(self) -> bool:
        """Whether the last interval this run was asked for is covered."""
        return self.last_interval is not None and self.tip.last_interval >= self.last_interval

    def schedule_opening(self, now: ev.Now) -> None:
        """Plan the next height for a margin after the gate of the first interval that is not covered."""
        if self.finished or self.agreement.height >= self.height:
            return
        opening_ns = next_opening_ns(self.calendar, now.cell_ns, self.margin_ns, self.tip.last_interval)
        self.timers.at(now.real_of(opening_ns), "open")

    def due(self, now: ev.Now) -> list[Step[State]]:
        """Carry out every timer that is due."""
        steps: list[Step[State]] = []
        for what in self.timers.take_due(now.real_ns):
            if what == "open":
                steps += self._open(now)
            elif not isinstance(what, str):
                steps += self._feed(what, now)
        return steps

    def resume(self, records: tuple[ae.Record, ...], now: ev.Now) -> list[Step[State]]:
        """Continue the height that the write-ahead log was in; nothing to do when it is empty."""
        return self._open(now, records) if records else []

    def keep(self, blocks: Iterable[Block]) -> None:
        """Hold the blocks that the write-ahead log kept."""
        for block in blocks:
            self._kept.add(self._candidates.hold(self.tip, block))

    def log_records(self) -> tuple[bytes, ...]:
        """What a log that grew too long may be cut down to."""
        kept = (self._candidates.get(block_id) for block_id in sorted(self._kept))
        pieces = (record for block in kept if block is not None for record in block_records(block.encode()))
        return (*pieces, *self.agreement.records())

    def let_vote(self, now: ev.Now) -> list[Step[State]]:
        """From now on we vote, in the open height too; what was counted of it is kept."""
        if self.can_sign:
            return []
        self.can_sign = True
        said: list[Step[State]] = [*self.protocols.announce(self.tip, now)]
        if self.agreement.height != self.height:
            return said
        records = read_records(self.agreement.records(), self.height, self.cell_id, self.tip.validators)
        self._reset_height()
        return [*said, *self._open(now, records)]

    def vote(self, envelope: bytes, now: ev.Now) -> list[Step[State]]:
        """A vote from a peer. Raises `PeerError`."""
        if self.agreement.known(envelope) is not None:
            return []
        return self._heard(open_vote(envelope, self.cell_id, voters_of(self.tip, envelope)), now)

    def proposal(self, envelope: bytes, block: bytes | None, now: ev.Now) -> list[Step[State]]:
        """A proposal from a peer, with its block when that is small. Raises `PeerError`."""
        signed = open_proposal(envelope, self.cell_id, voters_of(self.tip, envelope))
        if block is not None and self._is_expected(signed.proposal):
            decoded = decode_block(block)
            if decoded.block_id(self.cell_id) != signed.proposal.block_id:
                raise InvalidBlock("the block is not the one that the proposal names")
            self._candidates.hold(self.tip, decoded)
        return self._heard(signed, now) + self.retry(now)

    def _is_expected(self, proposal: Proposal) -> bool:
        """The first of a round that is near: no proposer can fill the memory with blocks; what is needed is pulled."""
        near = proposal.round <= self.agreement.round + 1 or self.agreement.height != self.height
        first = (proposal.round, int(proposal.step), proposal.validator) not in self._seen_votes
        return proposal.height == self.height and near and first

    def _heard(self, signed: SignedVote | SignedProposal, now: ev.Now) -> list[Step[State]]:
        content = signed.content
        steps: list[Step[State]] = []
        key = (content.round, int(content.step), content.validator)
        if content.height == self.height and key not in self._seen_votes:
            self._seen_votes.add(key)
            steps.append(ev.StoreVote(content.height, *key, signed.envelope))
        match signed:
            case SignedVote():
                return steps + self._feed(ae.ReceivedVote(signed), now)
            case SignedProposal():
                return steps + self._feed(ae.ReceivedProposal(signed), now)

    def certificate(self, encoded: bytes, now: ev.Now) -> list[Step[State]]:
        """A certificate from a peer. Raises `PeerError`."""
        certificate = Certificate.decode(encoded)
        if certificate.height != self.height or self.agreement.height != self.height:
            return []
        certificate.check(self.cell_id, self.tip.validators)
        return self._feed(ae.ReceivedCertificate(certificate), now)

    def answer(self, standing: Standing) -> tuple[bytes, ...]:
        """The frames that bring a peer with this standing to where we are."""
        return tuple(self._frame(message) for message in self.agreement.answer(standing))

    def signed(self, message: SignedVote | SignedProposal, now: ev.Now) -> list[Step[State]]:
        """Our own signed message, already logged and guarded: send it and count it."""
        return [ev.Broadcast(self._frame(message)), *self._heard(message, now)]

    def pulled(self, block: Block, now: ev.Now) -> list[Step[State]]:
        """A block that we asked for by its id."""
        if block.header.height == self.height:
            self._candidates.hold(self.tip, block)
        return self.retry(now)

    def proposed(self, block_id: bytes) -> bytes | None:
        """The bytes of a block that is being agreed on, for a peer that lacks it."""
        block = self._candidates.get(block_id)
        return None if block is None else block.encode()

    def adopt(self, block: Block, certificate: Certificate, now: ev.Now) -> list[Step[State]]:
        """A decided block with its certificate, from a peer that is ahead. Raises `PeerError`, `MissingEntries`."""
        if (lacks := self.protocols.lacking(self.tip.membership)) is not None:
            raise InvalidBlock(lacks)
        source = self.source.naming(self.tip, block.heads)
        leads = Leads(*follow(self.tip, self.application, block, certificate, source))
        return self._advance(block, certificate, leads, None, now)

    def retry(self, now: ev.Now) -> list[Step[State]]:
        """Try again what waited: something arrived, or a gate closed."""
        steps: list[Step[State]] = []
        if self._decision is not None:
            steps += self._decide(self._decision, now)
        waiting, self._checks = self._checks, []
        for check in waiting:
            steps += self._check(check, now)
        return steps

    def found(self, evidence: Evidence) -> list[Step[State]]:
        """Proof of equivocation, to be put into the next block we build."""
        offender = self.accusations.take(evidence, self.tip.membership)
        if offender is None:
            return []
        return [ev.StoreEvidence(evidence.encode()), ev.Report("equivocation", {"member": offender.hex()})]

    def _open(self, now: ev.Now, records: tuple[ae.Record, ...] = ()) -> list[Step[State]]:
        if self.agreement.height >= self.height or self.finished:
            return []
        if (lacks := self.protocols.lacking(self.tip.membership)) is not None:
            return [Halt(lacks)]
        self.opened_real_ns = now.real_ns
        own = None if self.own_key is None else self.tip.validators.index_of(self.own_key)
        start = ae.StartHeight(self.height, self.tip.validators, own, self.can_sign, records)
        return [*([] if records else [ev.StartLog(self.height)]), *self._feed(start, now)]

    def _reset_height(self) -> None:
        """An agreement that stands before the height after the tip."""
        self.agreement = Agreement(self.timeouts, self.tip.height)
        self._checks.clear()
        self.timers.clear()

    def _feed(self, event: ae.Event, now: ev.Now) -> list[Step[State]]:
        steps: list[Step[State]] = []
        for effect in self.agreement.handle(event, now.real_ns):
            steps += self._carry_out(effect, now)
        return steps

    def _carry_out(self, effect: ae.Effect, now: ev.Now) -> list[Step[State]]:
        match effect:
            case ae.Persist(record):
                return [ev.AppendToLog(record)]
            case ae.CastVote(vote):
                return [ev.SignVote(vote)]
            case ae.CastProposal(proposal):
                return [ev.SignProposal(proposal)]
            case ae.Broadcast(message):
                return [ev.Broadcast(self._frame(message))]
            case ae.Compare(standing):
                return [WantAnswers(standing)]
            case ae.ScheduleTimeout(step, height, round_, at_ns):
                self.timers.at(at_ns, ae.TimeoutExpired(step, height, round_))
            case ae.ScheduleTick(height, at_ns):
                self.timers.at(at_ns, ae.Tick(height))
            case ae.GetValue():
                return self._build(effect, now)
            case ae.CheckBlock():
                return self._check(effect, now)
            case ae.RequestBlock(height, block_id, holders):
                if height != self.height or self._candidates.get(block_id) is not None:
                    return []
                return [WantBlock(block_id, tuple(self.tip.validators.keys[index] for index in holders))]
            case ae.Decide():
                return self._decide(effect, now)
            case ae.FoundEvidence(first, second):
                return self.found(evidence_of(first, second))
        return []

    def _frame(self, message: ae.Message) -> bytes:
        match message:
            case SignedVote():
                return encode_frame(VoteFrame(message.envelope))
            case Certificate():
                return encode_frame(CertificateFrame(message.encode()))
            case SignedProposal():
                block = self.proposed(message.proposal.block_id)
                fits = block is not None and len(block) <= BLOCK_IN_FRAME_BYTES
                return encode_frame(ProposalFrame(message.envelope, block if fits else None))

    def _build(self, get: ae.GetValue, now: ev.Now) -> list[Step[State]]:
        if get.height != self.height:
            return []
        index = None if self.own_key is None else self.tip.validators.index_of(self.own_key)
        assert index is not None, "only a validator is asked for a value"
        interval = proposable_interval(self.calendar, now.cell_ns, self.margin_ns)
        if interval <= self.tip.last_interval:
            return []
        draft = Draft(
            proposer=index,
            round=get.round,
            time_ns=now.cell_ns,
            last_interval=interval,
            heads=self.gate.heads_for(interval, self.calendar.gate_closure_ns(interval)),
            evidence=self.accusations.pieces(),
            last_certificate=self.last_certificate,
        )
        block_id = self._candidates.build(self.tip, draft)
        return self._feed(ae.ValueReady(get.height, get.round, block_id), now)

    def _check(self, check: ae.CheckBlock, now: ev.Now) -> list[Step[State]]:
        if check.height != self.height:
            return []
        held = self._candidates.get(check.block_id)
        if held is None:
            self._checks.append(check)
            return [WantBlock(check.block_id, ())]
        try:
            reason = self._fault(held, check, now)
        except MissingEntries as missing:
            self._checks.append(check)
            return [WantEntries(missing.wanted)]
        steps: list[Step[State]] = []
        if reason is not None:
            fields = {"height": check.height, "round": check.round, "reason": reason}
            steps.append(ev.Report("proposal_refused", fields))
        elif check.block_id not in self._kept:
            self._kept.add(check.block_id)
            steps.append(ev.KeepBlock(held.encode()))
        answer = ae.BlockChecked(check.height, check.round, check.block_id, check.fresh, reason is None)
        return steps + self._feed(answer, now)

    def _fault(self, block: Block, check: ae.CheckBlock, now: ev.Now) -> str | None:
        if block.header.last_interval > self.calendar.index_of(now.cell_ns) + 1:
            return "its last interval is not yet open for proposals"
        verdict = self._candidates.judge(self.tip, block)
        if isinstance(verdict, Invalid):
            return verdict.reason
        if not check.fresh:
            return None
        return unfairness(
            block,
            check.round,
            calendar=self.calendar,
            now_ns=now.cell_ns,
            margin_ns=self.margin_ns,
            patience_ns=self.margin_ns + self.timeouts.of(Phase.PROPOSE, check.round) * now.speed,
            orders=countable(self.gate.orders_for(block.header.last_interval), verdict.tip.membership),
            anchored=self.tip.heads,
            attention=self.attention,
        )

    def _decide(self, decision: ae.Decide, now: ev.Now) -> list[Step[State]]:
        self._decision = decision
        held = self._candidates.get(decision.block_id)
        if held is None:
            return [WantBlock(decision.block_id, ())]
        try:
            verdict = self._candidates.judge(self.tip, held)
        except MissingEntries as missing:
            return [WantEntries(missing.wanted)]
        if isinstance(verdict, Invalid):
            raise AssertionError(f"a quorum decided a block that this node finds invalid: {verdict.reason}")
        return self._advance(held, decision.certificate, verdict, self.opened_real_ns, now)

    def _advance(
        self,
        block: Block,
        certificate: Certificate,
        leads: Leads[State],
        opened_real_ns: int | None,
        now: ev.Now,
    ) -> list[Step[State]]:
        tip = leads.tip
        self.stand_on(tip, certificate, now)
        stored = ev.StoreBlock(tip.height, tip.header_id, block.encode(), certificate.encode())
        said = self.protocols.decided(tip, now, may_speak=self.can_sign)
        return [stored, Decided(block, certificate, tip, leads.outcomes, opened_real_ns), *said]

    def stand_on(self, tip: Tip[State], certificate: Certificate, now: ev.Now) -> None:
        """Go on from this tip, whose block the certificate decided."""
        self.tip, self.last_certificate, self._decision, self.opened_real_ns = tip, certificate, None, None
        self.accusations.keep_what_holds(tip.membership)
        self._candidates.clear()
        self._seen_votes.clear()
        self._kept.clear()
        if self.agreement.height != tip.height or self.agreement.decided is None:
            self._reset_height()
        self._checks.clear()
        self.timers.clear()
        self.schedule_opening(now)
