"""Shell: reads the alarms of a cell from a node's ledger, on disk or in the running daemon."""

from collections.abc import Iterator
from pathlib import Path

from ledger.chain.replay import load_chain
from ledger.membership.members import Membership
from ledger.records.entries import SignedEntry, open_entry
from ledger.store.store import Store
from market.cell import EnergyCell
from node.alarms.alarm_log import LedgerAlarm, alarms_of
from node.views.ledger_view import opened


def read_alarms(directory: Path) -> list[LedgerAlarm]:
    """Every alarm in a node's ledger, oldest first; a daemon may be writing it. Raises `InputRefusedError`."""
    with opened(directory) as (genesis, store):
        return alarms_in(store, load_chain(store, genesis, EnergyCell()).membership)


def alarms_in(store: Store, membership: Membership) -> list[LedgerAlarm]:
    """Every alarm in a ledger that is open, oldest first."""
    return alarms_of(_entries(store, membership), membership)


def _entries(store: Store, membership: Membership) -> Iterator[tuple[bytes, SignedEntry]]:
    for member in membership.everyone:
        for incarnation in range(member.incarnation + 1):
            last = store.last_sequence(member.id, incarnation)
            for envelope in store.envelopes(member.id, incarnation, -1, last + 1):
                yield member.id, open_entry(envelope, store.cell_id)
