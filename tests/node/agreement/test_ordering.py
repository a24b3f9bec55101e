"""Ordering: one height at a time, opened by its gate, decided once, in time or late."""

from dataclasses import replace
from pathlib import Path

import pytest

from ledger.agreement.events import Timeouts
from ledger.chain.chain import genesis_tip
from ledger.errors import BadSignature, InvalidCertificate, PeerError
from ledger.feeds.feeds import Feeds
from ledger.membership.evidence import Evidence
from ledger.membership.members import Membership
from ledger.records.blocks import decode_block
from ledger.records.entries import Entry, SignedEntry, author_entry
from ledger.records.votes import Certificate, Proposal, SignedProposal, SignedVote, sign_proposal, sign_vote
from ledger.store.store import Store
from ledger.store.store_file import connect
from market.cell import EnergyCell
from market.cell_state import CellState
from market.payloads import Curve, Kind, encode_order
from market.payloads import Step as CurveStep
from market.rules import decode_rules
from node.agreement.gathering import Gathering
from node.agreement.ordering import Ordering
from node.agreement.steps import Decided, Step, WantBlock, WantEntries
from node.agreement.timeliness import Attention
from node.events import Broadcast, KeepBlock, Now, Report, SignProposal, SignVote, StoreBlock, StoreEvidence
from node.wire import ProposalFrame, decode_frame
from sim.cells.keys import FIRST_INTERVAL, SPEED, Keys, founded

MS = 1_000_000
MARGIN_NS = 300 * MS * SPEED
TIMEOUTS = Timeouts(
    propose_ns=900 * MS, prevote_ns=500 * MS, precommit_ns=500 * MS, delta_ns=250 * MS, tick_ns=500 * MS
)
MEMORY = Path(":memory:")
ORDER = encode_order(Curve((CurveStep(100_000, 5),), ()))


class Bench:
    """One validator's ordering on a bench: its signatures are made and given back to it at once."""

    def __init__(self, size: int = 1, own: int = 0) -> None:
        self.keys = [Keys.of(index) for index in range(size)]
        self.genesis = founded(self.keys)
        self.cell_id = self.genesis.cell_id
        tip = genesis_tip(self.genesis, EnergyCell())
        self.calendar = decode_rules(self.genesis.application).calendar
        membership = Membership.founding(self.genesis)
        store = Store(MEMORY, self.cell_id, connect(MEMORY, self.cell_id, create=True))
        self.gathering = Gathering(Feeds(self.cell_id, membership), membership, store)
        self.own = self.keys[own]
        self.ordering: Ordering[CellState] = Ordering(
            cell_id=self.cell_id,
            application=EnergyCell(),
            tip=tip,
            calendar=self.calendar,
            margin_ns=MARGIN_NS,
            source=self.gathering,
            gate=self.gathering,
            timeouts=TIMEOUTS,
            own_key=self.own.consensus.verify_key.encode(),
            attention=Attention(0),
            last_certificate=None,
            can_sign=True,
        )

    def at(self, interval: int = FIRST_INTERVAL, after_gate_ms: int = 300) -> Now:
        """A moment so many real milliseconds after an interval's gate."""
        gate_ns = self.calendar.gate_closure_ns(interval)
        cell_ns = gate_ns + after_gate_ms * MS * SPEED
        return Now(cell_ns // SPEED, cell_ns, SPEED)

    def order(self, who: int, now: Now, interval: int = FIRST_INTERVAL) -> SignedEntry:
        """A member's first entry, an order, taken in now."""
        keys = self.keys[who]
        entry = Entry(keys.public, 0, 0, None, int(Kind.ORDER), interval, 1, ORDER)
        signed = author_entry(keys.feed, self.cell_id, entry)
        self.gathering.take([signed.envelope], now)
        self.gathering.store.commit()
        return signed

    def open(self, now: Now) -> list[Step[CellState]]:
        self.ordering.schedule_opening(now)
        return self.act(self.ordering.due(now), now)

    def act(self, steps: list[Step[CellState]], now: Now) -> list[Step[CellState]]:
        """Sign what is asked for until nothing is; all steps in order."""
        done: list[Step[CellState]] = []
        waiting = list(steps)
        while waiting:
            step = waiting.pop(0)
            done.append(step)
            match step:
                case SignVote(vote):
                    signed = sign_vote(self.own.consensus, self.cell_id, vote)
                    waiting = [*self.ordering.signed(signed, now), *waiting]
                case SignProposal(proposal):
                    waiting = [*self.ordering.signed(self.seal(proposal), now), *waiting]
        return done

    def seal(self, proposal: Proposal, who: Keys | None = None) -> SignedProposal:
        return sign_proposal((who or self.own).consensus, self.cell_id, proposal)


def of(kind: type, steps: list[Step[CellState]]) -> list[Step[CellState]]:
    return [step for step in steps if isinstance(step, kind)]


def decided(steps: list[Step[CellState]]) -> Decided[CellState]:
    (step,) = of(Decided, steps)
    assert isinstance(step, Decided)
    return step


def proposers() -> tuple[Bench, int]:
    """A bench of four whose own key proposes height 1, round 0."""
    for own in range(4):
        bench = Bench(4, own)
        validators = bench.ordering.tip.validators
        if validators.keys[validators.proposer(1, 0)] == bench.own.consensus.verify_key.encode():
            return bench, own
    raise AssertionError("somebody proposes")


def test_a_height_opens_a_margin_after_the_gate_and_not_before() -> None:
    bench = Bench()
    now = bench.at(after_gate_ms=0)
    bench.ordering.schedule_opening(now)
    assert bench.ordering.timers.next() == bench.at(after_gate_ms=300).real_ns
    assert bench.ordering.due(bench.at(after_gate_ms=299)) == []


def test_a_single_validator_decides_at_once_what_is_there() -> None:
    bench = Bench()
    bench.order(0, bench.at(after_gate_ms=-400))
    steps = bench.open(bench.at())
    outcome = decided(steps)
    assert (outcome.tip.height, outcome.tip.last_interval) == (1, FIRST_INTERVAL)
    assert [head.sequence for head in outcome.block.heads] == [0]
    kinds = [type(step) for step in steps]
    assert kinds.index(KeepBlock) < kinds.index(SignVote) < kinds.index(StoreBlock) < kinds.index(Decided)


def test_the_next_height_waits_for_the_next_gate() -> None:
    bench = Bench()
    bench.open(bench.at())
    assert bench.ordering.due(bench.at(after_gate_ms=900)) == []
    assert bench.ordering.timers.next() == bench.at(FIRST_INTERVAL + 1).real_ns


def test_after_an_outage_one_block_covers_all_and_only_the_last_interval_trades() -> None:
    bench = Bench()
    late = bench.at(FIRST_INTERVAL + 5)
    outcome = decided(bench.open(late))
    assert (outcome.block.header.first_interval, outcome.tip.last_interval) == (
        FIRST_INTERVAL,
        FIRST_INTERVAL + 5,
    )


def test_past_its_trading_deadline_a_height_is_decided_without_waiting_for_the_next_gate() -> None:
    bench = Bench()
    bench.order(0, bench.at(after_gate_ms=-400))
    outcome = decided(bench.open(bench.at(after_gate_ms=2_000)))
    assert outcome.tip.last_interval == FIRST_INTERVAL
    assert bench.at(after_gate_ms=2_000).cell_ns >= bench.calendar.trading_deadline_ns(FIRST_INTERVAL)


def test_after_the_last_interval_nothing_opens() -> None:
    bench = Bench()
    bench.ordering.last_interval = FIRST_INTERVAL
    bench.open(bench.at())
    assert bench.ordering.finished
    assert bench.open(bench.at(FIRST_INTERVAL + 1)) == []


def test_a_proposal_travels_with_its_block() -> None:
    bench, _ = proposers()
    steps = bench.open(bench.at())
    frames = [decode_frame(step.frame) for step in steps if isinstance(step, Broadcast)]
    (frame,) = [frame for frame in frames if isinstance(frame, ProposalFrame)]
    assert frame.block is not None


def other_view(bench: Bench, own: int) -> Bench:
    """The bench of another member of the same cell."""
    return Bench(4, (own + 1) % 4)


def proposal_of(bench: Bench) -> tuple[bytes, bytes]:
    """The envelope and the block that a bench proposes when it opens its height."""
    for step in bench.open(bench.at()):
        if isinstance(step, Broadcast) and isinstance(frame := decode_frame(step.frame), ProposalFrame):
            assert frame.block is not None, "it is small"
            return frame.envelope, frame.block
    raise AssertionError("nothing was proposed")


def test_a_fair_proposal_is_kept_and_prevoted() -> None:
    bench, own = proposers()
    other = other_view(bench, own)
    other.open(other.at())
    steps = other.act(other.ordering.proposal(*proposal_of(bench), other.at()), other.at())
    (vote,) = [step.vote for step in steps if isinstance(step, SignVote)]
    assert vote.block_id is not None and of(KeepBlock, steps)


def test_a_censored_order_is_answered_with_nil_and_a_reason() -> None:
    bench, own = proposers()
    other = other_view(bench, own)
    other.order(own, other.at(after_gate_ms=-400))
    other.open(other.at())
    steps = other.act(other.ordering.proposal(*proposal_of(bench), other.at()), other.at())
    assert [step.vote.block_id for step in steps if isinstance(step, SignVote)] == [None]
    assert any(isinstance(step, Report) and "left out" in str(step.fields["reason"]) for step in steps)


def test_entries_that_a_block_names_and_nobody_brought_are_asked_for() -> None:
    bench, own = proposers()
    signed = bench.order(own, bench.at(after_gate_ms=-400))
    other = other_view(bench, own)
    other.open(other.at())
    steps = other.ordering.proposal(*proposal_of(bench), other.at())
    assert of(WantEntries, steps)
    other.gathering.take([signed.envelope], other.at(after_gate_ms=290))
    other.gathering.store.commit()
    assert of(SignVote, other.ordering.retry(other.at()))


def test_without_its_block_a_proposal_is_heard_and_the_block_is_asked_for() -> None:
    bench, own = proposers()
    envelope, block = proposal_of(bench)
    other = other_view(bench, own)
    other.open(other.at())
    with pytest.raises(PeerError):
        other.ordering.proposal(envelope, block[:-1], other.at())
    assert of(WantBlock, other.ordering.proposal(envelope, None, other.at()))
    steps = other.act(other.ordering.pulled(decode_block(block), other.at()), other.at())
    assert of(SignVote, steps)


def test_a_forged_proposal_is_refused() -> None:
    bench, own = proposers()
    envelope, block = proposal_of(bench)
    other = other_view(bench, own)
    other.open(other.at())
    with pytest.raises(BadSignature):
        other.ordering.proposal(envelope[:-1] + bytes([envelope[-1] ^ 1]), block, other.at())


def test_a_certificate_without_a_quorum_is_refused_and_one_of_another_height_ignored() -> None:
    bench = Bench(4)
    bench.open(bench.at())
    empty = Certificate(1, 0, b"b" * 32, (None,) * 4)
    with pytest.raises(InvalidCertificate):
        bench.ordering.certificate(empty.encode(), bench.at())
    assert bench.ordering.certificate(replace(empty, height=9).encode(), bench.at()) == []


def test_a_height_planned_while_the_clock_was_behind_opens_when_it_is_planned_again() -> None:
    bench = Bench()
    gate = bench.at()
    behind = Now(gate.real_ns, gate.cell_ns - 24 * bench.calendar.interval_ns, SPEED)
    assert bench.open(behind) == []
    assert of(SignProposal, bench.open(gate))


def test_evidence_is_stored_once_and_frozen_by_the_next_block() -> None:
    bench = Bench(1)
    first = bench.order(0, bench.at(after_gate_ms=-400))
    other = author_entry(bench.own.feed, bench.cell_id, replace(first.entry, time_ns=2))
    evidence = Evidence.of_entries(first, other)
    assert of(StoreEvidence, bench.ordering.found(evidence))
    assert bench.ordering.found(evidence) == []
    outcome = decided(bench.open(bench.at()))
    assert outcome.tip.membership.members[0].frozen_at == 1
    assert bench.ordering.accusations.held == {}


def test_who_may_not_sign_yet_watches_and_votes_when_it_may() -> None:
    bench = Bench()
    bench.ordering.can_sign = False
    assert of(SignProposal, bench.open(bench.at())) == []
    steps = bench.act(bench.ordering.let_vote(bench.at(after_gate_ms=400)), bench.at(after_gate_ms=400))
    assert decided(steps).tip.height == 1
    assert bench.ordering.let_vote(bench.at(after_gate_ms=500)) == []


def test_a_decided_block_from_a_peer_is_followed() -> None:
    bench = Bench()
    outcome = decided(bench.open(bench.at()))
    behind = Bench()
    steps = behind.ordering.adopt(outcome.block, outcome.certificate, behind.at(after_gate_ms=600))
    assert decided(steps).tip.header_id == outcome.tip.header_id
    with pytest.raises(PeerError):
        behind.ordering.adopt(outcome.block, outcome.certificate, behind.at(after_gate_ms=600))


def test_a_vote_is_stored_once() -> None:
    bench = Bench(4)
    bench.open(bench.at())
    steps = bench.ordering.due(bench.at(after_gate_ms=1_400))
    votes = [step.vote for step in steps if isinstance(step, SignVote)]
    assert votes
    signed: SignedVote = sign_vote(bench.own.consensus, bench.cell_id, votes[0])
    first, second = (bench.ordering.vote(signed.envelope, bench.at(after_gate_ms=1_400)) for _ in range(2))
    assert len(of_stored(first)) == 1 and of_stored(second) == []


def of_stored(steps: list[Step[CellState]]) -> list[Step[CellState]]:
    return [step for step in steps if type(step).__name__ == "StoreVote"]
