"""Pruning: what goes, what stays, and that what stays verifies from its snapshot on, down to one flipped byte."""

import sqlite3
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.audit.audit import verify_directory
from ledger.chain.replay import load_chain, replay
from ledger.chain.state_snapshot import take_snapshot
from ledger.errors import Corrupt
from ledger.files.directory import LEDGER_FILE
from ledger.membership.evidence import Evidence
from ledger.store.reopening import reopen, reopen_fast
from ledger.store.retention import NEWEST, Retention
from ledger.store.store import Store


def write(cell, write_directory, path, *, every=2, blocks=8, retention=None):
    """A data directory of a cell with so many blocks and a snapshot after every few of them."""
    evidence = Evidence.of_entries(cell.sign(3, payload=(1,)), cell.sign(3, payload=(2,))).encode()
    for height in range(1, blocks + 1):
        for index in range(3):
            cell.author(index, payload=(height, b"x" * 40))
        cell.decide(evidence=(evidence,) if height == 3 else ())
    cell.author(0)
    path.mkdir()
    store = write_directory(cell, path)
    store.put_evidence(evidence)
    for height in range(every, blocks + 1, every):
        put_snapshot(cell, store, height)
        if retention is not None:
            retention.tidy(store, height)
    return store


def put_snapshot(cell, store, height):
    block, certificate = cell.blocks[height - 1]
    store.put_snapshot(take_snapshot(cell.tips[height], cell.application, block.header, certificate, ()))
    store.commit()


@pytest.fixture
def whole(cell, write_directory, tmp_path):
    return write(cell, write_directory, tmp_path / "node")


@pytest.fixture
def pruned(cell, write_directory, tmp_path):
    return write(cell, write_directory, tmp_path / "node", retention=Retention(blocks=3, votes=2))


def test_a_start_from_a_snapshot_equals_a_replay_and_reads_only_what_follows_it(cell, whole, monkeypatch):
    _, feeds = reopen(whole, cell.genesis, cell.application)
    asked, block = [], Store.block
    monkeypatch.setattr(Store, "block", lambda store, height: asked.append(height) or block(store, height))
    reopened = reopen_fast(whole, cell.genesis, cell.application)
    assert (reopened.base, reopened.refused, set(asked)) == (8, (), {8})
    assert reopened.tip == load_chain(whole, cell.genesis, cell.application) == cell.tip
    assert reopened.feeds.heads() == feeds.heads()
    assert reopened.last_certificate == cell.blocks[-1][1]


@pytest.mark.parametrize("part", [0, 1, 2])
def test_a_wrong_or_missing_snapshot_is_passed_over(cell, whole, part):
    data = bytearray(whole.snapshot_part(8, part))
    data[len(data) // 2] ^= 4
    run(whole.path, "UPDATE snapshots SET data = ? WHERE height = 8 AND part = ?", (bytes(data), part))
    reopened = reopen_fast(whole, cell.genesis, cell.application)
    assert (reopened.base, reopened.tip, len(reopened.refused)) == (6, cell.tip, 1)
    run(whole.path, "DELETE FROM snapshots WHERE part = ?", (part,))
    reopened = reopen_fast(whole, cell.genesis, cell.application)
    assert (reopened.base, reopened.tip, len(reopened.refused)) == (0, cell.tip, 4)


def test_a_pruned_ledger_keeps_what_retention_says(cell, pruned):
    assert pruned.base() == 4
    assert [height for height in range(1, 9) if pruned.block(height)] == [5, 6, 7, 8]
    assert pruned.snapshots() == [4, 6, 8]
    assert len(pruned.evidence()) == 1
    for member in cell.ids[:3]:
        first = pruned.envelopes(member, 0, -1, 1)[0]
        assert first == cell.feeds[member][cell.tips[4].heads[member].sequence].envelope
    assert [bool(pruned.votes(height)) for height in range(1, 9)] == [False] * 6 + [True] * 2
    reopened = reopen_fast(pruned, cell.genesis, cell.application)
    assert reopened.tip == cell.tip
    assert [each.tip for each in replay(pruned, cell.genesis, cell.application)] == cell.tips[5:]


def test_a_pruned_ledger_verifies_from_its_snapshot_on_and_says_so(cell, pruned):
    pruned.close()
    report = verify_directory(pruned.path.parent, cell.application)
    assert report.failure is None
    assert (report.base, report.tip, report.sealed, report.member) == (4, cell.tip, True, cell.ids[0])


def test_a_pruned_ledger_without_its_snapshot_refuses_to_open_and_says_what_to_do(cell, pruned):
    run(pruned.path, "DELETE FROM snapshots WHERE height >= 4")
    with pytest.raises(Corrupt, match="rebuild it from its peers"):
        reopen_fast(pruned, cell.genesis, cell.application)
    assert verify_directory(pruned.path.parent, cell.application).failure is not None


COLUMNS = [
    ("cell", "base"),
    ("snapshots", "height"),
    ("snapshots", "part"),
    ("snapshots", "data"),
    ("entries", "sequence"),
    ("entries", "envelope"),
    ("blocks", "height"),
    ("blocks", "block"),
    ("votes", "envelope"),
]


@pytest.mark.parametrize(("table", "column"), COLUMNS)
@pytest.mark.parametrize("kind", ["whole", "pruned"])
def test_a_flipped_byte_is_found_before_and_after_pruning(cell, kind, table, column, request):
    store = request.getfixturevalue(kind)
    store.close()
    path, directory = store.path, store.path.parent
    (directory / (LEDGER_FILE + ".sha256")).unlink()
    sound, random = path.read_bytes(), Random(f"{kind} {table} {column}")
    for rowid, value in run(path, f"SELECT rowid, {column} FROM {table}"):
        for changed in random.sample(one_bit_off(value), k=2):
            path.write_bytes(sound)
            run(path, f"UPDATE OR IGNORE {table} SET {column} = ? WHERE rowid = ?", (changed, rowid))
            if path.read_bytes() != sound:
                assert verify_directory(directory, cell.application).failure is not None, (rowid, changed)
    path.write_bytes(sound)
    assert verify_directory(directory, cell.application).verified


@given(st.integers(1, 40), st.integers(1, 9), st.integers(1, 120))
def test_enough_is_always_kept_and_never_many_snapshots(blocks, every, last):
    """As the daemon does it: a snapshot every few blocks, and tidying after each."""
    retention, stored, base = Retention(blocks=blocks), [], 0
    for height in range(every, last + 1, every):
        stored = [*stored, height]
        base = retention.base(stored, height, base)
        stored = [each for each in sorted(retention.needed(stored, base)) if each >= base]
        assert not base or base in stored
        assert not base or height - base >= blocks
        assert height - base <= blocks + max(blocks // 4, 1) + 2 * every
        assert stored[-1] == height
        assert len(stored) <= NEWEST + 8
    assert Retention().needed([2, 4, 6], 0) == {4, 6}


@pytest.mark.parametrize("fields", [{"blocks": 0}, {"votes": 0}])
def test_keeping_nothing_is_refused(fields):
    with pytest.raises(ValueError, match="at least one"):
        Retention(**fields)


def run(path, statement, parameters=()):
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA ignore_check_constraints = ON")
    rows = connection.execute(statement, parameters).fetchall()
    connection.close()
    return rows


def one_bit_off(value):
    if isinstance(value, int):
        return [value ^ (1 << shift) for shift in range(56)]
    return [
        value[:index] + bytes([value[index] ^ (1 << bit)]) + value[index + 1 :]
        for index in range(len(value))
        for bit in (0, 7)
    ]
