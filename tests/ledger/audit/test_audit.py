"""The audit: it accepts what is right and names the first thing that is wrong, down to one flipped byte."""

import shutil
import sqlite3
from pathlib import Path
from random import Random

import pytest

from ledger.audit.audit import verify_directory
from ledger.files.directory import GENESIS_FILE, GUARD_FILE, LEDGER_FILE
from ledger.files.sign_guard import SignGuard
from ledger.membership.evidence import Evidence
from ledger.records.votes import Step
from ledger.store.store import Store


@pytest.fixture
def directory(cell, write_directory, tmp_path):
    """A closed data directory with entries, blocks, votes, evidence and a guard."""
    for round_ in (0, 2, 0):
        for index in range(3):
            cell.author(index, payload=(round_, b"x" * 40))
        cell.decide(round_)
    cell.author(1)
    evidence = Evidence.of_entries(cell.sign(3, payload=(1,)), cell.sign(3, payload=(2,))).encode()
    cell.decide(evidence=(evidence,))
    cell.author(0)
    path = tmp_path / "node"
    path.mkdir()
    store = write_directory(cell, path)
    store.put_evidence(evidence)
    store.commit()
    store.close()
    return path


def _report(cell, directory):
    return verify_directory(directory, cell.application)


def test_a_sound_directory_verifies_and_gives_the_same_tip_and_counts(cell, directory):
    report = _report(cell, directory)
    assert report.failure is None
    assert report.tip == cell.tip
    assert (report.entries, report.votes, report.evidence) == (11, 12, 1)
    assert report.member == cell.ids[0]


def test_an_audit_leaves_every_file_as_it_was(cell, directory):
    before = {path.name: path.read_bytes() for path in directory.iterdir()}
    assert _report(cell, directory).verified
    assert {path.name: path.read_bytes() for path in directory.iterdir()} == before


COLUMNS = [
    (table, column)
    for table, columns in {
        "cell": ("singleton", "cell_id", "schema_version"),
        "entries": (
            "member",
            "incarnation",
            "sequence",
            "id",
            "envelope",
            "first_seen_ns",
            "first_seen_check",
        ),
        "blocks": ("height", "id", "block", "certificate"),
        "votes": ("height", "round", "step", "validator", "envelope"),
        "evidence": ("id", "evidence"),
    }.items()
    for column in columns
]


@pytest.mark.parametrize(("table", "column"), COLUMNS)
def test_a_flipped_byte_in_any_column_of_any_row_is_found(cell, directory, table, column):
    path = directory / LEDGER_FILE
    sound = path.read_bytes()
    random = Random(f"{table}.{column}")
    for rowid, value in _run(path, f"SELECT rowid, {column} FROM {table}"):
        changes = _one_byte_off(value)
        for changed in random.sample(changes, k=min(4, len(changes))):
            path.write_bytes(sound)
            _run(path, f"UPDATE OR IGNORE {table} SET {column} = ? WHERE rowid = ?", (changed, rowid))
            if path.read_bytes() != sound:
                failure = _report(cell, directory).failure
                assert failure is not None, (rowid, value, changed)
                assert failure.expected != failure.found
    path.write_bytes(sound)
    assert _report(cell, directory).verified


def _run(path, statement, parameters=()):
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA ignore_check_constraints = ON")
    connection.execute("PRAGMA synchronous = OFF")
    rows = connection.execute(statement, parameters).fetchall()
    connection.close()
    return rows


def _one_byte_off(value):
    if isinstance(value, int):
        return [value ^ (bit << shift) for shift in range(0, 56, 8) for bit in (1, 128)]
    return [
        value[:index] + bytes([value[index] ^ mask]) + value[index + 1 :]
        for index in range(len(value))
        for mask in (1, 128)
    ]


@pytest.mark.parametrize("name", [GENESIS_FILE, GUARD_FILE])
def test_a_flipped_byte_in_the_genesis_or_the_guard_is_found(cell, directory, name):
    path = directory / name
    data = path.read_bytes()
    for position in Random(name).sample(range(len(data)), k=60):
        path.write_bytes(_flipped(data, position, 1 << position % 8))
        assert _report(cell, directory).failure is not None, position
    path.write_bytes(data)
    assert _report(cell, directory).verified


def test_a_flipped_byte_anywhere_in_the_database_file_is_found_or_changes_nothing(cell, directory):
    path = directory / LEDGER_FILE
    data = path.read_bytes()
    found = 0
    used = [position for position in range(len(data)) if data[position]]
    random = Random(4)
    for position in [*range(100), *random.sample(used, k=250), *random.sample(range(len(data)), k=50)]:
        path.write_bytes(_flipped(data, position, random.randrange(1, 256)))
        report = _report(cell, directory)
        if report.failure is not None:
            found += 1
            continue
        assert report.tip == cell.tip, position
        assert (report.entries, report.votes, report.evidence) == (11, 12, 1), position
    assert found > 200


def test_a_flipped_byte_in_a_log_left_by_a_crash_is_found_or_changes_nothing(cell, write_directory, tmp_path):
    (tmp_path / "live").mkdir()
    for index in range(3):
        cell.author(index)
    cell.decide()
    store = write_directory(cell, tmp_path / "live")
    crashed = tmp_path / "crashed"
    shutil.copytree(tmp_path / "live", crashed, ignore=shutil.ignore_patterns("*-shm"))
    store.close()
    log = crashed / (LEDGER_FILE + "-wal")
    data = log.read_bytes()
    assert _report(cell, crashed).verified
    random = Random(5)
    positions = [*range(56), *(24 + 32 + 4120 * k + b for k in range(3) for b in range(-24, 8))]
    for position in [*positions, *random.sample(range(len(data)), k=150)]:
        log.write_bytes(_flipped(data, position, 1 << random.randrange(8)))
        report = _report(cell, crashed)
        assert report.failure is not None or report.tip == cell.tip, position
    assert not (crashed / (LEDGER_FILE + "-shm")).exists()


def test_a_ledger_that_a_daemon_is_writing_can_be_verified_and_is_not_changed(
    cell, write_directory, tmp_path
):
    cell.author(0)
    cell.decide()
    store = write_directory(cell, tmp_path)
    log = tmp_path / (LEDGER_FILE + "-wal")
    before = log.read_bytes()
    assert _report(cell, tmp_path).verified
    assert log.read_bytes() == before
    store.append(cell.ids[1], cell.author(1), 9)
    store.commit()
    report = _report(cell, tmp_path)
    assert (report.failure, report.entries) == (None, 2)
    store.close()


@pytest.mark.parametrize(
    ("statement", "where"),
    [
        ("DELETE FROM blocks WHERE height = 2", "block 2"),
        ("DELETE FROM blocks WHERE height > 1", "guard"),
        ("DELETE FROM entries WHERE sequence = 1", "entry 2"),
        ("CREATE TABLE more (a)", "schema"),
        ("DROP TABLE evidence", "schema"),
        ("PRAGMA user_version = 9", "schema"),
        ("UPDATE votes SET height = 99 WHERE height = 4", "vote of height 99"),
    ],
)
def test_what_is_missing_or_added_is_named(cell, directory, statement, where):
    _run(directory / LEDGER_FILE, statement)
    failure = _report(cell, directory).failure
    assert where in failure.where


def test_own_entries_that_the_guard_signed_and_the_ledger_lost_are_named(cell, directory):
    last = cell.feeds[cell.ids[0]][-1]
    _run(directory / LEDGER_FILE, f"DELETE FROM entries WHERE id = x'{last.id.hex()}'")
    failure = _report(cell, directory).failure
    assert failure.where == "guard"
    assert last.id.hex() in failure.expected
    assert "lost" in failure.found


def test_an_own_vote_later_than_the_guard_shows_that_the_guard_is_old(cell, directory):
    (directory / GUARD_FILE).unlink()
    feed = cell.feeds[cell.ids[0]]
    guard = SignGuard.open(directory / GUARD_FILE, create=True)
    guard.advance_vote(1, 0, Step.PREVOTE, b"something")
    guard.advance_feed(0, feed[-1].entry.sequence, feed[-1].id)
    guard.close()
    failure = _report(cell, directory).failure
    votes_of_own = cell.tip.validators.index_of(cell.consensus_keys[0].verify_key.encode()) < 3
    assert (failure is not None and failure.where.startswith("own vote")) == votes_of_own


def test_a_directory_of_another_cell_and_an_empty_one_are_named(cell, new_cell, directory, tmp_path):
    other = new_cell(size=5)
    (directory / GENESIS_FILE).write_bytes(other.genesis.encode())
    assert _report(cell, directory).failure.where == "cell row"
    assert _report(cell, tmp_path).failure.where == GENESIS_FILE
    (tmp_path / GENESIS_FILE).write_bytes(cell.genesis.encode())
    assert _report(cell, tmp_path).failure.where == LEDGER_FILE


def test_a_block_of_other_rules_does_not_verify(cell, directory):
    class OtherApplication(type(cell.application)):
        def leaves(self, state):
            return [*super().leaves(state), (b"\xff", b"")]

    failure = verify_directory(directory, OtherApplication()).failure
    assert failure.where == "block 1"
    assert "state root" in failure.found


def test_opening_what_was_audited_still_works(cell, directory):
    assert _report(cell, directory).verified
    Store.open(Path(directory / LEDGER_FILE), cell.cell_id).close()


def _flipped(data, position, mask):
    changed = bytearray(data)
    changed[position] ^= mask
    return bytes(changed)
