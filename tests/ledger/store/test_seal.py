"""The seal: after an orderly end every byte of the ledger file is covered, and otherwise nothing claims so."""

import sqlite3
from random import Random

import pytest

from ledger.audit.audit import verify_directory
from ledger.files.directory import LEDGER_FILE
from ledger.files.errors import StorageReadOnly
from ledger.store.seal import break_seal, seal_path
from ledger.store.store import Store


@pytest.fixture
def sealed(cell, write_directory, tmp_path):
    """A data directory that was closed in order."""
    for index in range(3):
        cell.author(index)
    cell.decide()
    write_directory(cell, tmp_path).close()
    return tmp_path


def _report(cell, directory):
    return verify_directory(directory, cell.application)


def test_every_flipped_byte_of_a_ledger_that_was_closed_is_found(cell, sealed):
    path = sealed / LEDGER_FILE
    data = path.read_bytes()
    report = _report(cell, sealed)
    assert (report.verified, report.sealed) == (True, True)
    random = Random(6)
    for position in random.sample(range(len(data)), k=150):
        path.write_bytes(data[:position] + bytes([data[position] ^ 1 << position % 8]) + data[position + 1 :])
        assert _report(cell, sealed).failure is not None, position


def test_a_last_block_removed_after_the_end_is_found(cell, sealed):
    connection = sqlite3.connect(sealed / LEDGER_FILE, isolation_level=None)
    connection.execute("DELETE FROM blocks WHERE height = (SELECT max(height) FROM blocks)")
    connection.close()
    failure = _report(cell, sealed).failure
    assert failure is not None


def test_a_row_that_is_wrong_is_named_before_the_seal_is(cell, sealed):
    connection = sqlite3.connect(sealed / LEDGER_FILE, isolation_level=None)
    connection.execute("UPDATE entries SET first_seen_ns = first_seen_ns + 1 WHERE sequence = 0")
    connection.close()
    assert "first_seen_check" in _report(cell, sealed).failure.where


def test_a_damaged_seal_is_found(cell, sealed):
    seal = seal_path(sealed / LEDGER_FILE)
    seal.write_bytes(b"\xff" + seal.read_bytes()[1:])
    assert _report(cell, sealed).failure.expected.startswith("the bytes it had when it was closed")


def test_the_seal_is_gone_while_the_ledger_is_open_and_after_a_crash(cell, sealed):
    seal = seal_path(sealed / LEDGER_FILE)
    before = seal.read_bytes()
    store = Store.open(sealed / LEDGER_FILE, cell.cell_id)
    assert not seal.exists()
    report = _report(cell, sealed)
    assert (report.verified, report.sealed) == (True, False)
    store.close()
    assert seal.exists()
    assert _report(cell, sealed).sealed
    assert before.endswith(b"  ledger.sqlite\n") and len(before) == 64 + 16


def test_a_seal_that_cannot_be_broken_leaves_the_ledger_closed(sealed, monkeypatch):
    def refuse(_path):
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr("pathlib.Path.unlink", refuse)
    with pytest.raises(StorageReadOnly, match="Read-only file system; allow this user"):
        break_seal(sealed / LEDGER_FILE)
