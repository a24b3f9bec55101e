"""Fetching a snapshot from a peer: it arrives whole, and whatever else arrives ends with the declared error."""

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.chain.state_snapshot import take_snapshot
from ledger.encoding import encode
from ledger.errors import Malformed, PeerError
from ledger.limits import SNAPSHOT_PARTS, SYNC_BYTES
from ledger.store.archive import StoreArchive
from ledger.sync.replication import Kind, answer
from ledger.sync.snapshot_transfer import part_request, read_snapshot_reply, snapshot_request

PEER = b"p" * 32


@pytest.fixture
def served(cell, write_directory, tmp_path, monkeypatch):
    """A toy cell, and a peer's archive with snapshots of the blocks 1 and 3, in small parts."""
    monkeypatch.setattr("ledger.chain.state_snapshot.SNAPSHOT_PART_BYTES", 200)
    for _ in range(3):
        for index in range(4):
            cell.author(index)
        cell.decide()
    store = write_directory(cell, tmp_path)
    for height in (1, 3):
        block, certificate = cell.blocks[height - 1]
        store.put_snapshot(take_snapshot(cell.tips[height], cell.application, block.header, certificate, ()))
    store.commit()
    yield cell, StoreArchive(store, lambda block_id: None, lambda: cell.tip.epochs)
    store.close()


def begun(cell, reply, above=0):
    return read_snapshot_reply(PEER, reply, above, cell.cell_id, cell.tips[0].validators)


def whole(cell, archive, reply):
    """The tip, when a cover and the parts of the archive fit together."""
    fetch = begun(cell, reply)
    while not fetch.complete:
        fetch.take(len(fetch.parts), answer(part_request(3, len(fetch.parts)), archive))
    return fetch.finish(cell.genesis, cell.application)[0]


def test_a_snapshot_arrives_part_by_part_and_is_the_tip(served):
    cell, archive = served
    fetch = begun(cell, answer(snapshot_request(0), archive))
    assert (fetch.height, fetch.complete) == (3, False)
    while not fetch.complete:
        fetch.take(len(fetch.parts), answer(part_request(3, len(fetch.parts)), archive))
    assert len(fetch.parts) > 2
    tip, snapshot = fetch.finish(cell.genesis, cell.application)
    assert tip == cell.tip
    assert snapshot.cover == archive.snapshot_part(3, 0)


def test_who_has_none_above_a_height_says_so(served):
    cell, archive = served
    assert begun(cell, answer(snapshot_request(3), archive), above=3) is None
    assert answer(part_request(2, 0), archive) == encode((Kind.PART, None))
    assert answer(part_request(3, SNAPSHOT_PARTS - 1), archive) == encode((Kind.PART, None))


@pytest.mark.parametrize(
    "request_",
    [(5,), (5, -1), (5, None), (6, 3), (6, 0, 0), (6, 3, -1), (6, 3, SNAPSHOT_PARTS), (6, b"3", 0), (7, 1)],
)
def test_what_is_no_request_is_refused(served, request_):
    with pytest.raises(Malformed):
        answer(encode(request_), served[1])


def test_a_snapshot_that_is_not_above_what_was_asked_for_is_refused(served):
    cell, archive = served
    with pytest.raises(Malformed, match="above"):
        begun(cell, answer(snapshot_request(0), archive), above=3)


def test_another_part_than_the_next_is_refused(served):
    cell, archive = served
    fetch = begun(cell, answer(snapshot_request(0), archive))
    second = answer(part_request(3, 1), archive)
    for index, reply in ((0, second), (1, second), (0, encode((Kind.PART, None))), (0, b"")):
        with pytest.raises(Malformed):
            fetch.take(index, reply)
    assert fetch.parts == []


def test_a_reply_with_flipped_bytes_ends_with_the_declared_error(served):
    cell, archive = served
    sound, random = answer(snapshot_request(0), archive), Random(2)
    part = answer(part_request(3, 0), archive)
    for position in range(len(sound)):
        changed = bytearray(sound)
        changed[position] ^= 1 << random.randrange(8)
        with pytest.raises(PeerError):
            whole(cell, archive, bytes(changed))
    fetch = begun(cell, sound)
    for position in range(len(part)):
        changed = bytearray(part)
        changed[position] ^= 1 << random.randrange(8)
        with pytest.raises(PeerError):
            fetch.take(0, bytes(changed))


@given(st.binary(max_size=200), st.integers(-1, 9))
def test_whatever_arrives_only_the_declared_error_comes_out(cell_of_one, data, above):
    for reply in (data, encode((Kind.SNAPSHOT, data)), encode((Kind.PART, data))):
        try:
            begun(cell_of_one, reply, above)
        except PeerError:
            continue


def test_an_endless_reply_is_refused_by_its_size(cell):
    with pytest.raises(Malformed):
        begun(cell, bytes(SYNC_BYTES + 1))


@pytest.fixture(scope="module")
def cell_of_one(new_cell_class):
    return new_cell_class(size=1)
