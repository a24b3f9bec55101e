"""The store: group commit whole or not at all, idempotent rows, and declared errors for what disks do."""

import shutil
import sqlite3

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ledger.errors import Corrupt, MissingEntries
from ledger.files.errors import (
    NotALedger,
    StorageFull,
    StorageLocked,
    StorageReadOnly,
    StorageUnavailable,
)
from ledger.heads import Head
from ledger.records.rows import VoteRow
from ledger.store.store import Store


@pytest.fixture
def path(tmp_path):
    return tmp_path / "ledger.sqlite"


@pytest.fixture
def store(cell, path):
    store = Store.open(path, cell.cell_id, create=True)
    yield store
    store.close()


def _reopened(store):
    store.close()
    return Store.open(store.path, store.cell_id)


def test_what_was_committed_is_read_back_after_reopening(cell, store):
    for _ in range(3):
        store.append(cell.ids[1], cell.author(1), 9)
    block = cell.decide()
    block_id = block.block_id(cell.cell_id)
    certificate = cell.blocks[0][1].encode()
    store.put_block(1, block_id, block.encode(), certificate)
    low, high = VoteRow(1, 0, 1, 2, b"low"), VoteRow(1, 0, 2, 2, b"high")
    for row in (high, low, VoteRow(1, 0, 0, 2, b"proposal")):
        store.put_vote(row)
    store.put_evidence(b"proof")
    assert store.pending == 8
    store.commit()
    assert store.pending == 0
    store = _reopened(store)
    assert store.entries(cell.ids[1], 0, 0, 2) == cell.feeds[cell.ids[1]][1:]
    assert store.envelopes(cell.ids[1], 0, -1, 2) == [s.envelope for s in cell.feeds[cell.ids[1]][:2]]
    assert store.heads() == (cell.head(1),)
    assert store.last_envelope(cell.ids[1]) == cell.feeds[cell.ids[1]][-1].envelope
    assert (store.first_seen(cell.ids[1], 0, 1), store.first_seen(cell.ids[1], 0, 3)) == (9, None)
    assert (store.height(), store.block_height(block_id), store.block_height(b"")) == (1, 1, None)
    assert store.block(1).block == block.encode()
    assert store.block(1).certificate == certificate
    assert store.block(2) is None
    assert store.votes(1)[1:] == [low, high]
    assert store.last_vote(2) == high
    assert store.last_vote(2, proposal=True).envelope == b"proposal"
    assert store.last_vote(3) is None
    assert store.evidence() == [b"proof"]
    store.close()


def test_what_was_not_committed_is_gone_after_reopening(cell, store):
    store.append(cell.ids[1], cell.author(1), 9)
    store = _reopened(store)
    assert store.heads() == ()
    store.close()


def test_missing_entries_are_named(cell, store):
    store.append(cell.ids[1], cell.author(1), 9)
    store.commit()
    assert store.entries(cell.ids[1], 0, 0, 0) == []
    with pytest.raises(MissingEntries) as caught:
        store.entries(cell.ids[1], 0, -1, 1)
    assert caught.value.wanted == (Head(cell.ids[1], 0, 1, b""),)


def test_heads_are_those_of_the_highest_incarnation(cell, store):
    for fields in ({}, {}, {"incarnation": 1, "sequence": 0, "previous": None}):
        store.append(cell.ids[2], cell.author(2, **fields), 9)
    store.append(cell.ids[0], cell.author(0), 9)
    store.commit()
    assert store.heads() == tuple(sorted((cell.head(0), cell.head(2)), key=lambda head: head.member))
    assert (store.last_sequence(cell.ids[2], 0), store.last_sequence(cell.ids[2], 2)) == (1, -1)


def test_storing_the_same_again_changes_nothing(cell, store):
    signed = cell.author(0)
    for first_seen_ns in (5, 6):
        store.append(cell.ids[0], signed, first_seen_ns)
        store.put_block(1, b"i", b"b", b"c")
        store.put_evidence(b"proof")
        store.put_vote(VoteRow(1, 0, 1, 0, b"v"))
        store.commit()
    assert store.first_seen(cell.ids[0], 0, 0) == 5
    assert (len(store.votes(1)), len(store.evidence())) == (1, 1)


def test_another_content_at_a_taken_place_is_refused_with_its_whole_group(cell, store):
    store.append(cell.ids[0], cell.sign(0, payload=(1,)), 5)
    store.put_block(1, b"id", b"block", b"certificate")
    store.commit()
    store.put_block(2, b"new", b"block", b"certificate")
    store.append(cell.ids[0], cell.sign(0, payload=(2,)), 5)
    with pytest.raises(Corrupt, match=cell.ids[0].hex()):
        store.commit()
    assert store.height() == 1
    assert store.pending == 2
    other = _reopened(store)
    other.put_block(1, b"other", b"block", b"certificate")
    with pytest.raises(Corrupt, match="key 1 "):
        other.commit()
    other.close()


def test_conflicting_votes_are_both_kept(store):
    for envelope in (b"one", b"other"):
        store.put_vote(VoteRow(3, 1, 2, 0, envelope))
    store.commit()
    assert len(store.votes(3)) == 2


def test_a_decided_branch_replaces_the_one_held(cell, store):
    root = cell.author(0)
    held = [cell.author(0, payload=(1,)), cell.author(0, payload=(2,))]
    for signed in (root, *held):
        store.append(cell.ids[0], signed, 5)
    store.commit()
    del cell.feeds[cell.ids[0]][1:]
    decided = cell.author(0, payload=(3,))
    store.adopt(cell.ids[0], [decided], 8)
    assert store.entries(cell.ids[0], 0, -1, 1) == [root, decided]
    assert store.heads() == (cell.head(0),)


def test_a_full_disk_is_named_and_loses_nothing_that_was_committed(cell, store):
    store.append(cell.ids[0], cell.author(0), 5)
    store.commit()
    (pages,) = store._connection.execute("PRAGMA page_count").fetchone()
    store._connection.execute(f"PRAGMA max_page_count = {pages}")
    for _ in range(100):
        store.append(cell.ids[1], cell.author(1, payload=(bytes(500),)), 5)
    with pytest.raises(StorageFull, match="free space"):
        store.commit()
    assert store.heads() == (cell.head(0),)
    assert store.pending == 100
    store._connection.execute(f"PRAGMA max_page_count = {pages + 100}")
    store.commit()
    assert len(store.heads()) == 2


def test_a_read_only_database_is_named(cell, store):
    store._connection.execute("PRAGMA query_only = ON")
    store.append(cell.ids[0], cell.author(0), 5)
    with pytest.raises(StorageReadOnly, match="allow"):
        store.commit()


def test_a_read_only_file_is_refused_at_opening(cell, store, monkeypatch):
    store.close()
    connect = sqlite3.connect
    monkeypatch.setattr(
        "ledger.store.store_file.sqlite3.connect",
        lambda path, **options: connect(f"file:{path}?mode=ro", uri=True, **options),
    )
    with pytest.raises(StorageReadOnly, match="allow"):
        Store.open(store.path, cell.cell_id)


def test_a_database_that_another_program_locks_is_named(cell, store):
    store._connection.execute("PRAGMA busy_timeout = 0")
    other = sqlite3.connect(store.path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    store.append(cell.ids[0], cell.author(0), 5)
    with pytest.raises(StorageLocked, match="other program"):
        store.commit()
    other.close()
    store.commit()
    assert store.heads() == (cell.head(0),)


def test_what_is_no_ledger_of_this_cell_is_refused(cell, store, tmp_path):
    with pytest.raises(NotALedger, match="another cell"):
        Store.open(store.path, bytes(32))
    with pytest.raises(NotALedger, match="no ledger"):
        Store.open(tmp_path / "none.sqlite", cell.cell_id)
    (tmp_path / "text.sqlite").write_text("a text that is long enough to be read as a header of a file" * 9)
    with pytest.raises(NotALedger):
        Store.open(tmp_path / "text.sqlite", cell.cell_id)
    foreign = sqlite3.connect(tmp_path / "foreign.sqlite")
    foreign.execute("CREATE TABLE t (a)")
    foreign.commit()
    foreign.close()
    with pytest.raises(NotALedger, match="application_id"):
        Store.open(tmp_path / "foreign.sqlite", cell.cell_id, create=True)
    with pytest.raises(StorageUnavailable):
        Store.open(tmp_path / "no" / "directory.sqlite", cell.cell_id, create=True)


def _crashed_copy(store, tmp_path):
    """The files as a killed process leaves them: committed rows still in the write-ahead log."""
    copy = tmp_path / "crashed.sqlite"
    shutil.copyfile(store.path, copy)
    log = copy.with_name(copy.name + "-wal")
    shutil.copyfile(store.path.with_name(store.path.name + "-wal"), log)
    return copy, log


def _commit_each(cell, store, count):
    for _ in range(count):
        store.append(cell.ids[0], cell.author(0), 5)
        store.commit()


def test_a_torn_tail_is_cut_and_what_was_durable_before_it_stays(cell, store, tmp_path):
    _commit_each(cell, store, 5)
    copy, log = _crashed_copy(store, tmp_path)
    log.write_bytes(log.read_bytes()[:-100])
    recovered = Store.open(copy, cell.cell_id)
    assert recovered.heads()[0].sequence == 3
    recovered.close()


def test_rot_before_the_tail_of_the_log_is_refused_and_not_taken_for_a_torn_tail(cell, store, tmp_path):
    _commit_each(cell, store, 5)
    copy, log = _crashed_copy(store, tmp_path)
    data = bytearray(log.read_bytes())
    data[len(data) // 2] ^= 1
    log.write_bytes(data)
    with pytest.raises(Corrupt, match="frame"):
        Store.open(copy, cell.cell_id)


def test_rot_in_a_page_of_the_file_is_refused_at_opening(cell, store):
    _commit_each(cell, store, 3)
    store.close()
    data = bytearray(store.path.read_bytes())
    data[4096 * 3 : 4096 * 3 + 16] = bytes(16)
    store.path.write_bytes(data)
    with pytest.raises((Corrupt, NotALedger)):
        Store.open(store.path, cell.cell_id)


def test_a_rotten_entry_is_found_when_it_is_read(cell, store):
    _commit_each(cell, store, 2)
    store._connection.execute("UPDATE entries SET envelope = zeroblob(90) WHERE sequence = 1")
    with pytest.raises(Corrupt, match=cell.ids[0].hex()):
        store.entries(cell.ids[0], 0, -1, 1)


GROUPS = st.lists(st.lists(st.integers(0, 3), max_size=6), max_size=6)


@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(GROUPS)
def test_reads_see_exactly_what_was_committed(new_cell, tmp_path_factory, groups):
    cell = new_cell()
    store = Store.open(tmp_path_factory.mktemp("store") / "ledger.sqlite", cell.cell_id, create=True)
    for group in groups:
        for index in group:
            store.append(cell.ids[index], cell.author(index), 5)
        store.commit()
    assert store.heads() == tuple(sorted(cell.heads(), key=lambda head: head.member))
    for head in cell.heads():
        assert store.entries(head.member, 0, -1, head.sequence) == cell.feeds[head.member]
    store.close()
