"""A cell's books for one month: what every account had, what moved, and what it has, from replayed blocks.

`open_month` takes the blocks up to the one that closes the month, or all there are while it is open, so that a
closed month reads the same from whatever later block it is derived. Money is pico-currency.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import tzinfo

from ledger.chain.journal import Balances
from market.billing.months import Month
from market.billing.movements import BookedBlock, Metering, Movement, closing_span, explained
from market.errors import InputError
from market.rules import CellRules


@dataclass(frozen=True, slots=True)
class Journal:
    """A replayed chain: who it is about, what accounts held before its first block, and its blocks in order.

    `base_interval` is the last interval before the first block; `names` has everybody who ever was a member.
    """

    cell: str
    cell_id: bytes
    rules: CellRules
    names: Mapping[bytes, str]
    base_interval: int
    base: Balances
    blocks: tuple[BookedBlock, ...]


@dataclass(frozen=True, slots=True)
class MonthBooks:
    """One month: its intervals, the block up to which it is told, and the movements that belong to it.

    `opening` holds all accounts before the month, `height` and `header_id` name the last block that counts.
    """

    journal: Journal
    month: Month
    zone: str
    intervals: range
    closed: bool
    height: int
    header_id: bytes
    opening: Mapping[bytes, int]
    movements: tuple[Movement, ...]
    meterings: tuple[Metering, ...]

    def closing_of(self, account: bytes) -> int:
        """What an account has after the month."""
        return self.opening.get(account, 0) + sum(
            movement.amount for movement in self.movements if movement.account == account
        )


def open_month(journal: Journal, month: Month, zone_name: str, zone: tzinfo) -> MonthBooks:
    """The books of a month. Raises InputError where the chain does not have (all of) it."""
    rules = journal.rules
    intervals = month.intervals(rules.interval_s, zone)
    blocks = _blocks_of(journal, month, intervals)
    last = blocks[-1]
    closing = intervals.stop - 1 + closing_span(rules)
    movements, meterings = explained(rules, blocks)
    balances = journal.base.post(moved for block in blocks for moved in block.outcomes.postings)
    opening = dict(balances)
    for movement in movements:
        if movement.booked >= intervals.start:
            opening[movement.account] = opening.get(movement.account, 0) - movement.amount
    return MonthBooks(
        journal=journal,
        month=month,
        zone=zone_name,
        intervals=intervals,
        closed=last.last_interval >= closing,
        height=last.height,
        header_id=last.header_id,
        opening={account: amount for account, amount in sorted(opening.items()) if amount},
        movements=tuple(movement for movement in movements if movement.booked in intervals),
        meterings=tuple(metering for metering in meterings if metering.booked in intervals),
    )


def _blocks_of(journal: Journal, month: Month, intervals: range) -> tuple[BookedBlock, ...]:
    """All blocks up to the one that closes the month."""
    if not journal.blocks or journal.blocks[-1].last_interval < intervals.start:
        raise InputError(f"{month}: no block of this ledger reaches that month yet")
    first = journal.base_interval + 1
    if first > intervals.start and journal.blocks[0].height > 1:
        raise InputError(
            f"{month}: this ledger was pruned and its blocks begin after that month did; "
            "ask a member whose node keeps the whole history"
        )
    if first >= intervals.stop:
        raise InputError(f"{month}: the cell was founded after that month")
    closing = intervals.stop - 1 + closing_span(journal.rules)
    taken = []
    for block in journal.blocks:
        taken.append(block)
        if block.last_interval >= closing:
            break
    return tuple(taken)
