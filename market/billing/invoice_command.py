"""Shell: `wattswarm market invoice`: what a member's month cost, from the ledger itself."""

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter
from rich.console import Console
from rich.table import Table

from market.billing.books import open_month
from market.billing.invoice import Invoice, find_member, make_invoice, make_invoices
from market.billing.invoice_forms import invoice_json, invoices_csv
from market.billing.invoice_page import cents_text, invoice_page
from market.billing.months import Month
from market.billing.source import read_journal, zone_named
from market.json_text import json_list
from market.terminal import table_console
from market.units import kwh_text, money_text


def invoice_command(
    directory: Path,
    /,
    *,
    month: str,
    member: str | None = None,
    as_json: Annotated[bool, Parameter(name="--json", negative="")] = False,
    csv: Path | None = None,
    html: Path | None = None,
    zone: str = "UTC",
) -> None:
    """Make the invoice of a member for a month, or of all members; every posting is a line of it.

    Every block is verified on the way, and the lines add up to the journal exactly. Until the readings of the
    month's last intervals can no longer be corrected, the invoice says that it is provisional.

    Example: wattswarm market invoice ./home-1 --member home-3 --month 2026-01 --html invoice.html

    Exit status: 0 made; 1 no ledger holds, or it does not have the month; 4 a file cannot be written.

    Parameters
    ----------
    directory
        A node's data directory, or a testnet's, of which the first node that verifies is used.
    month
        Year and month, such as 2026-01.
    member
        The member's name, or the start of its id; without it all members.
    as_json
        Print the invoice as one JSON object (of all members: a list of them).
    csv
        Write the lines to this file, one row per posting.
    html
        Write a page to print, one sheet per member.
    zone
        The time zone in whose clocks the month begins and ends, such as Europe/Zurich.
    """
    clocks = zone_named(zone)
    wanted = Month.parse(month)
    source, journal = read_journal(directory)
    books = open_month(journal, wanted, zone, clocks)
    invoices = make_invoices(books) if member is None else (make_invoice(books, find_member(books, member)),)
    console = table_console()
    for path, text in ((csv, invoices_csv), (html, invoice_page)):
        if path is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text(invoices, clocks), encoding="utf-8")
    if as_json:
        texts = [invoice_json(invoice, clocks) for invoice in invoices]
        console.file.write((texts[0] if member is not None else json_list(texts)) + "\n")
        return
    for invoice in invoices:
        print_invoice(invoice, console)
    console.print(f"From {source}, up to block {books.height}.")
    for path in (csv, html):
        if path is not None:
            console.print(f"Wrote {path}")


def print_invoice(invoice: Invoice, console: Console) -> None:
    """The invoice as a table."""
    books, currency = invoice.books, invoice.books.journal.rules.currency
    state = "" if books.closed else ", provisional"
    table = Table(
        title=f"{invoice.name}, {books.month}: invoice {invoice.number}{state}", title_justify="left"
    )
    for heading in ("what", "entries", "kWh", currency):
        table.add_column(heading, justify="left" if heading == "what" else "right")
    table.add_row("Balance before", "", "", money_text(invoice.opening))
    for item in invoice.items():
        energy = "" if item.energy is None else kwh_text(item.energy)
        table.add_row(item.kind.text, str(item.lines), energy, money_text(item.amount))
    table.add_row("Balance after", "", "", money_text(invoice.closing))
    console.print(table)
    due = (
        f"to pay {cents_text(-invoice.closing)}"
        if invoice.closing < 0
        else f"in favour {cents_text(invoice.closing)}"
    )
    console.print(
        f"Metered {kwh_text(invoice.contribution)} kWh given and {kwh_text(invoice.consumption)} kWh taken "
        f"in {invoice.readings} readings, {invoice.estimates} estimated; {due} {currency}"
    )
