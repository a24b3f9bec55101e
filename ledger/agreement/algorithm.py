"""The agreement: Tendermint's algorithm 1 (arXiv 1807.04938) as a pure state machine, one height at a time.

Events in, effects out (``ledger.agreement.events``); time is an argument, in monotonic ns. Every rule carries the
number of the line of algorithm 1 that it implements. It differs from the paper where the paper leaves the
transport open:

- Votes and proposals name a block by its id. The value v that lines 36 and 49 take from the proposal is here the
  block that a quorum names, pulled and judged by its id; the proposal itself may have been lost.
- A fresh proposal is judged for everything (``CheckBlock.fresh``), everything else only by determinism, so that
  a lock never becomes invalid by lateness. The verdict may come late; nothing is voted for before it.
- The proposer, too, runs the propose timeout, because its value may be late.
- Line 55 takes f+1 validators that reached a round or a later one, not only messages of that very round.
"""

from typing import assert_never

from ledger.agreement.block_verdicts import BlockVerdicts
from ledger.agreement.events import (
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
    Record,
    RequestBlock,
    ScheduleTick,
    ScheduleTimeout,
    StartHeight,
    Tick,
    TimeoutExpired,
    Timeouts,
    ValueReady,
)
from ledger.agreement.own_casts import OwnCasts
from ledger.agreement.records import encode_record
from ledger.agreement.standing import Standing
from ledger.agreement.vote_tally import ROUNDS_AHEAD, ROUNDS_BEHIND, EarlyMessages, HeightTally, RoundTally
from ledger.records.validators import ValidatorSet
from ledger.records.votes import NO_ROUND, Certificate, Proposal, SignedProposal, SignedVote, Step, Vote


class Agreement:
    """One validator's part: where it stands (``height``, ``round``, ``step``) and what it ``decided`` there."""

    def __init__(self, timeouts: Timeouts, last_height: int = 0) -> None:
        self.height = last_height
        self._timeouts = timeouts
        self._begun = False
        self._previous: Certificate | None = None
        self._now_ns = 0
        self._effects: list[Effect] = []
        self._questions: list[Effect] = []
        self._begin(ValidatorSet((b"",)), None)

    def _begin(self, validators: ValidatorSet, signer: int | None) -> None:
        """Lines 1 to 9, for one height; ``signer`` is our index if we may sign."""
        self.round = 0  # 3
        self.step = Step.PROPOSE  # 4
        self.decided: Certificate | None = None  # 5
        self._locked_block: bytes | None = None  # 6
        self._locked_round = NO_ROUND  # 7
        self._valid_block: bytes | None = None  # 8
        self._valid_round = NO_ROUND  # 9
        self._validators = validators
        self._signer = signer
        self._casts = OwnCasts()
        self._certificate: Certificate | None = None
        self._tally = HeightTally(validators)
        self._verdicts = BlockVerdicts()
        self._early = EarlyMessages()

    def handle(self, event: Event, now_ns: int) -> tuple[Effect, ...]:
        """Take one event at monotonic time ``now_ns``; the effects are to be carried out in order.

        Questions come last, so that the shell may feed their answers at once.
        """
        self._now_ns = now_ns
        self._effects, self._questions = [], []
        match event:
            case StartHeight():
                self._start_height(event)
            case ReceivedProposal(signed) | ReceivedVote(signed):
                self._hear(signed)
            case ReceivedCertificate(certificate):
                if certificate.height == self.height and self._certificate is None:
                    self._certificate = certificate
            case ValueReady(height, round_, block_id):
                self._propose_own(height, round_, block_id)
            case BlockChecked(height, round_, block_id, fresh, valid):
                if height == self.height:
                    self._verdicts.record(round_, block_id, fresh=fresh, valid=valid)
            case TimeoutExpired(step, height, round_):
                if (height, round_) == (self.height, self.round) and self._undecided:
                    self._time_out(step)
            case Tick(height):
                if height == self.height and self._undecided:
                    self._repeat()
            case _:
                assert_never(event)
        while self._undecided and self._apply_one_rule():
            pass
        return (*self._effects, *self._questions)

    def known(self, envelope: bytes) -> SignedProposal | SignedVote | None:
        """What already counts of this height and came as these bytes: feed it again, but verify it no more."""
        return self._tally.known(envelope)

    def records(self) -> tuple[bytes, ...]:
        """All that a log must still hold of this height: what to replace a log by that has grown too long."""
        return tuple(encode_record(record) for record in (*self._casts.all(), *self._tally.messages()))

    def answer(self, standing: Standing) -> tuple[Message, ...]:
        """What a peer with this standing lacks to follow us; nothing of ours changes."""
        here = self._begun and standing.height == self.height
        if here and self.decided is None:
            return standing.missing(self._worth_repeating())
        decided = (self.decided if here else self._previous,)
        return tuple(one for one in decided if one is not None and one.height == standing.height)

    # The rules of algorithm 1: each says whether it applied.

    def _apply_one_rule(self) -> bool:
        return (
            self._decide_on_quorum_of_precommits()
            or self._skip_to_round_of_others()
            or self._answer_fresh_proposal()
            or self._answer_repeated_proposal()
            or self._lock_on_quorum_of_prevotes()
            or self._precommit_nil_on_quorum_for_nil()
            or self._time_prevotes()
            or self._time_precommits()
        )

    def _start_round(self, round_: int) -> None:
        """Lines 11 to 21."""
        self.round = round_  # 12
        self.step = Step.PROPOSE  # 13
        self._tally.forget_rounds(self._keeps)
        self._casts.forget_rounds(self._keeps)
        self._schedule_timeout(Step.PROPOSE)  # 21, and for the proposer too
        if self._validators.proposer(self.height, round_) != self._signer:  # 14
            return
        if self._valid_block is None:
            self._questions.append(GetValue(self.height, round_))  # 18
        else:
            self._cast_proposal(self._valid_block, self._valid_round)  # 16, 19

    def _propose_own(self, height: int, round_: int, block_id: bytes) -> None:
        """Line 19, once the value of line 18 is there, if the round still waits for it."""
        here = self._undecided and (height, round_, Step.PROPOSE) == (self.height, self.round, self.step)
        ours = self._validators.proposer(height, round_) == self._signer
        if here and ours and not self._casts.has(round_, Step.PROPOSE):
            self._cast_proposal(block_id, NO_ROUND)

    def _answer_fresh_proposal(self) -> bool:
        """Lines 22 to 27."""
        proposal = self._proposal
        if self.step is not Step.PROPOSE or proposal is None or proposal.valid_round != NO_ROUND:  # 22
            return False
        if self._locked_block not in (None, proposal.block_id):  # 23
            self._prevote(None)  # 26
            return True
        good = self._judge(self.round, proposal.block_id, fresh=True)  # 23
        if good is None:
            return False
        self._prevote(proposal.block_id if good else None)  # 24, 26
        return True

    def _answer_repeated_proposal(self) -> bool:
        """Lines 28 to 33."""
        proposal = self._proposal
        if self.step is not Step.PROPOSE or proposal is None or proposal.valid_round == NO_ROUND:
            return False
        valid_round, block_id = proposal.valid_round, proposal.block_id
        if not self._tally.of(valid_round).has_quorum(Step.PREVOTE, block_id):  # 28
            return False
        if self._locked_round > valid_round and self._locked_block != block_id:  # 29
            self._prevote(None)  # 32
            return True
        good = self._judge(self.round, block_id, fresh=False)  # 29
        if good is None:
            return False
        self._prevote(block_id if good else None, valid_round if good else NO_ROUND)  # 30, 32
        return True

    def _time_prevotes(self) -> bool:
        """Line 34: a quorum prevoted, but not for one thing."""
        tally = self._current
        quorum = tally.has_quorum_of_any(Step.PREVOTE)
        if not quorum or self.step is not Step.PREVOTE or tally.prevote_timer_set:
            return False
        tally.prevote_timer_set = True
        self._schedule_timeout(Step.PREVOTE)  # 35
        return True

    def _lock_on_quorum_of_prevotes(self) -> bool:
        """Lines 36 to 43."""
        block_id = self._current.quorum_block(Step.PREVOTE)
        if block_id is None or self.step is Step.PROPOSE or self._current.quorum_seen:  # 36
            return False
        if not self._judge(self.round, block_id, fresh=False):  # 36
            return False
        self._current.quorum_seen = True
        self._valid_block, self._valid_round = block_id, self.round  # 42, 43
        if self.step is Step.PREVOTE:  # 37
            self._locked_block, self._locked_round = block_id, self.round  # 38, 39
            self._precommit(block_id)  # 40, 41
        return True

    def _precommit_nil_on_quorum_for_nil(self) -> bool:
        """Lines 44 to 46."""
        if self.step is not Step.PREVOTE or not self._current.has_quorum(Step.PREVOTE, None):  # 44
            return False
        self._precommit(None)  # 45, 46
        return True

    def _time_precommits(self) -> bool:
        """Line 47: a quorum precommitted, but not for one thing."""
        tally = self._current
        if tally.precommit_timer_set or not tally.has_quorum_of_any(Step.PRECOMMIT):
            return False
        tally.precommit_timer_set = True
        self._schedule_timeout(Step.PRECOMMIT)  # 48
        return True

    def _decide_on_quorum_of_precommits(self) -> bool:
        """Lines 49 to 54, in whatever round, from precommits or from a certificate."""
        heard = () if self._certificate is None else (self._certificate,)
        for certificate in (*heard, *self._tally.certificates(self.height)):
            if self._judge(certificate.round, certificate.block_id, fresh=False):  # 49, 50
                self.decided = certificate  # 51
                round_, block_id = certificate.round, certificate.block_id
                self._effects.append(Decide(self.height, round_, block_id, certificate))
                return True
        return False

    def _skip_to_round_of_others(self) -> bool:
        """Lines 55 and 56."""
        round_ = self._tally.round_of_some_honest()
        if round_ <= self.round:
            return False
        self._start_round(round_)
        return True

    def _time_out(self, step: Step) -> None:
        """Lines 57 to 67; height and round have been compared."""
        if step is Step.PROPOSE and self.step is Step.PROPOSE:  # 57, 58
            self._prevote(None)  # 59, 60
        elif step is Step.PREVOTE and self.step is Step.PREVOTE:  # 61, 62
            self._precommit(None)  # 63, 64
        elif step is Step.PRECOMMIT:  # 65, 66
            self._start_round(self.round + 1)  # 67

    # What the rules are made of.

    def _prevote(self, block_id: bytes | None, valid_round: int = NO_ROUND) -> None:
        self.step = Step.PREVOTE
        self._cast_vote(Step.PREVOTE, block_id, valid_round)

    def _precommit(self, block_id: bytes | None) -> None:
        self.step = Step.PRECOMMIT
        self._cast_vote(Step.PRECOMMIT, block_id, NO_ROUND)

    def _cast_vote(self, step: Step, block_id: bytes | None, valid_round: int) -> None:
        if self._signer is not None:
            self._cast(Vote(self.height, self.round, step, block_id, valid_round, self._signer))

    def _cast_proposal(self, block_id: bytes, valid_round: int) -> None:
        if self._signer is not None:
            self._cast(Proposal(self.height, self.round, valid_round, block_id, self._signer))

    def _cast(self, cast: Proposal | Vote) -> None:
        self._casts.add(cast)
        self._effects.append(Persist(encode_record(cast)))
        self._effects.append(CastVote(cast) if isinstance(cast, Vote) else CastProposal(cast))

    def _judge(self, round_: int, block_id: bytes, *, fresh: bool) -> bool | None:
        """valid(v) of the paper; None (and a question to the shell) while it is not known."""
        good = self._verdicts.is_good(round_, block_id, fresh=fresh)
        if good is None and self._verdicts.ask(round_, block_id, fresh=fresh):
            self._questions.append(CheckBlock(self.height, round_, block_id, fresh))
            self._request(block_id)
        return good

    def _schedule_timeout(self, step: Step) -> None:
        at_ns = self._now_ns + self._timeouts.of(step, self.round)
        self._effects.append(ScheduleTimeout(step, self.height, self.round, at_ns))

    @property
    def _current(self) -> RoundTally:
        return self._tally.of(self.round)

    @property
    def _proposal(self) -> Proposal | None:
        signed = self._current.proposal
        return None if signed is None else signed.proposal

    @property
    def _undecided(self) -> bool:
        return self._begun and self.decided is None

    def _keeps(self, round_: int) -> bool:
        """Near rounds, and those whose prevotes can open a lock, ours or another's, however old they are."""
        proposal = self._proposal
        asked = NO_ROUND if proposal is None else proposal.valid_round
        near = self.round - ROUNDS_BEHIND <= round_ <= self.round + ROUNDS_AHEAD
        return near or round_ in (self._locked_round, self._valid_round, asked)

    # Beginning a height, anew or from the log.

    def _start_height(self, event: StartHeight) -> None:
        if event.height <= self.height:
            raise ValueError(f"height {event.height} does not follow height {self.height}")
        follows = event.height == self.height + 1
        self._previous = self.decided if follows else None
        early = self._early.of(event.validators) if follows else []
        self.height, self._begun = event.height, True
        self._begin(event.validators, event.own_index if event.can_sign else None)
        self._effects.append(ScheduleTick(self.height, self._now_ns + self._timeouts.tick_ns))
        self._restore(event.records)
        for signed in early:
            self._hear(signed)

    def _restore(self, records: tuple[Record, ...]) -> None:
        """Take up where the log ends: own casts say how far we were and what we locked."""
        self._casts = OwnCasts(record for record in records if isinstance(record, Vote | Proposal))
        self._locked_block, self._locked_round = self._casts.lock()
        self._valid_block, self._valid_round = self._locked_block, self._locked_round
        for record in records:
            if isinstance(record, SignedVote | SignedProposal):
                self._tally.add(record)
        newest = self._casts.newest()
        if newest is None:
            self._start_round(0)
            return
        self.round, self.step = newest.round, newest.step
        if self.step is Step.PROPOSE:
            self._schedule_timeout(Step.PROPOSE)
        if self._signer is not None:
            self._cast(newest)  # it may never have been sent; the guard lets the same bytes pass again

    # Hearing, and helping others to hear.

    def _hear(self, signed: SignedProposal | SignedVote) -> None:
        height = signed.content.height
        if height == self.height + 1:
            self._early.keep(signed)
        elif height == self.height and self._begun:
            self._count(signed)

    def _count(self, signed: SignedProposal | SignedVote) -> None:
        if not self._keeps(signed.content.round):
            self._tally.note_round(signed)
            return
        heard = self._tally.add(signed)
        if heard.contradicts is not None:
            self._effects.append(FoundEvidence(heard.contradicts, signed))
        if heard.counted and self._undecided:
            self._effects.append(Persist(encode_record(signed)))
            self._request_block_of(signed)

    def _request_block_of(self, signed: SignedProposal | SignedVote) -> None:
        """Pull a block once f+1 votes name it: one of them is honest, so it exists."""
        block_id = signed.content.block_id
        if isinstance(signed, SignedProposal) or block_id is None or self._verdicts.is_known(block_id):
            return
        supporters = self._tally.of(signed.vote.round).supporters(signed.vote.step, block_id)
        if len(supporters) > self._validators.faults:
            self._verdicts.note_request(block_id)
            self._request(block_id)

    def _request(self, block_id: bytes) -> None:
        holders = self._tally.holders(block_id)
        if self._certificate is not None and self._certificate.block_id == block_id:
            holders |= self._certificate.signers
        self._questions.append(RequestBlock(self.height, block_id, tuple(sorted(holders))))

    def _repeat(self) -> None:
        """Say our own words again, and learn from a few peers what we missed: at most one proposal and 5k votes."""
        held = self._worth_repeating()
        self._effects += (Broadcast(one) for one in held if one.content.validator == self._signer)
        self._effects.append(Compare(Standing.of(self.height, held)))
        for block_id in self._verdicts.missing():
            self._request(block_id)
        self._effects.append(ScheduleTick(self.height, self._now_ns + self._timeouts.tick_ns))

    def _worth_repeating(self) -> list[SignedProposal | SignedVote]:
        return self._tally.worth_repeating(self.round, {self._locked_round, self._valid_round})
