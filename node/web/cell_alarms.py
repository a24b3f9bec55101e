"""The alarms of the whole cell, gathered from the members' feeds as they grow: each entry is looked at once.

What is read of the store is given to `take` by whoever owns the list, as with `LedgerFollower`.
"""

from collections import deque
from dataclasses import dataclass, field

from ledger.chain.chain import Tip
from ledger.membership.members import Membership
from ledger.records.entries import SignedEntry, open_entry
from ledger.store.store import Store
from market.cell_state import CellState
from market.payloads import Kind
from node.alarms.alarm_log import LedgerAlarm, alarms_of

ENTRIES_PER_LOOK = 2_000
"""entries looked at before others have their turn; each is some tens of microseconds."""
ENTRIES_KEPT = 4_000
"""alarm entries kept, the newest: months of a cell that is well."""
KINDS = frozenset({Kind.ALARM, Kind.ACKNOWLEDGEMENT})

Feed = tuple[bytes, int]
"""A member's id and incarnation."""


@dataclass(frozen=True, slots=True)
class FoundEntries:
    """What a look found: entries about alarms by member, how far each feed was read, whether there is more."""

    entries: tuple[tuple[bytes, SignedEntry], ...]
    read_to: dict[Feed, int]
    more: bool


@dataclass(slots=True)
class CellAlarms:
    """`alarms` is every alarm that is kept, oldest first."""

    alarms: list[LedgerAlarm] = field(default_factory=list)
    _read_to: dict[Feed, int] = field(default_factory=dict)
    _said: deque[tuple[bytes, SignedEntry]] = field(default_factory=lambda: deque(maxlen=ENTRIES_KEPT))

    def read(self, store: Store, tip: Tip[CellState]) -> FoundEntries:
        """The next entries of the feeds; may run in a thread of its own. Raises as the store does."""
        found: list[tuple[bytes, SignedEntry]] = []
        read_to: dict[Feed, int] = {}
        left = ENTRIES_PER_LOOK
        for member in tip.membership.everyone:
            for incarnation in range(member.incarnation + 1):
                feed = (member.id, incarnation)
                after, last = self._read_to.get(feed, -1), store.last_sequence(member.id, incarnation)
                if last <= after:
                    continue
                if not left:
                    return FoundEntries(tuple(found), read_to, more=True)
                envelopes = store.envelopes(member.id, incarnation, after, left)
                opened = [open_entry(envelope, store.cell_id) for envelope in envelopes]
                found += [(member.id, signed) for signed in opened if signed.entry.kind in KINDS]
                read_to[feed] = opened[-1].entry.sequence if opened else last
                left -= len(opened)
        return FoundEntries(tuple(found), read_to, more=not left)

    def take(self, found: FoundEntries, membership: Membership) -> bool:
        """Add what was found; returns whether it says anything of alarms."""
        self._read_to |= found.read_to
        if not found.entries:
            return False
        self._said.extend(found.entries)
        self.alarms = alarms_of(self._said, membership)
        return True

    def find(self, id_: bytes) -> LedgerAlarm | None:
        """The alarm that an entry raised."""
        return next((alarm for alarm in self.alarms if alarm.id == id_), None)
