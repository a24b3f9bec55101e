"""Algorithm 1 of arXiv 1807.04938 rule by rule; lines are named as there."""

from agreement_driver import (
    CELL,
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
    votes_in,
)

from ledger.agreement.events import (
    CastProposal,
    CastVote,
    CheckBlock,
    Decide,
    GetValue,
    ReceivedCertificate,
    RequestBlock,
    ScheduleTimeout,
    TimeoutExpired,
    ValueReady,
)
from ledger.records.votes import NO_ROUND, Proposal, Vote

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
