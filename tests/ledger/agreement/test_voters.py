"""Votes around a change of validators: each is opened, and found again, by the validators of its own height."""

from ledger.agreement.voters import voters_of
from ledger.records.changes import Remove
from ledger.records.rows import VoteRow
from ledger.records.votes import Step, Vote, open_vote, sign_vote
from ledger.store.archive import StoreArchive
from ledger.store.store import Store


def _vote(cell, number, height):
    """A vote of a member with its index at that height."""
    key = cell.consensus_keys[number]
    index = cell.tip.validators_at(height).index_of(key.verify_key.encode())
    return sign_vote(key, cell.cell_id, Vote(height, 0, Step.PREVOTE, None, -1, index))


def _shrunk(cell):
    """One of the four leaves; the tip is the one before the first block that the others decide."""
    leaver = cell.ids.index(min(cell.ids))
    cell.announce(Remove(cell.ids[leaver]), by=(leaver + 1) % 4)
    cell.decide()
    return leaver


def test_a_vote_is_opened_by_the_validators_of_its_height(cell):
    leaver = _shrunk(cell)
    stays = (leaver + 1) % 4
    for height in (2, 3):
        signed = _vote(cell, stays, height)
        assert open_vote(signed.envelope, cell.cell_id, voters_of(cell.tip, signed.envelope)) == signed
    late = _vote(cell, stays, 2)
    cell.decide()
    assert cell.tip.validators.size == 3
    assert open_vote(late.envelope, cell.cell_id, voters_of(cell.tip, late.envelope)) == late
    for _ in range(3):
        cell.decide()
    signed = _vote(cell, stays, cell.tip.height + 1)
    assert open_vote(signed.envelope, cell.cell_id, voters_of(cell.tip, signed.envelope)) == signed


def test_the_last_vote_of_a_key_is_found_although_its_index_was_anothers_before(cell, tmp_path):
    leaver = _shrunk(cell)
    cell.decide()
    store = Store.open(tmp_path / "ledger.sqlite", cell.cell_id, create=True)
    archive = StoreArchive(store, lambda _: None, lambda: cell.tip.epochs)
    votes = {number: _vote(cell, number, 2) for number in range(4)}
    votes |= {
        number: _vote(cell, number, 3) for number in range(4) if number not in (leaver, (leaver + 1) % 4)
    }
    for signed in votes.values():
        content = signed.vote
        store.put_vote(VoteRow(content.height, 0, int(content.step), content.validator, signed.envelope))
    store.commit()
    for number, signed in votes.items():
        key = cell.consensus_keys[number].verify_key.encode()
        assert archive.last_words(cell.ids[number], key)[1] == signed.envelope
    store.close()
