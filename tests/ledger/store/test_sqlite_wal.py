"""SQLite's write-ahead log: what is a torn tail, what is rot, and what is neither."""

import sqlite3
from random import Random

import pytest

from ledger.store.sqlite_wal import LogState, LogVerdict, inspect_log

HEADER_BYTES = 32
FRAME_BYTES = 24 + 4096


@pytest.fixture
def log(tmp_path):
    """The bytes of a log with four commits of one frame each, and a way to go on writing."""
    connection = sqlite3.connect(tmp_path / "any.sqlite", isolation_level=None)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("CREATE TABLE t (a INTEGER PRIMARY KEY)")
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    for number in range(4):
        connection.execute("INSERT INTO t VALUES (?)", (number,))
    yield (tmp_path / "any.sqlite-wal").read_bytes()
    connection.close()


def test_a_whole_log_an_empty_one_and_none_are_sound(log):
    assert len(log) == HEADER_BYTES + 4 * FRAME_BYTES
    for data in (log, b"", log[:HEADER_BYTES]):
        assert inspect_log(data) == LogState(LogVerdict.SOUND, None)


def test_a_frame_that_was_not_completely_written_is_no_damage(log):
    assert inspect_log(log[:-1]).verdict is LogVerdict.SOUND


def test_damage_in_the_last_commit_may_be_a_torn_write(log):
    for position in Random(1).sample(range(HEADER_BYTES + 3 * FRAME_BYTES, len(log)), k=40):
        assert inspect_log(_flipped(log, position)) == LogState(LogVerdict.TORN, 4), position


def test_damage_that_commits_follow_is_rot(log):
    for position in Random(2).sample(range(HEADER_BYTES, HEADER_BYTES + 2 * FRAME_BYTES), k=40):
        frame = (position - HEADER_BYTES) // FRAME_BYTES + 1
        assert inspect_log(_flipped(log, position)) == LogState(LogVerdict.ROTTEN, frame), position


def test_the_remains_of_a_transaction_that_never_committed_are_no_damage(log):
    remains = bytearray(log[-FRAME_BYTES:])
    remains[4:8] = bytes(4)
    remains[-1] ^= 1
    assert inspect_log(log + remains) == LogState(LogVerdict.SOUND, None)


def test_a_last_commit_that_lost_its_mark_is_found_all_the_same(log):
    start = HEADER_BYTES + 3 * FRAME_BYTES
    assert any(log[start + 4 : start + 8])
    unmarked = log[: start + 4] + bytes(4) + log[start + 8 :]
    assert inspect_log(unmarked) == LogState(LogVerdict.TORN, 4)


def test_a_damaged_header_is_rot_because_it_hides_the_whole_log(log):
    for position in range(HEADER_BYTES):
        assert inspect_log(_flipped(log, position)) == LogState(LogVerdict.ROTTEN, 0), position


def test_frames_left_from_an_older_log_are_not_mistaken_for_damage(log, tmp_path):
    connection = sqlite3.connect(tmp_path / "any.sqlite", isolation_level=None)
    connection.execute("PRAGMA wal_checkpoint(RESTART)")
    connection.execute("INSERT INTO t VALUES (99)")
    reused = (tmp_path / "any.sqlite-wal").read_bytes()
    connection.close()
    assert len(reused) == len(log)
    assert reused[:HEADER_BYTES] != log[:HEADER_BYTES]
    assert inspect_log(reused) == LogState(LogVerdict.SOUND, None)


def _flipped(data, position):
    changed = bytearray(data)
    changed[position] ^= 1 << position % 8
    return bytes(changed)
