"""Evidence convicts who signed two things for one place, and can convict nobody else."""

from dataclasses import replace
from hashlib import sha256

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nacl.signing import SigningKey

from ledger.encoding import Value, encode
from ledger.errors import InvalidEvidence, Malformed, PeerError
from ledger.limits import EVIDENCE_BYTES
from ledger.membership.evidence import Evidence
from ledger.membership.members import Membership
from ledger.records.entries import Entry, SignedEntry, author_entry
from ledger.records.genesis import FoundingMember, Genesis, Role, member_id
from ledger.records.votes import (
    Proposal,
    SignedProposal,
    SignedVote,
    Step,
    Vote,
    sign_proposal,
    sign_vote,
)
from ledger.signing import MessageType, sign

SIZE = 4
FEED_KEYS = [SigningKey(sha256(b"feed %d" % number).digest()) for number in range(SIZE)]
VOTE_KEYS = [SigningKey(sha256(b"vote %d" % number).digest()) for number in range(SIZE)]
GENESIS = Genesis(
    b"cell",
    0,
    0,
    (),
    tuple(
        FoundingMember(b"m%d" % n, feed_key.verify_key.encode(), vote_key.verify_key.encode(), int(Role.VALIDATOR))
        for n, (feed_key, vote_key) in enumerate(zip(FEED_KEYS, VOTE_KEYS, strict=True))
    ),
    (),
)  # fmt: skip
CELL = GENESIS.cell_id
MEMBERSHIP = Membership.founding(GENESIS)
IDS = [member_id(key.verify_key.encode()) for key in FEED_KEYS]
BLOCKS = [sha256(b"block %d" % number).digest() for number in range(3)]


def index_of(number: int) -> int:
    """The place of a member among the validators."""
    index = MEMBERSHIP.validators().index_of(VOTE_KEYS[number].verify_key.encode())
    assert index is not None
    return index


def entry(
    number: int, sequence: int = 1, incarnation: int = 0, note: int = 0, cell_id: bytes = CELL
) -> SignedEntry:
    previous = None if sequence == 0 else bytes(32)
    author = FEED_KEYS[number].verify_key.encode()
    fields = Entry(author, incarnation, sequence, previous, 32, 1, 1, (note,))
    return author_entry(FEED_KEYS[number], cell_id, fields)


def vote(
    number: int, block_id: bytes | None, *, height: int = 5, round_: int = 2, step: Step = Step.PREVOTE, valid: int = -1
) -> SignedVote:  # fmt: skip
    return sign_vote(VOTE_KEYS[number], CELL, Vote(height, round_, step, block_id, valid, index_of(number)))


def proposal(number: int, block_id: bytes, *, height: int | None = None, valid: int = -1) -> SignedProposal:
    """A proposal at a height at which it is this member's turn in round 2."""
    height = 4 * 3 + (index_of(number) - 2) % 4 if height is None else height
    return sign_proposal(VOTE_KEYS[number], CELL, Proposal(height, 2, valid, block_id, index_of(number)))


PROOFS = {
    "entries": Evidence.of_entries(entry(1), entry(1, note=1)),
    "first entries": Evidence.of_entries(entry(1, sequence=0), entry(1, sequence=0, note=1)),
    "prevotes": Evidence.of_votes(vote(1, BLOCKS[0]), vote(1, BLOCKS[1])),
    "prevote and nil": Evidence.of_votes(vote(1, BLOCKS[0]), vote(1, None)),
    "prevotes with other valid rounds": Evidence.of_votes(vote(1, BLOCKS[0], valid=0), vote(1, BLOCKS[0], valid=1)),
    "precommits": Evidence.of_votes(
        vote(1, BLOCKS[0], step=Step.PRECOMMIT), vote(1, BLOCKS[1], step=Step.PRECOMMIT)
    ),
    "proposals": Evidence.of_proposals(proposal(1, BLOCKS[0]), proposal(1, BLOCKS[1])),
    "proposals with other valid rounds": Evidence.of_proposals(
        proposal(1, BLOCKS[0]), proposal(1, BLOCKS[0], valid=0)
    ),
}  # fmt: skip
every_proof = pytest.mark.parametrize("proof", PROOFS.values(), ids=PROOFS.keys())


@every_proof
def test_two_conflicting_messages_convict_their_signer(proof: Evidence) -> None:
    assert proof.check(CELL, MEMBERSHIP) == IDS[1]


@every_proof
def test_evidence_survives_the_round_trip_within_its_size_cap(proof: Evidence) -> None:
    data = proof.encode()
    assert len(data) <= EVIDENCE_BYTES
    assert Evidence.decode(data) == proof


@every_proof
def test_a_frozen_member_can_still_be_convicted(proof: Evidence) -> None:
    assert proof.check(CELL, MEMBERSHIP.with_frozen([IDS[1]], 3)) == IDS[1]


@every_proof
def test_evidence_holds_in_its_own_cell_only(proof: Evidence) -> None:
    with pytest.raises(InvalidEvidence):
        proof.check(bytes(32), MEMBERSHIP)


@every_proof
def test_evidence_does_not_convict_who_is_no_member(proof: Evidence) -> None:
    others = Membership(tuple(member for member in MEMBERSHIP.members if member.id != IDS[1]))
    with pytest.raises(InvalidEvidence):
        proof.check(CELL, others)


@every_proof
@settings(max_examples=40)
@given(data=st.data())
def test_no_bit_of_evidence_can_change_and_still_convict(proof: Evidence, data: st.DataObject) -> None:
    encoded = bytearray(proof.encode())
    bit = data.draw(st.integers(0, 8 * len(encoded) - 1))
    encoded[bit // 8] ^= 1 << bit % 8
    with pytest.raises(PeerError):
        Evidence.decode(bytes(encoded)).check(CELL, MEMBERSHIP)


@every_proof
def test_two_messages_make_one_proof_whatever_their_order(proof: Evidence) -> None:
    with pytest.raises(ValueError, match="lesser comes first"):
        Evidence(proof.kind, proof.body_b, proof.signature_b, proof.body_a, proof.signature_a)
    with pytest.raises(ValueError, match="differ"):
        Evidence(proof.kind, proof.body_a, proof.signature_a, proof.body_a, proof.signature_a)


def test_the_order_of_the_messages_does_not_matter_to_the_makers() -> None:
    first, second = entry(1), entry(1, note=1)
    assert Evidence.of_entries(first, second) == Evidence.of_entries(second, first)


def test_messages_that_do_not_conflict_make_no_evidence() -> None:
    pairs_of_entries = [
        (entry(1), entry(2)),
        (entry(1), entry(1, 2)),
        (entry(1), entry(1, 1, 1)),
        (entry(1), entry(1)),
    ]
    for first_entry, second_entry in pairs_of_entries:
        with pytest.raises(ValueError, match="differ"):
            Evidence.of_entries(first_entry, second_entry)
    ours = vote(1, BLOCKS[0])
    others = [
        vote(2, BLOCKS[1]),
        vote(1, BLOCKS[1], height=6),
        vote(1, BLOCKS[1], round_=3),
        vote(1, BLOCKS[1], step=Step.PRECOMMIT),
        ours,
    ]
    for other in others:
        with pytest.raises(ValueError, match="differ"):
            Evidence.of_votes(ours, other)
    for other_proposal in (proposal(2, BLOCKS[1]), proposal(1, BLOCKS[1], height=1), proposal(1, BLOCKS[0])):
        with pytest.raises(ValueError, match="differ"):
            Evidence.of_proposals(proposal(1, BLOCKS[0]), other_proposal)


def forged(kind: MessageType, first: tuple[bytes, bytes], second: tuple[bytes, bytes]) -> Evidence:
    (body_a, signature_a), (body_b, signature_b) = sorted((first, second))
    return Evidence(kind, body_a, signature_a, body_b, signature_b)


@settings(max_examples=80)
@given(st.data())
def test_no_honest_member_can_be_accused_with_anything_it_signed(data: st.DataObject) -> None:
    """An honest member signs one entry per place and one message per step: no pair of them is a proof."""
    entries = [entry(1, sequence, incarnation) for incarnation in (0, 1) for sequence in (0, 1, 2)]
    votes = [
        vote(1, data.draw(st.sampled_from([None, *BLOCKS])), height=height, round_=round_, step=step)
        for height in (5, 6)
        for round_ in (0, 1)
        for step in (Step.PREVOTE, Step.PRECOMMIT)
    ]
    proposals = [proposal(1, data.draw(st.sampled_from(BLOCKS)), height=height) for height in (9, 13, 17)]
    messages: list[SignedEntry | SignedVote | SignedProposal] = [*entries, *votes, *proposals]
    signed = [(message.body, message.signature) for message in messages]
    first, second = data.draw(st.lists(st.sampled_from(signed), min_size=2, max_size=2, unique=True))
    for kind in (MessageType.ENTRY, MessageType.VOTE, MessageType.PROPOSAL):
        with pytest.raises(InvalidEvidence):
            forged(kind, first, second).check(CELL, MEMBERSHIP)


def test_nobody_can_sign_a_conflict_in_anothers_name() -> None:
    honest = entry(1)
    body = entry(1, note=1).body
    signature = sign(FEED_KEYS[2], MessageType.ENTRY, CELL, body)
    with pytest.raises(InvalidEvidence, match="would not be accepted"):
        forged(MessageType.ENTRY, (honest.body, honest.signature), (body, signature)).check(CELL, MEMBERSHIP)
    ours = vote(1, BLOCKS[0])
    theirs = Vote(5, 2, Step.PREVOTE, BLOCKS[1], -1, index_of(1)).encode()
    signature = sign(VOTE_KEYS[2], MessageType.VOTE, CELL, theirs)
    with pytest.raises(InvalidEvidence, match="do not conflict"):
        forged(MessageType.VOTE, (ours.body, ours.signature), (theirs, signature)).check(CELL, MEMBERSHIP)


def test_an_entry_of_another_cell_does_not_convict_its_author() -> None:
    """A member of two cells signs the same places in both."""
    here, there = entry(1), entry(1, note=1, cell_id=bytes(32))
    proof = forged(MessageType.ENTRY, (here.body, here.signature), (there.body, there.signature))
    with pytest.raises(InvalidEvidence):
        proof.check(CELL, MEMBERSHIP)


def test_a_rotated_feed_key_is_not_taken_for_another_member() -> None:
    rotated = Membership(
        tuple(replace(m, feed_key=bytes(32)) if m.id == IDS[1] else m for m in MEMBERSHIP.members)
    )
    with pytest.raises(InvalidEvidence, match="no member"):
        PROOFS["entries"].check(CELL, rotated)


@given(st.binary(max_size=300))
def test_arbitrary_bytes_are_no_evidence(data: bytes) -> None:
    with pytest.raises(Malformed):
        Evidence.decode(data)


PROOF = PROOFS["entries"]
FIELDS: tuple[Value, ...] = (1, b"entry", PROOF.body_a, PROOF.signature_a, PROOF.body_b, PROOF.signature_b)


@pytest.mark.parametrize(
    ("position", "value"),
    [(0, 2), (0, None), (1, b"header"), (1, b"genesis"), (1, b"nonsense"), (1, 5), (2, FIELDS[4]), (3, bytes(63)),
     (4, FIELDS[2]), (4, b""), (5, bytes(65)), (5, None)],
)  # fmt: skip
def test_evidence_with_a_wrong_field_is_malformed(position: int, value: Value) -> None:
    assert Evidence.decode(encode(FIELDS)) == PROOF
    with pytest.raises(Malformed):
        Evidence.decode(encode((*FIELDS[:position], value, *FIELDS[position + 1 :])))
