"""Algorithm 1 of arXiv 1807.04938 rule by rule; lines are named as there. Four validators, seen from number 0."""

from collections.abc import Iterable
from typing import TypeVar

import pytest
from nacl.signing import SigningKey

from ledger.agreement import Agreement
from ledger.agreement_events import (
    BlockChecked,
    Broadcast,
    CastProposal,
    CastVote,
    CheckBlock,
    Decide,
    Effect,
    Event,
    FoundEvidence,
    GetValue,
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
from ledger.agreement_records import encode_record, log_is_behind, read_records
from ledger.errors import Corrupt
from ledger.validators import ValidatorSet
from ledger.vote_tally import EARLY_MESSAGES, ROUNDS_AHEAD
from ledger.votes import NO_ROUND, Certificate, Proposal, SignedProposal, SignedVote, Step, Vote
from ledger.votes import sign_proposal as sign_own_proposal
from ledger.votes import sign_vote as sign_own_vote

KEYS = [SigningKey(bytes([index]) * 32) for index in range(4)]
VALIDATORS = ValidatorSet(tuple(key.verify_key.encode() for key in KEYS))
CELL = b"cell".ljust(32, b".")
A, B = b"block A".ljust(32, b"."), b"block B".ljust(32, b".")
TIMEOUTS = Timeouts(propose_ns=300, prevote_ns=100, precommit_ns=200, delta_ns=50, tick_ns=250)

PROPOSE, PREVOTE, PRECOMMIT = Step
T = TypeVar("T")


def vote(
    step: Step, index: int, block: bytes | None, round_: int = 0, *, height: int = 1, valid: int = NO_ROUND
) -> SignedVote:
    return sign_own_vote(KEYS[index], CELL, Vote(height, round_, step, block, valid, index))


def proposal(block: bytes, round_: int = 0, *, height: int = 1, valid: int = NO_ROUND) -> SignedProposal:
    index = VALIDATORS.proposer(height, round_)
    return sign_own_proposal(KEYS[index], CELL, Proposal(height, round_, valid, block, index))


def certificate(block: bytes, round_: int = 0) -> Certificate:
    precommits = [vote(PRECOMMIT, index, block, round_).signature for index in (1, 2, 3)]
    return Certificate(1, round_, block, (None, *precommits))


class Node:
    """The agreement of one validator, fed by hand; its own casts are signed and fed back."""

    def __init__(
        self, own: int | None = 0, *, can_sign: bool = True, records: tuple[Record, ...] = ()
    ) -> None:
        self.agreement = Agreement(TIMEOUTS)
        self.own = own
        self.now_ns = 1000
        self.seen: list[Effect] = []
        self.feed(StartHeight(1, VALIDATORS, own, can_sign, records))

    def feed(self, *events: Event) -> list[Effect]:
        """All effects of the events and of hearing oneself."""
        effects: list[Effect] = []
        for event in events:
            new = self.agreement.handle(event, self.now_ns)
            effects += new
            for cast in of(new, CastVote):
                signed = sign_own_vote(KEYS[cast.vote.validator], CELL, cast.vote)
                effects += self.feed(ReceivedVote(signed))
            for proposed in of(new, CastProposal):
                key = KEYS[proposed.proposal.validator]
                effects += self.feed(ReceivedProposal(sign_own_proposal(key, CELL, proposed.proposal)))
        self.seen += [effect for effect in effects if effect not in self.seen]
        return effects

    def hear(self, *messages: SignedVote | SignedProposal) -> list[Effect]:
        return self.feed(
            *(ReceivedVote(one) if isinstance(one, SignedVote) else ReceivedProposal(one) for one in messages)
        )

    def check(self, block: bytes, round_: int = 0, *, fresh: bool = True, valid: bool = True) -> list[Effect]:
        return self.feed(BlockChecked(1, round_, block, fresh, valid))

    def locked_on_a(self) -> "Node":
        """Round 0 ended with a lock on A here, and no decision."""
        self.hear(proposal(A))
        self.check(A)
        self.hear(vote(PREVOTE, 1, A), vote(PREVOTE, 2, A))
        self.hear(vote(PRECOMMIT, 1, None), vote(PRECOMMIT, 2, None))
        self.feed(TimeoutExpired(PRECOMMIT, 1, 0))
        assert self.agreement.round == 1
        return self


def of(effects: Iterable[Effect], kind: type[T]) -> list[T]:
    return [effect for effect in effects if isinstance(effect, kind)]


def votes_in(effects: Iterable[Effect]) -> list[tuple[Step, bytes | None]]:
    return [(cast.vote.step, cast.vote.block_id) for cast in of(effects, CastVote)]


# Lines 11 to 21


def test_the_proposer_asks_for_a_value_and_proposes_it() -> None:
    node = Node(own=1)
    assert of(node.seen, GetValue) == [GetValue(1, 0)]
    effects = node.feed(ValueReady(1, 0, A))
    assert of(effects, CastProposal) == [CastProposal(Proposal(1, 0, NO_ROUND, A, 1))]


def test_a_value_for_another_round_or_height_or_a_second_one_is_ignored() -> None:
    node = Node(own=1)
    assert node.feed(ValueReady(1, 1, A), ValueReady(2, 0, A)) == []
    node.feed(ValueReady(1, 0, A))
    assert of(node.feed(ValueReady(1, 0, B)), CastProposal) == []


def test_a_value_that_comes_after_our_prevote_is_ignored() -> None:
    node = Node(own=1)
    node.feed(TimeoutExpired(PROPOSE, 1, 0))
    assert of(node.feed(ValueReady(1, 0, A)), CastProposal) == []


def test_the_others_wait_for_a_proposal_and_longer_in_later_rounds() -> None:
    node = Node()
    assert of(node.seen, ScheduleTimeout) == [ScheduleTimeout(PROPOSE, 1, 0, 1300)]
    node.hear(vote(PREVOTE, 1, None, 2), vote(PREVOTE, 2, None, 2))
    assert of(node.seen, ScheduleTimeout)[-1] == ScheduleTimeout(PROPOSE, 1, 2, 1000 + 300 + 2 * 50)


def test_a_proposer_with_a_valid_value_proposes_it_again_with_its_round() -> None:
    node = Node().locked_on_a()
    effects = node.hear(vote(PREVOTE, 1, None, 3), vote(PREVOTE, 2, None, 3))
    assert of(effects, CastProposal) == [CastProposal(Proposal(1, 3, 0, A, 0))]
    assert of(effects, GetValue) == []


# Lines 22 to 33


def test_nothing_is_voted_for_before_the_block_is_judged() -> None:
    node = Node()
    effects = node.hear(proposal(A))
    assert of(effects, CheckBlock) == [CheckBlock(1, 0, A, fresh=True)]
    assert of(effects, RequestBlock) == [RequestBlock(1, A, (1,))]
    assert votes_in(effects) == []
    assert votes_in(node.check(A)) == [(PREVOTE, A)]


def test_a_bad_fresh_block_gets_a_prevote_for_nil() -> None:
    node = Node()
    node.hear(proposal(A))
    assert votes_in(node.check(A, valid=False)) == [(PREVOTE, None)]


def test_a_locked_validator_prevotes_nil_for_another_fresh_block_unseen() -> None:
    node = Node().locked_on_a()
    effects = node.hear(proposal(B, 1))
    assert votes_in(effects) == [(PREVOTE, None)]
    assert of(effects, CheckBlock) == []


def test_a_repeated_proposal_needs_the_quorum_it_names() -> None:
    node = Node().locked_on_a()
    node.feed(TimeoutExpired(PRECOMMIT, 1, 1))
    assert votes_in(node.hear(proposal(B, 2, valid=1))) == []
    node.hear(vote(PREVOTE, 1, B, 1), vote(PREVOTE, 2, B, 1))
    effects = node.hear(vote(PREVOTE, 3, B, 1))
    assert of(effects, CheckBlock) == [CheckBlock(1, 2, B, fresh=False)]
    effects = node.check(B, 2, fresh=False)
    assert of(effects, CastVote) == [CastVote(Vote(1, 2, PREVOTE, B, 1, 0))]


def test_a_lock_does_not_open_for_a_quorum_older_than_it() -> None:
    node = Node()
    node.hear(vote(PREVOTE, 1, None, 1), vote(PREVOTE, 2, None, 1), proposal(A, 1))
    node.check(A, 1)
    node.hear(vote(PREVOTE, 3, A, 1))
    node.hear(vote(PREVOTE, 1, B, 0), vote(PREVOTE, 2, B, 0), vote(PREVOTE, 3, B, 0))
    node = Node(records=(Vote(1, 1, PRECOMMIT, A, NO_ROUND, 0),))
    node.hear(vote(PREVOTE, 1, B, 0), vote(PREVOTE, 2, B, 0), vote(PREVOTE, 3, B, 0))
    node.feed(TimeoutExpired(PRECOMMIT, 1, 1))
    assert votes_in(node.hear(proposal(B, 2, valid=0))) == [(PREVOTE, None)]


# Lines 34 to 48


def test_a_divided_quorum_of_prevotes_starts_the_prevote_timeout_once() -> None:
    node = Node()
    node.feed(TimeoutExpired(PROPOSE, 1, 0))
    effects = node.hear(vote(PREVOTE, 1, A), vote(PREVOTE, 2, B))
    assert of(effects, ScheduleTimeout) == [ScheduleTimeout(PREVOTE, 1, 0, 1100)]
    assert of(node.hear(vote(PREVOTE, 3, A)), ScheduleTimeout) == []
    assert votes_in(node.feed(TimeoutExpired(PREVOTE, 1, 0))) == [(PRECOMMIT, None)]


def test_a_quorum_of_prevotes_locks_and_precommits() -> None:
    node = Node()
    node.hear(proposal(A))
    node.check(A)
    assert votes_in(node.hear(vote(PREVOTE, 1, A))) == []
    assert votes_in(node.hear(vote(PREVOTE, 2, A))) == [(PRECOMMIT, A)]


def test_a_quorum_locks_without_the_proposal_once_its_block_is_judged() -> None:
    node = Node()
    node.feed(TimeoutExpired(PROPOSE, 1, 0))
    effects = node.hear(vote(PREVOTE, 1, A), vote(PREVOTE, 2, A), vote(PREVOTE, 3, A))
    assert of(effects, CheckBlock) == [CheckBlock(1, 0, A, fresh=False)]
    assert votes_in(node.check(A, fresh=False)) == [(PRECOMMIT, A)]


def test_a_late_quorum_makes_a_valid_value_but_no_second_precommit() -> None:
    node = Node()
    node.feed(TimeoutExpired(PROPOSE, 1, 0))
    node.hear(vote(PREVOTE, 1, A), vote(PREVOTE, 2, None))
    node.feed(TimeoutExpired(PREVOTE, 1, 0))
    node.hear(vote(PREVOTE, 3, A, 0), vote(PREVOTE, 2, A, 0))
    assert votes_in(node.check(A, fresh=False)) == []
    effects = node.hear(vote(PREVOTE, 1, None, 3), vote(PREVOTE, 2, None, 3))
    assert of(effects, CastProposal) == [CastProposal(Proposal(1, 3, 0, A, 0))]


def test_a_quorum_for_nil_precommits_nil_at_once() -> None:
    node = Node()
    node.feed(TimeoutExpired(PROPOSE, 1, 0))
    assert votes_in(node.hear(vote(PREVOTE, 1, None), vote(PREVOTE, 2, None))) == [(PRECOMMIT, None)]


def test_a_quorum_of_precommits_starts_the_timeout_that_ends_the_round() -> None:
    node = Node()
    effects = node.hear(vote(PRECOMMIT, 1, A), vote(PRECOMMIT, 2, None), vote(PRECOMMIT, 3, None))
    assert of(effects, ScheduleTimeout) == [ScheduleTimeout(PRECOMMIT, 1, 0, 1200)]
    node.feed(TimeoutExpired(PRECOMMIT, 1, 0))
    assert (node.agreement.round, node.agreement.step) == (1, PROPOSE)


def test_timeouts_of_other_rounds_and_steps_change_nothing() -> None:
    node = Node()
    assert node.feed(TimeoutExpired(PREVOTE, 1, 0), TimeoutExpired(PROPOSE, 1, 1)) == []
    node.feed(TimeoutExpired(PROPOSE, 1, 0))
    assert node.feed(TimeoutExpired(PROPOSE, 1, 0), TimeoutExpired(PRECOMMIT, 2, 0)) == []


# Lines 49 to 56


def test_a_quorum_of_precommits_in_any_round_decides_with_a_certificate_that_holds() -> None:
    node = Node()
    node.hear(vote(PREVOTE, 1, None, 2), vote(PREVOTE, 2, None, 2))
    node.hear(vote(PRECOMMIT, 1, A), vote(PRECOMMIT, 2, A), vote(PRECOMMIT, 3, A))
    (decision,) = of(node.check(A, fresh=False), Decide)
    assert (decision.height, decision.round, decision.block_id) == (1, 0, A)
    decision.certificate.check(CELL, VALIDATORS)
    assert node.agreement.decided == decision.certificate


def test_an_unsound_block_is_never_decided() -> None:
    node = Node()
    node.hear(vote(PRECOMMIT, 1, A), vote(PRECOMMIT, 2, A), vote(PRECOMMIT, 3, A))
    assert of(node.check(A, fresh=False, valid=False), Decide) == []


def test_the_same_vote_three_times_is_one_vote() -> None:
    node = Node()
    repeated = vote(PRECOMMIT, 1, A)
    node.check(A, fresh=False)
    assert of(node.hear(repeated, repeated, repeated, vote(PRECOMMIT, 2, A)), Decide) == []


def test_two_validators_in_later_rounds_take_us_to_the_lower_of_them_and_one_does_not() -> None:
    node = Node()
    node.hear(vote(PREVOTE, 1, None, 9))
    assert node.agreement.round == 0
    node.hear(vote(PRECOMMIT, 2, None, 5))
    assert node.agreement.round == 5


def test_a_certificate_decides_once_its_block_is_there() -> None:
    node = Node()
    effects = node.feed(ReceivedCertificate(certificate(A)))
    assert of(effects, CheckBlock) == [CheckBlock(1, 0, A, fresh=False)]
    assert of(effects, RequestBlock) == [RequestBlock(1, A, (1, 2, 3))]
    assert of(node.check(A, fresh=False), Decide) == [Decide(1, 0, A, certificate(A))]


# Around the algorithm


def test_a_cast_is_logged_before_it_is_signed() -> None:
    effects = Node().feed(TimeoutExpired(PROPOSE, 1, 0))
    record = encode_record(Vote(1, 0, PREVOTE, None, NO_ROUND, 0))
    assert effects.index(Persist(record)) < effects.index(of(effects, CastVote)[0])


def test_questions_come_after_everything_that_must_happen_before_their_answers() -> None:
    node = Node()
    quorum = [vote(PRECOMMIT, index, A) for index in (1, 2, 3)]
    node.hear(proposal(B), *quorum[:2])
    node.feed(BlockChecked(1, 0, B, fresh=True, valid=False))
    for effects in (node.agreement.handle(ReceivedVote(quorum[2]), 1000),):
        kinds = [isinstance(effect, CheckBlock | RequestBlock | GetValue) for effect in effects]
        assert any(kinds)
        assert kinds == sorted(kinds)


def test_whoever_may_not_sign_casts_nothing_but_decides() -> None:
    for node in (Node(can_sign=False), Node(own=None)):
        node.hear(proposal(A))
        node.check(A)
        node.hear(*(vote(PREVOTE, index, A) for index in (1, 2, 3)))
        effects = node.hear(*(vote(PRECOMMIT, index, A) for index in (1, 2, 3)))
        assert len(of(effects, Decide)) == 1
        assert of(node.seen, CastVote) == of(node.seen, CastProposal) == []


def test_a_proposer_that_may_not_sign_is_not_asked_for_a_value() -> None:
    assert of(Node(own=1, can_sign=False).seen, GetValue) == []


def test_two_votes_for_one_step_are_evidence_once_and_count_once() -> None:
    node = Node()
    first, second = vote(PREVOTE, 1, A), vote(PREVOTE, 1, B)
    effects = node.hear(first, second, second, vote(PREVOTE, 1, None))
    assert of(effects, FoundEvidence) == [FoundEvidence(first, second)]
    node.feed(TimeoutExpired(PROPOSE, 1, 0))
    assert [one.at_ns for one in of(node.seen, ScheduleTimeout)] == [1300]


def test_two_proposals_for_one_round_are_evidence() -> None:
    first, second = proposal(A), proposal(B)
    assert of(Node().hear(first, second), FoundEvidence) == [FoundEvidence(first, second)]


def test_a_liar_s_second_vote_still_counts_for_a_block_that_needs_only_it() -> None:
    """Otherwise whoever heard it first would be locked alone, and nobody could see why."""
    node = Node()
    node.feed(TimeoutExpired(PROPOSE, 1, 0))
    node.hear(vote(PREVOTE, 3, None), vote(PREVOTE, 1, A), vote(PREVOTE, 2, A))
    effects = node.hear(vote(PREVOTE, 3, A))
    assert len(of(effects, FoundEvidence)) == 1
    assert of(effects, CheckBlock) == [CheckBlock(1, 0, A, fresh=False)]


def test_a_block_is_pulled_once_more_validators_name_it_than_can_be_faulty() -> None:
    node = Node()
    assert of(node.hear(vote(PREVOTE, 1, A)), RequestBlock) == []
    assert of(node.hear(vote(PREVOTE, 2, A)), RequestBlock) == [RequestBlock(1, A, (1, 2))]
    assert of(node.hear(vote(PRECOMMIT, 1, A), vote(PRECOMMIT, 2, A)), RequestBlock) == []


def test_a_tick_repeats_what_others_may_have_missed_and_asks_again_for_blocks() -> None:
    node = Node().locked_on_a()
    node.hear(proposal(B, 1))
    effects = node.feed(Tick(1))
    repeated = [
        one.message.content for one in of(effects, Broadcast) if not isinstance(one.message, Certificate)
    ]
    assert {(one.step, one.round) for one in repeated} == {
        (PROPOSE, 1),
        (PREVOTE, 1),
        (PREVOTE, 0),
        (PRECOMMIT, 0),
    }
    assert of(effects, ScheduleTick) == [ScheduleTick(1, 1250)]
    waiting = Node()
    waiting.hear(proposal(A))
    assert of(waiting.feed(Tick(1)), RequestBlock) == [RequestBlock(1, A, (1,))]


def test_a_repeated_message_need_not_be_verified_again() -> None:
    node = Node()
    signed = vote(PREVOTE, 1, A)
    assert node.agreement.known(signed.envelope) is None
    node.hear(signed)
    assert node.agreement.known(signed.envelope) == signed


def test_after_the_decision_a_latecomer_is_shown_the_certificate_once_per_tick() -> None:
    node = Node()
    node.feed(ReceivedCertificate(certificate(A)))
    node.check(A, fresh=False)
    late = vote(PREVOTE, 3, None)
    assert of(node.hear(late), Broadcast) == []
    assert of(node.hear(late, late), Broadcast) == [Broadcast(certificate(A))]
    node.now_ns += TIMEOUTS.tick_ns
    node.feed(StartHeight(2, VALIDATORS, 0, can_sign=True))
    assert of(node.hear(late), Broadcast) == [Broadcast(certificate(A))]
    assert node.feed(Tick(1)) == []


def test_votes_for_the_next_height_wait_for_it_and_a_flood_of_them_does_not_grow() -> None:
    node = Node()
    early = [vote(PREVOTE, 1, None, round_, height=2) for round_ in range(2 * EARLY_MESSAGES)]
    assert node.hear(*early, vote(PREVOTE, 2, A, height=3)) == []
    effects = node.feed(StartHeight(2, VALIDATORS, 0, can_sign=True))
    kept = [signed for signed in early if Persist(encode_record(signed)) in effects]
    assert kept == early[: ROUNDS_AHEAD + 1]


def test_early_votes_of_a_validator_that_has_left_are_dropped() -> None:
    node = Node()
    node.hear(vote(PREVOTE, 3, None, height=2))
    effects = node.feed(StartHeight(2, ValidatorSet(VALIDATORS.keys[:3]), 0, can_sign=True))
    assert of(effects, Persist) == []


def test_a_vote_far_ahead_is_not_kept() -> None:
    node = Node()
    assert node.hear(vote(PREVOTE, 1, None, ROUNDS_AHEAD + 1)) == []


def test_a_height_can_only_follow_a_lower_one() -> None:
    with pytest.raises(ValueError, match="does not follow"):
        Node().feed(StartHeight(1, VALIDATORS, 0, can_sign=True))


# Restarts


def persisted(node: Node) -> tuple[Record, ...]:
    return read_records([one.record for one in of(node.seen, Persist)], 1, CELL, VALIDATORS)


def test_a_restarted_validator_keeps_its_lock_and_its_round() -> None:
    node = Node().locked_on_a()
    again = Node(records=persisted(node))
    assert (again.agreement.round, again.agreement.step) == (0, PRECOMMIT)
    again.feed(TimeoutExpired(PRECOMMIT, 1, 0))
    assert votes_in(again.hear(proposal(B, 1))) == [(PREVOTE, None)]


def test_a_restarted_validator_casts_its_newest_vote_again_and_no_other() -> None:
    node = Node()
    node.hear(proposal(A))
    cast = of(node.check(A), CastVote)
    again = Node(records=persisted(node))
    assert of(again.seen, CastVote) == cast
    assert votes_in(again.feed(TimeoutExpired(PROPOSE, 1, 0))) == []


def test_a_restarted_proposer_proposes_the_same_again() -> None:
    node = Node(own=1)
    cast = of(node.feed(ValueReady(1, 0, A)), CastProposal)
    again = Node(own=1, records=persisted(node))
    assert of(again.seen, CastProposal) == cast
    assert of(again.seen, GetValue) == []
    assert of(again.feed(ValueReady(1, 0, B)), CastProposal) == []


def test_a_restarted_validator_that_may_not_sign_stays_silent_and_keeps_counting() -> None:
    node = Node()
    node.hear(vote(PRECOMMIT, 1, A), vote(PRECOMMIT, 2, A))
    again = Node(can_sign=False, records=persisted(node))
    again.hear(vote(PRECOMMIT, 3, A))
    assert len(of(again.check(A, fresh=False), Decide)) == 1
    assert of(again.seen, CastVote) == []


def test_what_a_log_must_still_hold_restores_the_same() -> None:
    node = Node().locked_on_a()
    short = read_records(node.agreement.records(), 1, CELL, VALIDATORS)
    again = Node(records=short)
    assert set(again.agreement.records()) >= set(node.agreement.records())


def test_records_of_other_heights_are_left_out_and_strange_ones_refused() -> None:
    other = [encode_record(vote(PREVOTE, 1, A, height=2)), encode_record(Vote(2, 0, PREVOTE, A, NO_ROUND, 0))]
    assert read_records(other, 1, CELL, VALIDATORS) == ()
    forged = encode_record(vote(PREVOTE, 1, A)).replace(A, B)
    for strange in (forged, b"\x82\x09\x40", b""):
        with pytest.raises(Corrupt):
            read_records([strange], 1, CELL, VALIDATORS)


def test_a_log_that_lacks_what_the_guard_knows_is_behind() -> None:
    cast = Vote(1, 2, PREVOTE, A, NO_ROUND, 0)
    assert not log_is_behind([cast], 1, (1, 2, PREVOTE))
    assert not log_is_behind([], 2, (1, 2, PREVOTE))
    assert log_is_behind([cast], 1, (1, 2, PRECOMMIT))
    assert log_is_behind([], 1, (1, 0, PROPOSE))
    assert log_is_behind([cast], 1, (2, 0, PROPOSE))
