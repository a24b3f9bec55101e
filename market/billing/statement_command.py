"""Shell: `wattswarm market statement`: the month-end statement of a cell, and checking one against a ledger."""

import sys
from pathlib import Path

from market.billing.books import open_month
from market.billing.months import Month
from market.billing.source import journal_of, read_journal, zone_named
from market.billing.statement import first_difference, make_statement, read_statement, statement_text
from market.errors import InputError


def statement_command(directory: Path, /, *, month: str, out: Path | None = None, zone: str = "UTC") -> None:
    """Make the month-end statement of a closed month: every account, why it moved, and the hash of every invoice.

    Whoever holds the ledger can derive it again: `wattswarm ledger verify DIR --statement FILE`.

    Example: wattswarm market statement ./home-1 --month 2026-01 --out 2026-01.json

    Exit status: 0 made; 1 no ledger holds, or the month is not closed yet; 4 the file cannot be written.

    Parameters
    ----------
    directory
        A node's data directory, or a testnet's, of which the first node that verifies is used.
    month
        Year and month, such as 2026-01.
    out
        Write the statement to this file instead of standard output.
    zone
        The time zone in whose clocks the month begins and ends, such as Europe/Zurich.
    """
    clocks = zone_named(zone)
    _, journal = read_journal(directory)
    text = statement_text(make_statement(open_month(journal, Month.parse(month), zone, clocks)))
    if out is None:
        sys.stdout.write(text)
        return
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(text, encoding="utf-8")
    sys.stdout.write(f"Wrote {out}\n")


def check_statement(directory: Path, file: Path) -> str | None:
    """Derive a statement again from a node's ledger: None where it is the same, else where it first differs.

    Raises InputError for a file that is no statement, LedgerError for a ledger that does not hold.
    """
    said = read_statement(file.read_text(encoding="utf-8"))
    try:
        zone = zone_named(str(said["zone"]))
        books = open_month(journal_of(directory), Month.parse(str(said["month"])), str(said["zone"]), zone)
        derived = make_statement(books)
    except InputError as error:
        return str(error)
    return first_difference(said, derived)
