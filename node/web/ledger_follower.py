"""Shell: follows the ledger of a running node, reading only: every block is verified again before it is shown.

The daemon's file is opened for reading while something is read, and closed again: a reader that stayed would keep
SQLite from finishing its write-ahead log.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from urllib.parse import quote

from ledger.chain.chain import Tip
from ledger.chain.replay import Replayed, first_tip, replay
from ledger.files.directory import GENESIS_FILE, LEDGER_FILE
from ledger.records.genesis import Genesis
from ledger.store.store import Store
from market.cell import EnergyCell
from market.cell_state import CellState
from node.web.cell_alarms import CellAlarms, FoundEntries
from node.web.cell_history import CellHistory


@dataclass(frozen=True, slots=True)
class Found:
    """What a look found: where the history begins anew (None: it goes on), the next blocks, the ledger's height."""

    begins: Tip[CellState] | None
    blocks: tuple[Replayed[CellState], ...]
    height: int


LOOK_TIMEOUT_S = 2.0
"""real seconds to wait for a daemon that is just opening its file."""


class LedgerFollower:
    """Reads a node's ledger for one history; what `read` returns is given to `take` by whoever owns the history."""

    def __init__(self, directory: Path) -> None:
        """Raises OSError or `InvalidGenesis` while the directory holds no genesis."""
        self.directory = directory
        self.history = CellHistory(Genesis.decode((directory / GENESIS_FILE).read_bytes()))

    def read(self, tip: Tip[CellState] | None, most: int) -> Found:
        """The next blocks after a tip, at most so many, verified; may run in a thread of its own.

        Raises `LedgerError` where the ledger does not hold, and `sqlite3.Error` or OSError where it cannot be read now.
        """
        with self._opened() as store:
            begins = tip is None or store.base() > tip.height
            start = first_tip(store, self.history.genesis, EnergyCell()) if begins or tip is None else tip
            blocks = tuple(islice(replay(store, self.history.genesis, EnergyCell(), start), most))
            return Found(start if begins else None, blocks, store.height())

    def take(self, found: Found) -> None:
        """Put what was read into the history."""
        if found.begins is not None:
            self.history.begin(found.begins)
        for each in found.blocks:
            self.history.add(each)

    def entries_of(self, tip: Tip[CellState] | None, member: bytes, count: int) -> list[bytes]:
        """The envelopes of a member's last entries, oldest first. Raises as `read`."""
        known = None if tip is None else tip.membership.by_id(member)
        incarnation = 0 if known is None else known.incarnation
        with self._opened() as store:
            last = store.last_sequence(member, incarnation)
            return store.envelopes(member, incarnation, max(-1, last - count), count)

    def alarms_after(self, alarms: CellAlarms, tip: Tip[CellState]) -> FoundEntries:
        """What members said of alarms since `alarms` were read. Raises as `read`."""
        with self._opened() as store:
            return alarms.read(store, tip)

    @contextmanager
    def _opened(self) -> Iterator[Store]:
        path = self.directory / LEDGER_FILE
        address = f"file:{quote(str(path))}?mode=ro"
        with closing(
            sqlite3.connect(address, uri=True, timeout=LOOK_TIMEOUT_S, isolation_level=None)
        ) as file:
            yield Store(path, self.history.genesis.cell_id, file)
