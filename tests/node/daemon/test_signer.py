"""The signer: never two words at one place, and the next entry chains to the last."""

import pytest

from ledger.errors import DoubleSign
from ledger.files.sign_guard import SignGuard, blank_guard
from ledger.files.write_ahead_log import WriteAheadLog
from ledger.heads import Head
from ledger.records.entries import open_entry
from ledger.records.votes import Proposal, Step, Vote
from node.daemon.signer import Signer
from node.events import SignEntry
from sim.cells.keys import Keys
from sim.simulated_disk import Power, SimulatedFile

KEYS = Keys.of(0)
CELL_ID = b"c" * 32
READING = SignEntry(33, 100, 5, (0, 5, 0))


def signer(guard: SimulatedFile | None = None) -> Signer:
    power = Power()
    file = SimulatedFile(power, blank_guard()) if guard is None else guard
    log = WriteAheadLog(SimulatedFile(power))
    return Signer(CELL_ID, KEYS.feed, KEYS.consensus, SignGuard(file), log)


def test_the_first_entry_begins_the_feed_and_the_next_chains_to_it() -> None:
    signing = signer()
    first = signing.entry(READING, None, 0)
    second = signing.entry(READING, Head(KEYS.member, 0, 0, first.id), 0)
    assert (first.entry.sequence, first.entry.previous) == (0, None)
    assert (second.entry.sequence, second.entry.previous) == (1, first.id)
    assert open_entry(second.envelope, CELL_ID) == second


def test_a_claimed_place_of_the_feed_is_never_signed_again() -> None:
    signing = signer()
    signing.claim(signing.entry(READING, None, 0))
    with pytest.raises(DoubleSign, match="entry 0 of incarnation 0"):
        signing.entry(READING, None, 0)


def test_a_new_incarnation_begins_at_its_beginning() -> None:
    signing = signer()
    signing.claim(signing.entry(READING, None, 0))
    assert signing.entry(READING, None, 1).entry.incarnation == 1


def test_a_claim_outlives_the_process() -> None:
    file = SimulatedFile(Power(), blank_guard())
    first = signer(file)
    first.claim(first.entry(READING, None, 0))
    with pytest.raises(DoubleSign):
        signer(file).entry(READING, None, 0)


def test_another_vote_for_a_step_is_refused_and_the_same_is_not() -> None:
    signing = signer()
    vote = Vote(3, 0, Step.PREVOTE, b"b" * 32, -1, 0)
    assert signing.vote(vote) == signing.vote(vote)
    with pytest.raises(DoubleSign):
        signing.vote(Vote(3, 0, Step.PREVOTE, None, -1, 0))


def test_a_proposal_after_a_vote_of_its_round_is_refused() -> None:
    signing = signer()
    signing.vote(Vote(3, 1, Step.PREVOTE, None, -1, 0))
    with pytest.raises(DoubleSign):
        signing.proposal(Proposal(3, 1, -1, b"b" * 32, 0))
    assert signing.proposal(Proposal(3, 2, -1, b"b" * 32, 0)).proposal.round == 2


def test_the_log_is_durable_before_a_vote_is_signed() -> None:
    signing = signer()
    signing.log.append(b"record")
    signing.vote(Vote(1, 0, Step.PREVOTE, None, -1, 0))
    assert not signing.log.dirty
