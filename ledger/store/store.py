"""Shell: the SQLite file that holds a node's entries, blocks, votes and evidence.

One connection writes. What is appended waits in memory until `commit`, which writes it as one group and
returns when the disk has it (`synchronous=FULL`); reads see committed rows only. A group is committed whole
or not at all. A tail torn by a crash is cut by SQLite itself; rot before the tail of its log refuses to open
(`Corrupt`), and rows are verified again when the chain is replayed, so rot inside a row is found at start as
well.
"""

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

from ledger.chain.state_snapshot import Snapshot
from ledger.encoding import INT_BOUND
from ledger.errors import Corrupt, MissingEntries, PeerError
from ledger.files.errors import NotALedger, storage_error
from ledger.heads import Head
from ledger.records.entries import SignedEntry, open_entry
from ledger.records.rows import BlockRow, VoteRow, first_seen_check
from ledger.store.seal import break_seal, set_seal
from ledger.store.store_file import connect, refuse_rotten_log

RECENT_BLOCKS: Final = 1024
"""Blocks that are found by id: peers ask so for what is being decided; an old one is asked for by height."""

_EntryRow = tuple[bytes, int, int, bytes, bytes, int, bytes]


class Store:
    """A ledger file of one cell, opened with `Store.open`. For one thread at a time."""

    def __init__(self, path: Path, cell_id: bytes, connection: sqlite3.Connection) -> None:
        self.path = path
        self.cell_id = cell_id
        self._connection = connection
        self._entries: list[_EntryRow] = []
        self._blocks: list[tuple[int, bytes, bytes, bytes]] = []
        self._votes: list[tuple[int, int, int, int, bytes]] = []
        self._evidence: list[tuple[bytes, bytes]] = []
        self._snapshots: list[tuple[int, int, bytes]] = []

    @staticmethod
    def open(path: Path, cell_id: bytes, *, create: bool = False) -> "Store":
        """The ledger file at `path`; with `create`, a new one when there is none.

        Raises `NotALedger` when there is none, or one of another cell, schema or program, `Corrupt` when it
        has rotted, and another `StorageError` when the system refuses the file.
        """
        if not create and not path.exists():
            raise NotALedger(f"{path}: there is no ledger; found the cell or initialise the node first")
        refuse_rotten_log(path)
        break_seal(path)
        try:
            connection = connect(path, cell_id, create=create)
        except sqlite3.Error as fault:
            raise storage_error(fault, str(path)) from fault
        return Store(path, cell_id, connection)

    def append(self, member: bytes, signed: SignedEntry, first_seen_ns: int) -> None:
        """Queue a member's entry, first seen at this cell time. What is stored already keeps its time."""
        self._entries.append(_entry_row(member, signed, first_seen_ns))

    def adopt(self, member: bytes, entries: Sequence[SignedEntry], first_seen_ns: int) -> None:
        """Replace what is stored of a member's feed from the first of these entries on, durable at once.

        For a decided block that names another branch of a fork than the one held here. Raises as `commit`.
        """
        self.commit()
        first = entries[0].entry
        with self._transaction():
            self._connection.execute(
                "DELETE FROM entries WHERE member = ? AND incarnation = ? AND sequence >= ?",
                (member, first.incarnation, first.sequence),
            )
            self._connection.executemany(
                "INSERT INTO entries VALUES (?, ?, ?, ?, ?, ?, ?)",
                [_entry_row(member, signed, first_seen_ns) for signed in entries],
            )

    def put_block(self, height: int, block_id: bytes, block: bytes, certificate: bytes) -> None:
        """Queue a decided block with its certificate."""
        self._blocks.append((height, block_id, block, certificate))

    def put_vote(self, row: VoteRow) -> None:
        """Queue a vote or proposal. Conflicting ones of one validator are both kept: they prove something."""
        self._votes.append((row.height, row.round, row.step, row.validator, row.envelope))

    def put_evidence(self, evidence: bytes) -> None:
        """Queue encoded evidence."""
        self._evidence.append((sha256(evidence).digest(), evidence))

    def put_snapshot(self, snapshot: Snapshot) -> None:
        """Queue the snapshot of a stored block."""
        rows = enumerate((snapshot.cover, *snapshot.parts))
        self._snapshots.extend((snapshot.height, part, data) for part, data in rows)

    @property
    def pending(self) -> int:
        """How many rows wait for `commit`."""
        return sum(map(len, self._queues()))

    def commit(self) -> None:
        """Make everything queued durable, as one transaction.

        Raises `StorageFull`, `StorageReadOnly`, `StorageLocked` or `StorageUnavailable` when the disk
        refuses, and `Corrupt` when a row contradicts a stored one. Then nothing of the group is stored and
        all of it stays queued.
        """
        if not self.pending:
            return
        with self._transaction():
            self._write_queued()
        for queue in self._queues():
            queue.clear()

    def entries(self, member: bytes, incarnation: int, after: int, through: int) -> list[SignedEntry]:
        """The member's entries with sequence in `after + 1 .. through`, verified again.

        Raises `MissingEntries` when not all are stored and `Corrupt` when one does not verify.
        """
        rows = self._select(
            "SELECT envelope FROM entries WHERE member = ? AND incarnation = ?"
            " AND sequence > ? AND sequence <= ? ORDER BY sequence",
            (member, incarnation, after, through),
        )
        if len(rows) != max(0, through - after):
            raise MissingEntries((Head(member, incarnation, through, b""),))
        try:
            return [open_entry(envelope, self.cell_id) for (envelope,) in rows]
        except PeerError as fault:
            raise Corrupt(
                f"{self.path}: an entry of member {member.hex()}, incarnation {incarnation}, sequence"
                f" {after + 1} to {through}, does not verify: {fault}"
            ) from fault

    def envelopes(self, member: bytes, incarnation: int, after: int, limit: int) -> list[bytes]:
        """At most `limit` envelopes of the member's entries after a sequence, in order, as stored."""
        rows = self._select(
            "SELECT envelope FROM entries WHERE member = ? AND incarnation = ? AND sequence > ?"
            " ORDER BY sequence LIMIT ?",
            (member, incarnation, after, limit),
        )
        return [envelope for (envelope,) in rows]

    def entry_id(self, member: bytes, incarnation: int, sequence: int) -> bytes | None:
        """The id of one stored entry."""
        rows = self._select(
            "SELECT id FROM entries WHERE member = ? AND incarnation = ? AND sequence = ?",
            (member, incarnation, sequence),
        )
        return rows[0][0] if rows else None

    def last_envelope(self, member: bytes) -> bytes | None:
        """The envelope of the member's last entry in its highest stored incarnation."""
        rows = self._select(
            "SELECT envelope FROM entries WHERE member = ? ORDER BY incarnation DESC, sequence DESC LIMIT 1",
            (member,),
        )
        return rows[0][0] if rows else None

    def last_sequence(self, member: bytes, incarnation: int) -> int:
        """The last stored sequence of a member's feed in an incarnation, -1 without one."""
        rows = self._select(
            "SELECT coalesce(max(sequence), -1) FROM entries WHERE member = ? AND incarnation = ?",
            (member, incarnation),
        )
        return int(rows[0][0])

    def heads(self) -> tuple[Head, ...]:
        """The last stored entry of every member, sorted by member."""
        rows = self._select(
            "SELECT member, incarnation, max(sequence), id FROM entries AS held"
            " WHERE incarnation = (SELECT max(incarnation) FROM entries WHERE member = held.member)"
            " GROUP BY member ORDER BY member",
            (),
        )
        return tuple(Head(*row) for row in rows)

    def first_seen(self, member: bytes, incarnation: int, sequence: int) -> int | None:
        """The cell time in ns at which an entry was first seen here."""
        rows = self._select(
            "SELECT first_seen_ns FROM entries WHERE member = ? AND incarnation = ? AND sequence = ?",
            (member, incarnation, sequence),
        )
        return rows[0][0] if rows else None

    def height(self) -> int:
        """The height of the last stored block, or of the base; 0 without one."""
        rows = self._select("SELECT coalesce(max(height), (SELECT base FROM cell)) FROM blocks", ())
        return int(rows[0][0])

    def block(self, height: int) -> BlockRow | None:
        """The decided block at a height."""
        rows = self._select("SELECT height, id, block, certificate FROM blocks WHERE height = ?", (height,))
        return BlockRow(*rows[0]) if rows else None

    def block_height(self, block_id: bytes) -> int | None:
        """The height of a decided block by its id, None when it is not among the last `RECENT_BLOCKS`."""
        rows = self._select(
            "SELECT height FROM blocks WHERE id = ? AND height > ?", (block_id, self.height() - RECENT_BLOCKS)
        )
        return rows[0][0] if rows else None

    def base(self) -> int:
        """The height of the snapshot from which the chain can be followed here; 0 is the genesis."""
        return int(self._select("SELECT base FROM cell", ())[0][0])

    def snapshots(self) -> list[int]:
        """The heights of the stored snapshots, ascending."""
        return [
            height for (height,) in self._select("SELECT DISTINCT height FROM snapshots ORDER BY height", ())
        ]

    def snapshot_part(self, height: int, part: int) -> bytes | None:
        """The cover of a snapshot (part 0), or one of its parts (from 1 on)."""
        rows = self._select("SELECT data FROM snapshots WHERE height = ? AND part = ?", (height, part))
        return rows[0][0] if rows else None

    def rebase(self, snapshot: Snapshot, heads: Sequence[Head]) -> None:
        """Begin again from a snapshot of a higher block than any here, durable at once. Raises as `commit`.

        What was stored of the chain before it is gone, but for the last entry of each member that is held.
        """
        self.commit()
        self.put_snapshot(snapshot)
        with self._transaction():
            self._write_queued()
            for head in heads:
                self._leave_branch(head)
            self._move_base(snapshot.height, heads)
        self._snapshots.clear()

    def prune(self, base: int, heads: Iterable[Head]) -> None:
        """Follow the chain only from the snapshot at `base` on, whose heads these are, durable at once.

        Blocks up to there and entries before the heads go. All evidence stays. Raises as `commit`.
        """
        self.commit()
        with self._transaction():
            self._move_base(base, heads)

    def prune_votes(self, below: int) -> None:
        """Delete votes of lower heights, but for each validator's last, durable at once. Raises as `commit`."""
        self.commit()
        with self._transaction():
            self._connection.execute(
                "DELETE FROM votes WHERE height < ? AND EXISTS (SELECT 1 FROM votes AS later WHERE"
                " later.height > votes.height AND later.validator = votes.validator"
                " AND (later.step = 0) = (votes.step = 0))",
                (below,),
            )

    def drop_snapshots(self, heights: Iterable[int]) -> None:
        """Delete these snapshots, durable at once. Raises as `commit`."""
        gone = [(height,) for height in heights]
        if not gone:
            return
        self.commit()
        with self._transaction():
            self._connection.executemany("DELETE FROM snapshots WHERE height = ?", gone)

    def votes(self, height: int) -> list[VoteRow]:
        """All kept votes and proposals of a height."""
        rows = self._select(
            "SELECT height, round, step, validator, envelope FROM votes WHERE height = ?"
            " ORDER BY round, step, validator, envelope",
            (height,),
        )
        return [VoteRow(*row) for row in rows]

    def last_vote(
        self, validator: int, *, proposal: bool = False, first_height: int = 1, before: int | None = None
    ) -> VoteRow | None:
        """The kept vote (or proposal) of a validator index with the highest (height, round, step).

        Heights are at least `first_height` and, where it is given, below `before`.
        """
        rows = self._select(
            "SELECT height, round, step, validator, envelope FROM votes WHERE validator = ? AND (step = 0) = ?"
            " AND height >= ? AND height < ? ORDER BY height DESC, round DESC, step DESC LIMIT 1",
            (validator, proposal, first_height, INT_BOUND - 1 if before is None else before),
        )
        return VoteRow(*rows[0]) if rows else None

    def evidence(self) -> list[bytes]:
        """All kept evidence, ordered by its hash."""
        return [evidence for (evidence,) in self._select("SELECT evidence FROM evidence ORDER BY id", ())]

    def close(self) -> None:
        """Close the file and seal it; what was not committed is dropped."""
        self._connection.close()
        # A seal only adds to what an audit finds: a disk that has no room for one is no fault.
        with suppress(OSError):
            set_seal(self.path)

    def _leave_branch(self, head: Head) -> None:
        """Forget entries of another branch than the one that leads to a decided head."""
        place = (head.member, head.incarnation, head.sequence)
        held = self._connection.execute(
            "SELECT id FROM entries WHERE member = ? AND incarnation = ? AND sequence = ?", place
        ).fetchone()
        if held is not None and held[0] != head.id:
            self._connection.execute(
                "DELETE FROM entries WHERE member = ? AND incarnation = ? AND sequence >= ?", place
            )

    def _move_base(self, base: int, heads: Iterable[Head]) -> None:
        """The chain is followed from here on: entries before the heads go, and blocks and snapshots before it."""
        self._connection.execute("UPDATE cell SET base = ?", (base,))
        self._connection.execute("DELETE FROM snapshots WHERE height < ?", (base,))
        self._connection.execute("DELETE FROM blocks WHERE height <= ?", (base,))
        for head in heads:
            self._connection.execute(
                "DELETE FROM entries WHERE member = ? AND (incarnation, sequence) < (?, ?)",
                (head.member, head.incarnation, head.sequence),
            )

    def _queues(self) -> tuple[list[Any], ...]:
        return (self._entries, self._blocks, self._votes, self._evidence, self._snapshots)

    def _write_queued(self) -> None:
        self._insert(
            "INSERT INTO entries VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
            self._entries,
            "SELECT id FROM entries WHERE member = ? AND incarnation = ? AND sequence = ?",
            key_columns=3,
        )
        self._insert(
            "INSERT INTO blocks VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING",
            self._blocks,
            "SELECT id FROM blocks WHERE height = ?",
            key_columns=1,
        )
        self._connection.executemany(
            "INSERT INTO votes VALUES (?, ?, ?, ?, ?) ON CONFLICT DO NOTHING", self._votes
        )
        self._connection.executemany(
            "INSERT INTO evidence VALUES (?, ?) ON CONFLICT DO NOTHING", self._evidence
        )
        self._connection.executemany("INSERT OR REPLACE INTO snapshots VALUES (?, ?, ?)", self._snapshots)

    def _insert(
        self, insert: str, rows: Sequence[tuple[object, ...]], lookup: str, *, key_columns: int
    ) -> None:
        """Insert rows; one whose key is taken must have the id (the column after the key) that is stored."""
        inserted = self._connection.executemany(insert, rows).rowcount if rows else 0
        if inserted == len(rows):
            return
        for row in rows:
            key, expected = row[:key_columns], row[key_columns]
            (found,) = self._connection.execute(lookup, key).fetchone()
            if found != expected:
                raise Corrupt(f"{self.path}: a row with key {_readable(key)} is stored with another content")

    def _select(self, statement: str, parameters: tuple[object, ...]) -> list[Any]:
        with self._translated():
            return self._connection.execute(statement, parameters).fetchall()

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        """One transaction: what happens inside is stored whole or, after an exception, not at all."""
        with self._translated():
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield
                self._connection.execute("COMMIT")
            except BaseException:
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                raise

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as fault:
            raise storage_error(fault, str(self.path)) from fault


def _entry_row(member: bytes, signed: SignedEntry, first_seen_ns: int) -> _EntryRow:
    entry = signed.entry
    check = first_seen_check(signed.id, first_seen_ns)
    return (member, entry.incarnation, entry.sequence, signed.id, signed.envelope, first_seen_ns, check)


def _readable(key: tuple[object, ...]) -> str:
    return ", ".join(part.hex() if isinstance(part, bytes) else str(part) for part in key)
