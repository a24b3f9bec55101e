"""Shell: the offline audit of a data directory, from nothing but its files.

Everything is derived again: the cell id from the genesis, every entry's signature and chain, every block from
its entries with its certificate, roots, log, clearing and state, every vote, and what the sign guard says was
signed last. The audit stops at the first thing that is wrong. It works on a private copy and changes nothing;
a daemon may be running.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final, Generic

from ledger.audit.checks import (
    AuditFailure,
    AuditFault,
    check_authors,
    check_entries,
    check_evidence,
    check_guard_height,
    check_own_feed,
    check_own_votes,
    check_votes,
)
from ledger.audit.snapshots import Following, SnapshotAudit, first_stand
from ledger.chain.application import Application, State
from ledger.chain.chain import Tip, genesis_tip
from ledger.chain.replay import CorruptBlock, replay
from ledger.errors import InvalidGenesis, LocalError, MissingEntries, ReadOnly
from ledger.files.directory import GENESIS_FILE, GUARD_FILE, LEDGER_FILE
from ledger.files.sign_guard import GuardState, SignGuard
from ledger.heads import Head
from ledger.records.entries import SignedEntry
from ledger.records.genesis import Genesis
from ledger.records.rows import BlockRow, EntryRow, VoteRow
from ledger.store.private_copy import copy_ledger
from ledger.store.schema import SCHEMA_VERSION
from ledger.store.seal import log_in_use, seal_path, seal_text
from ledger.store.sqlite_wal import LogVerdict, inspect_log
from ledger.store.store_file import bytes_as_text, log_path, schema_fault

ATTEMPTS: Final = 3
"""Looks at files that a running daemon is changing: between reading two of them it may have written both."""


@dataclass(slots=True)
class AuditReport(Generic[State]):
    """What an audit derived before it ended, and the first failure, None when everything holds.

    `tip` is the state after the last good block; in a pruned ledger `base` is the height of the snapshot from which
    everything was derived, 0 otherwise. `member` is whose directory it is, if its guard tells.
    `guarded`: checked against the sign guard as well, so rows lost at the end are found. `sealed`: the file was
    closed in order and every byte of it is as it was then; otherwise what its rows say is checked.
    """

    genesis: Genesis | None = None
    tip: Tip[State] | None = None
    base: int = 0
    entries: int = 0
    votes: int = 0
    evidence: int = 0
    member: bytes | None = None
    guarded: bool = False
    sealed: bool = False
    failure: AuditFailure | None = None

    @property
    def verified(self) -> bool:
        """Whether everything holds."""
        return self.failure is None


def verify_directory(directory: Path, application: Application[State]) -> AuditReport[State]:
    """Derive a node's ledger again and compare. Raises `StorageError` only when there is no room to work in."""
    report: AuditReport[State] = AuditReport()
    for _ in range(ATTEMPTS):
        report = AuditReport()
        try:
            _verify(directory, application, report)
        except AuditFault as fault:
            report.failure = fault.failure
        if report.verified or not (directory / (LEDGER_FILE + "-shm")).exists():
            break
    return report


def _verify(directory: Path, application: Application[State], report: AuditReport[State]) -> None:
    report.genesis = _read_genesis(directory / GENESIS_FILE)
    report.tip = _initial_tip(report.genesis, application)
    # The guard is read before the ledger and after: a daemon that goes on signing adds rows meanwhile.
    guard = _read_guard(directory / GUARD_FILE)
    path = directory / LEDGER_FILE
    if not path.is_file():
        raise AuditFault(LEDGER_FILE, "a ledger", "no such file")
    seal = _read_seal(seal_path(path))
    with TemporaryDirectory(prefix="wattswarm-audit-") as temporary:
        copy = copy_ledger(path, Path(temporary))
        later_guard = _read_guard(directory / GUARD_FILE)
        content = seal_text(copy)
        log_left = log_in_use(copy)
        _check_log(log_path(copy))
        try:
            with closing(sqlite3.connect(copy, isolation_level=None)) as connection:
                connection.text_factory = bytes_as_text
                _verify_rows(connection, application, report, guard, later_guard)
        except (sqlite3.Error, UnicodeDecodeError) as fault:
            # A damaged schema may leave SQLite with an error message that is no text.
            raise AuditFault(LEDGER_FILE, "a readable database", str(fault)) from fault
    report.sealed = seal is not None
    if seal is not None and (log_left or seal != content):
        found = "a log of later changes" if log_left else content.decode().strip()
        raise AuditFault(LEDGER_FILE, f"the bytes it had when it was closed, {_readable_seal(seal)}", found)


def _verify_rows(
    connection: sqlite3.Connection,
    application: Application[State],
    report: AuditReport[State],
    guard: GuardState | None,
    later_guard: GuardState | None,
) -> None:
    genesis = report.genesis
    assert genesis is not None and report.tip is not None
    cell_id = genesis.cell_id
    _check_database(connection, cell_id)
    archive = _Archive(connection)
    try:
        start = first_stand(archive, genesis, application)
        report.tip, report.base = start.tip, start.tip.height
        entries = check_entries(_entry_rows(connection), cell_id, start.tip.heads)
        report.entries = entries.count
        validators = dict(start.validators)
        snapshots = SnapshotAudit(archive, application, start)
        for replayed in replay(Following(archive, entries), genesis, application, start.tip):
            report.tip = tip = replayed.tip
            validators |= {tip.height + 1: tip.validators, tip.height + 2: tip.next_validators}
            snapshots.compare(replayed)
        snapshots.finish()
    except CorruptBlock as fault:
        raise AuditFault(f"block {fault.height}", fault.expected, fault.found) from fault
    if guard is not None:
        check_guard_height(guard, report.tip.height)
    membership = report.tip.membership
    check_authors(entries, membership)
    bodies = check_votes(_vote_rows(connection), cell_id, validators)
    report.votes = sum(len(found) for found in bodies.values())
    report.evidence = check_evidence(
        connection.execute("SELECT id, evidence FROM evidence ORDER BY id"), cell_id, membership
    )
    if guard is not None and later_guard is not None:
        report.guarded = True
        owner = check_own_feed(guard, entries, membership)
        if owner is not None:
            report.member = owner.id
            keys = [key for key, member in membership.consensus_keys(ever=True).items() if member == owner.id]
            check_own_votes(later_guard, keys, validators, bodies)


@dataclass(frozen=True, slots=True)
class _Archive:
    """The stored blocks and snapshots, for replay."""

    connection: sqlite3.Connection

    def base(self) -> int:
        return int(self.connection.execute("SELECT base FROM cell").fetchone()[0])

    def height(self) -> int:
        if self.first_block() < 1:
            raise AuditFault(f"block {self.first_block()}", "no block below height 1", "a row")
        (highest,) = self.connection.execute("SELECT max(height) FROM blocks").fetchone()
        return self.base() if highest is None else int(highest)

    def first_block(self) -> int:
        (lowest,) = self.connection.execute("SELECT min(height) FROM blocks").fetchone()
        return 1 << 62 if lowest is None else int(lowest)

    def block(self, height: int) -> BlockRow | None:
        row = self.connection.execute(
            "SELECT height, id, block, certificate FROM blocks WHERE height = ?", (height,)
        ).fetchone()
        return None if row is None else BlockRow(*row)

    def entries(self, member: bytes, incarnation: int, after: int, through: int) -> list[SignedEntry]:
        raise MissingEntries((Head(member, incarnation, through, b""),))

    def snapshots(self) -> list[int]:
        found = self.connection.execute("SELECT DISTINCT height FROM snapshots ORDER BY height").fetchall()
        return [height for (height,) in found]

    def snapshot_part(self, height: int, part: int) -> bytes | None:
        row = self.connection.execute(
            "SELECT data FROM snapshots WHERE height = ? AND part = ?", (height, part)
        ).fetchone()
        return None if row is None else row[0]

    def part_numbers(self, height: int) -> list[int]:
        found = self.connection.execute(
            "SELECT part FROM snapshots WHERE height = ? ORDER BY part", (height,)
        ).fetchall()
        return [part for (part,) in found]


def _read_genesis(path: Path) -> Genesis:
    try:
        return Genesis.decode(path.read_bytes())
    except (InvalidGenesis, OSError) as fault:
        raise AuditFault(GENESIS_FILE, "the genesis of the cell", str(fault)) from fault


def _initial_tip(genesis: Genesis, application: Application[State]) -> Tip[State]:
    try:
        return genesis_tip(genesis, application)
    except InvalidGenesis as fault:
        raise AuditFault(GENESIS_FILE, "rules that the application accepts", str(fault)) from fault


def _read_seal(path: Path) -> bytes | None:
    """The hash of the whole file from when it was closed; none while a daemon runs and after a crash."""
    try:
        return path.read_bytes() if path.exists() else None
    except OSError as fault:
        raise AuditFault(path.name, "a readable seal", str(fault)) from fault


def _readable_seal(seal: bytes) -> str:
    return seal[:200].decode(errors="replace").strip()


def _read_guard(path: Path) -> GuardState | None:
    """What was signed last. A directory without a guard can be audited, but not for lost rows at its end."""
    if not path.exists():
        return None
    try:
        guard = SignGuard(_Content(path.read_bytes()))
    except (LocalError, OSError) as fault:
        raise AuditFault(GUARD_FILE, "a sign guard", str(fault)) from fault
    if guard.recovered:
        raise AuditFault(GUARD_FILE, "two sound slots", "one that is torn or rotten")
    return guard.last


@dataclass(frozen=True, slots=True)
class _Content:
    """A file's bytes as a `DurableFile` that cannot be written: a backup may be on a read-only disk."""

    data: bytes

    def read(self) -> bytes:
        return self.data

    def write(self, offset: int, data: bytes) -> None:
        raise ReadOnly("an audit writes nothing")

    def replace(self, data: bytes) -> None:
        raise ReadOnly("an audit writes nothing")

    def flush(self) -> None:
        """Nothing to make durable."""

    def close(self) -> None:
        """Nothing to give back."""


def _check_log(path: Path) -> None:
    if path.exists():
        state = inspect_log(path.read_bytes())
        if state.verdict is not LogVerdict.SOUND:
            raise AuditFault(
                f"{LEDGER_FILE}-wal, frame {state.frame}", "a valid checksum", f"a {state.verdict.value} log"
            )


def _check_database(connection: sqlite3.Connection, cell_id: bytes) -> None:
    (integrity,) = connection.execute("PRAGMA integrity_check(1)").fetchone()
    if integrity != "ok":
        raise AuditFault(LEDGER_FILE, "a database that passes SQLite's integrity check", integrity)
    fault = schema_fault(connection)
    if fault is not None:
        raise AuditFault(f"{LEDGER_FILE}, schema", "the tables of this version", fault)
    cells = connection.execute("SELECT singleton, cell_id, schema_version FROM cell").fetchall()
    if cells != [(1, cell_id, SCHEMA_VERSION)]:
        raise AuditFault("cell row", f"1, {cell_id.hex()}, {SCHEMA_VERSION}", _readable_rows(cells))


def _entry_rows(connection: sqlite3.Connection) -> Iterator[EntryRow]:
    rows = connection.execute(
        "SELECT member, incarnation, sequence, id, envelope, first_seen_ns, first_seen_check FROM entries"
        " ORDER BY member, incarnation, sequence"
    )
    return (EntryRow(*row) for row in rows)


def _vote_rows(connection: sqlite3.Connection) -> Iterator[VoteRow]:
    rows = connection.execute(
        "SELECT height, round, step, validator, envelope FROM votes"
        " ORDER BY height, round, step, validator, envelope"
    )
    return (VoteRow(*row) for row in rows)


def _readable_rows(rows: list[tuple[object, ...]]) -> str:
    return "; ".join(
        ", ".join(part.hex() if isinstance(part, bytes) else str(part) for part in row) for row in rows
    )
