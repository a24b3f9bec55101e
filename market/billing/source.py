"""Shell: a node's ledger, replayed and verified block by block, as the journal that invoices are made from."""

from datetime import UTC, tzinfo
from pathlib import Path
from zoneinfo import ZoneInfo

from ledger.chain.replay import first_tip, replay
from ledger.errors import LedgerError
from ledger.files.directory import LEDGER_FILE
from market.billing.books import Journal
from market.billing.movements import BookedBlock
from market.cell import EnergyCell
from market.errors import InputError
from market.outcomes import BlockOutcomes
from market.reporting.source import candidates, opened_ledger


def read_journal(directory: Path) -> tuple[Path, Journal]:
    """The journal of a node's directory, or of a testnet's first node whose ledger verifies, and which it is.

    Raises InputError with one line per ledger that could not be used.
    """
    faults = []
    for node in candidates(directory):
        try:
            return node, journal_of(node)
        except (LedgerError, OSError) as fault:
            faults.append(f"{node}: {fault}")
    missing = (
        f"{directory}: holds no {LEDGER_FILE}, and no nodes/ with one; name a node's or a testnet's directory"
    )
    raise InputError("\n".join(faults or [missing]))


def journal_of(directory: Path) -> Journal:
    """The journal of one node's ledger. Raises LedgerError when the ledger does not hold."""
    with opened_ledger(directory) as (genesis, store):
        start = first_tip(store, genesis, EnergyCell())
        tip, blocks = start, []
        for replayed in replay(store, genesis, EnergyCell(), start):
            tip, outcomes = replayed.tip, replayed.outcomes
            assert isinstance(outcomes, BlockOutcomes)
            blocks.append(BookedBlock(tip.height, tip.header_id, tip.last_interval, outcomes))
    return Journal(
        cell=genesis.cell_name.decode(),
        cell_id=genesis.cell_id,
        rules=tip.state.rules,
        names={member.id: member.name.decode() for member in tip.membership.everyone},
        base_interval=start.last_interval,
        base=start.state.balances,
        blocks=tuple(blocks),
    )


def zone_named(name: str) -> tzinfo:
    """The time zone of that name, as in `Europe/Zurich`. Raises InputError."""
    if name == "UTC":
        return UTC
    try:
        return ZoneInfo(name)
    except (ValueError, OSError, KeyError) as error:
        raise InputError(
            f"--zone: {name!r} is no time zone that this machine knows; write one such as Europe/Zurich"
        ) from error
