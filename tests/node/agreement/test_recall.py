"""Recall: nobody signs before enough peers know nothing newer of it than it does itself."""

import pytest
from nacl.signing import SigningKey

from ledger.records.entries import Entry, SignedEntry, author_entry
from ledger.records.votes import Proposal, Step, Vote
from ledger.sync.replication import Recalled
from node.agreement.recall import Recall, Remembered

KEY = SigningKey(b"k" * 32)
PUBLIC = KEY.verify_key.encode()
REMEMBERED = Remembered(feed=(1, 4), vote=(9, 0, int(Step.PREVOTE)))
BLANK = Remembered(feed=None, vote=None)


def entry(incarnation: int, sequence: int) -> SignedEntry:
    previous = b"p" * 32 if sequence else None
    return author_entry(
        KEY, b"c" * 32, Entry(KEY.verify_key.encode(), incarnation, sequence, previous, 32, 1, 1, ())
    )


def vote(height: int, round_: int, step: Step) -> Vote:
    return Vote(height, round_, step, None, -1, 0)


def hear(recalled: Recalled, remembered: Remembered = REMEMBERED) -> str | None:
    return Recall(1, PUBLIC).hear(b"a", recalled, remembered)


def test_enough_peers_that_know_nothing_newer_let_it_sign() -> None:
    recall = Recall(2, PUBLIC)
    for peer, done in ((b"a", False), (b"a", False), (b"b", True)):
        assert recall.hear(peer, Recalled(3, entry(1, 4), vote(9, 0, Step.PREVOTE), None), REMEMBERED) is None
        assert recall.done is done


def test_alone_in_its_cell_it_waits_for_nobody() -> None:
    assert Recall(0, PUBLIC).done


@pytest.mark.parametrize("held", [entry(1, 5), entry(2, 0)])
def test_an_entry_that_it_does_not_remember_stops_it(held: SignedEntry) -> None:
    forgotten = hear(Recalled(3, held, None, None))
    assert forgotten is not None and f"incarnation {held.entry.incarnation}" in forgotten


@pytest.mark.parametrize(
    "held", [vote(9, 0, Step.PRECOMMIT), vote(9, 1, Step.PREVOTE), vote(10, 0, Step.PREVOTE)]
)
def test_a_vote_that_it_does_not_remember_stops_it(held: Vote) -> None:
    forgotten = hear(Recalled(3, None, held, None))
    assert forgotten is not None and f"height {held.height}" in forgotten


def test_what_another_signs_with_a_key_that_it_gave_up_does_not_stop_it() -> None:
    """Seed 360 of the search: a thief with the old key silenced a member that had rotated it."""
    recall = Recall(1, SigningKey(b"n" * 32).verify_key.encode())
    assert recall.hear(b"a", Recalled(3, entry(1, 5), None, None), REMEMBERED) is None
    assert recall.done


def test_a_proposal_that_it_does_not_remember_stops_it() -> None:
    assert hear(Recalled(3, None, None, Proposal(10, 0, -1, b"b" * 32, 0))) is not None


def test_who_remembers_nothing_is_stopped_by_anything() -> None:
    assert hear(Recalled(0, entry(0, 0), None, None), BLANK) is not None
    assert hear(Recalled(0, None, vote(1, 0, Step.PREVOTE), None), BLANK) is not None
    assert hear(Recalled(0, None, None, None), BLANK) is None


def test_a_peer_that_shows_something_forgotten_does_not_count_as_confirming() -> None:
    recall = Recall(1, PUBLIC)
    recall.hear(b"a", Recalled(0, entry(0, 0), None, None), BLANK)
    assert not recall.done
