"""The journal of a world of the tests, as a replayed ledger gives it, and all the months that it touches."""

from datetime import UTC
from typing import Any

from ledger.chain.journal import Balances
from market.billing.books import Journal, MonthBooks, open_month
from market.billing.months import Month, moment
from market.billing.movements import BookedBlock

BEGINNING = 100
"""The first interval of the worlds."""


def journal_of_world(world: Any, blocks: int | None = None) -> Journal:
    """What the world's first `blocks` blocks say, without a number all of them."""
    booked = [
        BookedBlock(block.height, bytes([block.height]) * 32, block.last_interval, outcomes)
        for block, outcomes in zip(world.history, world.outcomes, strict=True)
    ]
    return Journal(
        cell="test",
        cell_id=world.genesis.cell_id,
        rules=world.state.rules,
        names={member.id: member.name.decode() for member in world.membership.everyone},
        base_interval=BEGINNING - 1,
        base=Balances(),
        blocks=tuple(booked[:blocks]),
    )


def months_of(journal: Journal) -> list[Month]:
    """All months with an interval that a block covers."""
    calendar = journal.rules.calendar
    moments = [
        moment(calendar.start_ns(interval), UTC)
        for interval in range(BEGINNING, journal.blocks[-1].last_interval + 1)
    ]
    return sorted({Month(start.year, start.month) for start in moments})


def all_books(journal: Journal) -> list[MonthBooks]:
    """The books of all those months, in order."""
    return [open_month(journal, month, "UTC", UTC) for month in months_of(journal)]
