"""Around algorithm 1: order of effects, evidence, repetition, latecomers, early messages."""

import pytest
from agreement_driver import (
    PRECOMMIT,
    PREVOTE,
    PROPOSE,
    VALIDATORS,
    A,
    B,
    Node,
    certificate,
    of,
    proposal,
    vote,
)

from ledger.agreement.events import (
    BlockChecked,
    Broadcast,
    CastProposal,
    CastVote,
    CheckBlock,
    Compare,
    Decide,
    FoundEvidence,
    GetValue,
    Persist,
    ReceivedCertificate,
    ReceivedVote,
    RequestBlock,
    ScheduleTick,
    ScheduleTimeout,
    StartHeight,
    Tick,
    TimeoutExpired,
)
from ledger.agreement.records import encode_record
from ledger.agreement.standing import Standing
from ledger.agreement.vote_tally import EARLY_MESSAGES, ROUNDS_AHEAD
from ledger.records.validators import ValidatorSet
from ledger.records.votes import NO_ROUND, Certificate, Vote


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


def test_a_tick_repeats_our_own_words_compares_notes_and_asks_again_for_blocks() -> None:
    node = Node().locked_on_a()
    node.hear(proposal(B, 1))
    effects = node.feed(Tick(1))
    repeated = [
        one.message.content for one in of(effects, Broadcast) if not isinstance(one.message, Certificate)
    ]
    assert {(one.step, one.round) for one in repeated} == {(PREVOTE, 1), (PREVOTE, 0), (PRECOMMIT, 0)}
    assert {one.validator for one in repeated} == {0}
    (compared,) = of(effects, Compare)
    assert node.agreement.answer(compared.standing) == ()
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


def test_whoever_lacks_something_is_answered_with_just_that() -> None:
    node = Node().locked_on_a()
    node.hear(proposal(B, 1))
    (compared,) = of(node.feed(Tick(1)), Compare)
    everything = node.agreement.answer(Standing(1, frozenset()))
    assert {
        (one.content.step, one.content.round) for one in everything if not isinstance(one, Certificate)
    } == {
        (PROPOSE, 1),
        (PREVOTE, 1),
        (PREVOTE, 0),
        (PRECOMMIT, 0),
    }
    assert len(everything) == len(compared.standing.held)
    lacking = next(one for one in everything if not isinstance(one, Certificate))
    others = [one for one in everything if one is not lacking and not isinstance(one, Certificate)]
    assert node.agreement.answer(Standing.of(1, others)) == (lacking,)
    assert (
        node.agreement.answer(Standing(2, frozenset()))
        == node.agreement.answer(Standing(7, frozenset()))
        == ()
    )


def test_after_the_decision_a_latecomer_is_answered_with_the_certificate() -> None:
    node = Node()
    node.feed(ReceivedCertificate(certificate(A)))
    node.check(A, fresh=False)
    late = Standing(1, frozenset())
    assert node.agreement.answer(late) == (certificate(A),)
    assert node.hear(vote(PREVOTE, 3, None)) == []
    node.feed(StartHeight(2, VALIDATORS, 0, can_sign=True))
    assert node.agreement.answer(late) == (certificate(A),)
    assert node.agreement.answer(Standing(2, frozenset())) == ()
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
