"""Restarts: what the log brings back, and what it must never let happen."""

import pytest
from agreement_driver import (
    CELL,
    PRECOMMIT,
    PREVOTE,
    PROPOSE,
    VALIDATORS,
    A,
    B,
    Node,
    of,
    persisted,
    proposal,
    vote,
    votes_in,
)

from ledger.agreement.events import (
    CastProposal,
    CastVote,
    Decide,
    GetValue,
    TimeoutExpired,
    ValueReady,
)
from ledger.agreement.records import encode_record, log_is_behind, read_records
from ledger.errors import Corrupt
from ledger.records.votes import NO_ROUND, Vote


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


def test_a_restarted_validator_is_in_the_round_that_others_had_reached() -> None:
    """What its log holds of a later round is not heard again, so nothing else would ever bring it there."""
    node = Node()
    node.hear(proposal(A))
    node.check(A)
    node.hear(vote(PREVOTE, 1, A, round_=2), vote(PREVOTE, 2, A, round_=2))
    assert node.agreement.round == 2
    assert Node(records=persisted(node)).agreement.round == 2


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
