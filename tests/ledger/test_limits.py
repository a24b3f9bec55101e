"""The caps leave room for the largest thing that honest members send, and the lists in them stay in memory."""

from dataclasses import replace

import pytest
from nacl.signing import SigningKey

from ledger.encoding import INT_BOUND, Value, encode
from ledger.limits import (
    ENTRY_BYTES,
    EVIDENCE_BYTES,
    HELD_ENTRIES,
    PROPOSAL_BYTES,
    REORDER_ENTRIES,
    SYNC_BYTES,
    VOTE_BYTES,
)
from ledger.membership.evidence import Evidence
from ledger.records.entries import Entry, author_entry
from ledger.records.votes import Proposal, Step, Vote
from ledger.signing import seal

GREATEST = INT_BOUND - 1
KEY = SigningKey(bytes(32))
CELL = bytes(32)


def test_the_largest_vote_and_proposal_fit() -> None:
    vote = Vote(GREATEST, GREATEST, Step.PRECOMMIT, bytes(32), GREATEST - 1, GREATEST)
    proposal = Proposal(GREATEST, GREATEST, GREATEST - 1, bytes(32), GREATEST)
    assert len(seal(vote.encode(), bytes(64))) <= VOTE_BYTES
    assert len(seal(proposal.encode(), bytes(64))) <= PROPOSAL_BYTES


def test_a_curve_of_32_steps_fits_an_entry_whatever_its_prices() -> None:
    steps: tuple[Value, ...] = tuple((-INT_BOUND, GREATEST) for _ in range(32))
    author = KEY.verify_key.encode()
    entry = Entry(author, GREATEST, GREATEST, bytes(32), GREATEST, GREATEST, GREATEST, (steps, ()))
    assert len(author_entry(KEY, CELL, entry).envelope) <= ENTRY_BYTES


def test_two_of_the_largest_entries_fit_one_proof() -> None:
    author = KEY.verify_key.encode()
    entry = Entry(author, 0, 1, bytes(32), 32, 1, 1, (bytes(800),))
    spare = ENTRY_BYTES - len(author_entry(KEY, CELL, entry).envelope)
    largest = [author_entry(KEY, CELL, replace(entry, payload=(bytes([n]) * (800 + spare),))) for n in (1, 2)]
    assert [len(signed.envelope) for signed in largest] == [ENTRY_BYTES, ENTRY_BYTES]
    assert len(Evidence.of_entries(*largest).encode()) <= EVIDENCE_BYTES


@pytest.mark.parametrize("held", [HELD_ENTRIES, REORDER_ENTRIES])
def test_what_is_held_for_one_member_stays_within_a_few_megabytes(held: int) -> None:
    assert held * ENTRY_BYTES <= 4 * SYNC_BYTES


def test_an_int_enumeration_is_encoded_as_its_number() -> None:
    assert encode((Step.PRECOMMIT,)) == encode((2,))
