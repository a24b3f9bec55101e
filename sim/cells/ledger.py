"""Shell: the ledger of a simulated node: SQLite in memory, on a disk that can lose power, refuse, lie and rot.

SQLite's own recovery is not simulated: a commit is on the disk whole or not at all.
"""

import sqlite3
from errno import ENOSPC
from pathlib import Path
from random import Random

from ledger.errors import Corrupt
from ledger.storage_errors import StorageFull, StorageUnavailable
from ledger.store import Store
from ledger.store_file import connect, schema_fault
from sim.simulated_disk import Health, Power

IN_MEMORY = Path(":memory:")
ROTTEN_COLUMNS = (
    ("entries", ("member", "id", "envelope", "first_seen_ns")),
    ("blocks", ("id", "block", "certificate")),
    ("votes", ("envelope",)),
)
"""Where bits flip, by table: anywhere a row says something."""


class PoweredStore(Store):
    """The ledger in memory; power can fail just before and just after a commit."""

    power: Power
    health: Health

    def commit(self) -> None:
        """Store what is queued, if power lasts. Raises what the real store raises on a disk that refuses."""
        if self.pending:
            self.power.use()
            if self.health.refuses is not None:
                kind = StorageFull if self.health.refuses == ENOSPC else StorageUnavailable
                raise kind(f"{self.path}: the simulated disk refuses")
        super().commit()
        self.power.use()


def new_ledger(cell_id: bytes) -> sqlite3.Connection:
    """An empty ledger."""
    connection = connect(IN_MEMORY, cell_id, create=True)
    connection.execute("PRAGMA synchronous = OFF")
    return connection


def copied(source: sqlite3.Connection) -> sqlite3.Connection:
    """A copy of a whole database."""
    target = sqlite3.connect(IN_MEMORY, isolation_level=None)
    source.backup(target)
    return target


def check_file(connection: sqlite3.Connection) -> None:
    """What the daemon checks of the file before it reads a row. Raises `Corrupt`."""
    fault = schema_fault(connection)
    if fault is not None:
        raise Corrupt(f"{IN_MEMORY}: {fault}")


def flip_bit(connection: sqlite3.Connection, random: Random) -> str:
    """One bit of one row rots; says where. SQLite has no checksums over pages, so it notices nothing."""
    table, columns = random.choice(ROTTEN_COLUMNS)
    column = random.choice(columns)
    rows = connection.execute(f"SELECT rowid, {column} FROM {table} ORDER BY rowid").fetchall()
    if not rows:
        return "an empty table"
    rowid, content = random.choice((rows[0], rows[-1], random.choice(rows)))
    if isinstance(content, int):
        rotten: int | bytes = content ^ 1 << random.randrange(40)
    else:
        changed = bytearray(content)
        changed[random.randrange(len(changed))] ^= 1 << random.randrange(8)
        rotten = bytes(changed)
    connection.execute(f"UPDATE OR IGNORE {table} SET {column} = ? WHERE rowid = ?", (rotten, rowid))
    return f"{column} of row {rowid} of {table}"
