"""Votes, proposals and certificates: what passes and what is refused."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from nacl.signing import SigningKey

from ledger.encoding import encode
from ledger.errors import BadSignature, InvalidCertificate, InvalidVote, Malformed, PeerError
from ledger.limits import PROPOSAL_BYTES, VOTE_BYTES
from ledger.records.validators import ValidatorSet
from ledger.records.votes import (
    NO_ROUND,
    Certificate,
    Proposal,
    Step,
    Vote,
    decode_proposal,
    decode_vote,
    open_proposal,
    open_vote,
    sign_proposal,
    sign_vote,
)
from ledger.signing import MessageType, seal, sign

KEYS = [SigningKey(bytes([index]) * 32) for index in range(4)]
VALIDATORS = ValidatorSet(tuple(key.verify_key.encode() for key in KEYS))
CELL = b"cell".ljust(32, b".")
BLOCK = b"block".ljust(32, b".")
PREVOTE = Vote(7, 3, Step.PREVOTE, BLOCK, 2, 1)
PROPOSAL = Proposal(5, 0, NO_ROUND, BLOCK, 1)


def certificate(*indices: int) -> Certificate:
    precommits = {
        index: sign_vote(KEYS[index], CELL, Vote(7, 3, Step.PRECOMMIT, BLOCK, NO_ROUND, index)).signature
        for index in indices
    }
    return Certificate(7, 3, BLOCK, tuple(precommits.get(index) for index in range(4)))


def test_a_signed_vote_opens_to_itself() -> None:
    signed = sign_vote(KEYS[1], CELL, PREVOTE)
    assert open_vote(signed.envelope, CELL, VALIDATORS) == signed


def test_a_signed_proposal_opens_to_itself() -> None:
    signed = sign_proposal(KEYS[1], CELL, PROPOSAL)
    assert open_proposal(signed.envelope, CELL, VALIDATORS) == signed


def test_the_largest_vote_and_proposal_fit_their_limits() -> None:
    high = (1 << 63) - 1
    vote = Vote(high, high, Step.PREVOTE, BLOCK, high - 1, 65535)
    assert len(sign_vote(KEYS[0], CELL, vote).envelope) <= VOTE_BYTES
    proposal = Proposal(high, high, high - 1, BLOCK, 65535)
    assert len(sign_proposal(KEYS[0], CELL, proposal).envelope) <= PROPOSAL_BYTES


@given(
    st.integers(1, 1 << 62),
    st.integers(0, 1 << 62),
    st.sampled_from([Step.PREVOTE, Step.PRECOMMIT]),
    st.none() | st.binary(min_size=32, max_size=32),
    st.integers(0, 1000),
)
def test_a_vote_is_what_its_body_says(
    height: int, round_: int, step: Step, block_id: bytes | None, index: int
) -> None:
    vote = Vote(height, round_, step, block_id, NO_ROUND, index)
    assert decode_vote(vote.encode()) == vote


@given(st.integers(min_value=0), st.integers(0, 255))
def test_no_changed_byte_of_a_vote_passes(place: int, change: int) -> None:
    envelope = bytearray(sign_vote(KEYS[1], CELL, PREVOTE).envelope)
    before = bytes(envelope)
    envelope[place % len(envelope)] ^= change
    if bytes(envelope) == before:
        return
    with pytest.raises(PeerError):
        open_vote(bytes(envelope), CELL, VALIDATORS)


@given(st.binary(max_size=VOTE_BYTES + 10))
def test_garbage_is_refused_as_the_sender_s_fault(garbage: bytes) -> None:
    for open_message in (open_vote, open_proposal):
        with pytest.raises(PeerError):
            open_message(garbage, CELL, VALIDATORS)
    with pytest.raises(Malformed):
        Certificate.decode(garbage)


def test_a_vote_of_a_validator_outside_the_set_is_refused() -> None:
    with pytest.raises(InvalidVote, match="no validator 4"):
        open_vote(sign_vote(KEYS[1], CELL, replace(PREVOTE, validator=4)).envelope, CELL, VALIDATORS)
    with pytest.raises(InvalidVote, match="no validator -1"):
        open_vote(sign_vote(KEYS[1], CELL, replace(PREVOTE, validator=-1)).envelope, CELL, VALIDATORS)


def test_a_vote_signed_by_another_validator_or_for_another_cell_is_refused() -> None:
    with pytest.raises(BadSignature):
        open_vote(sign_vote(KEYS[2], CELL, PREVOTE).envelope, CELL, VALIDATORS)
    with pytest.raises(BadSignature):
        open_vote(sign_vote(KEYS[1], CELL, PREVOTE).envelope, b"x" * 32, VALIDATORS)


def test_a_vote_signed_as_another_type_of_message_is_refused() -> None:
    body = PREVOTE.encode()
    with pytest.raises(BadSignature):
        open_vote(seal(body, sign(KEYS[1], MessageType.PROPOSAL, CELL, body)), CELL, VALIDATORS)


def test_only_the_round_s_proposer_may_propose() -> None:
    wrong = sign_proposal(KEYS[2], CELL, replace(PROPOSAL, validator=2))
    with pytest.raises(InvalidVote, match="turn"):
        open_proposal(wrong.envelope, CELL, VALIDATORS)


@pytest.mark.parametrize(
    "vote",
    [
        replace(PREVOTE, height=0),
        replace(PREVOTE, round=-1, valid_round=NO_ROUND),
        replace(PREVOTE, valid_round=3),
        replace(PREVOTE, valid_round=-2),
        replace(PREVOTE, block_id=None),
        replace(PREVOTE, step=Step.PRECOMMIT),
        replace(PREVOTE, step=Step.PROPOSE),
        replace(PREVOTE, block_id=b"short"),
    ],
)
def test_a_senseless_vote_is_refused_though_its_signature_holds(vote: Vote) -> None:
    with pytest.raises(PeerError):
        open_vote(sign_vote(KEYS[1], CELL, vote).envelope, CELL, VALIDATORS)


@pytest.mark.parametrize("body", [encode(()), encode(1), encode((2, 7, 3, 1, BLOCK, 2, 1)), b""])
def test_a_body_of_another_shape_or_version_is_malformed(body: bytes) -> None:
    with pytest.raises(Malformed):
        decode_vote(body)
    with pytest.raises(Malformed):
        decode_proposal(body)


def test_a_certificate_with_a_quorum_holds_and_survives_its_encoding() -> None:
    for held in (certificate(0, 1, 3), certificate(0, 1, 2, 3)):
        held.check(CELL, VALIDATORS)
        assert Certificate.decode(held.encode()) == held
    assert certificate(0, 1, 3).signers == {0, 1, 3}


def test_a_certificate_below_the_quorum_is_refused() -> None:
    with pytest.raises(InvalidCertificate, match="2 signatures where 3"):
        certificate(0, 1).check(CELL, VALIDATORS)


def test_a_signature_cannot_stand_for_two_validators() -> None:
    held = certificate(0, 1)
    with pytest.raises(InvalidCertificate, match="validator 2"):
        replace(held, signatures=(*held.signatures[:2], held.signatures[1], None)).check(CELL, VALIDATORS)


def test_a_certificate_names_one_block_round_and_height() -> None:
    held = certificate(0, 1, 2)
    for other in (replace(held, height=8), replace(held, round=2), replace(held, block_id=b"x" * 32)):
        with pytest.raises(InvalidCertificate):
            other.check(CELL, VALIDATORS)
        assert other.hash() != held.hash()


def test_a_certificate_for_another_number_of_validators_is_refused() -> None:
    held = certificate(0, 1, 2)
    with pytest.raises(InvalidCertificate, match="3 places for 4"):
        replace(held, signatures=held.signatures[:3]).check(CELL, VALIDATORS)


@pytest.mark.parametrize(
    "value",
    [
        (1, 0, 0, BLOCK, ()),
        (1, 1, 0, b"short", ()),
        (1, 1, 0, BLOCK, (b"short",)),
        (1, 1, 0, BLOCK, None),
        (2, 1, 0, BLOCK, ()),
    ],
)
def test_a_certificate_of_another_shape_is_malformed(value: tuple[int | bytes | None, ...]) -> None:
    with pytest.raises(Malformed):
        Certificate.decode(encode(value))
