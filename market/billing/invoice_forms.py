"""An invoice for machines: JSON and CSV, exact to the last digit, from the integers of the journal.

Energies are kWh with six decimals, prices currency per kWh with six, money currency with up to twelve.
"""

import csv
import io
import json
from collections.abc import Iterable
from datetime import tzinfo

from market.billing.invoice import Invoice, InvoiceItem, InvoiceLine
from market.billing.months import moment
from market.json_text import json_list, json_object
from market.units import kwh_text, money_text, price_text

COLUMNS = (
    "invoice",
    "member",
    "member_id",
    "interval",
    "start",
    "kind",
    "kwh",
    "price",
    "amount",
    "block",
    "posting",
    "reason",
)
"""Columns of the CSV; each row is one posting, so that `amount` adds up to `charges` plus `payments`."""


def invoice_json(invoice: Invoice, zone: tzinfo) -> str:
    """The invoice as a JSON object."""
    books = invoice.books
    return json_object(
        {
            "invoice": json.dumps(invoice.number),
            "cell": json.dumps(books.journal.cell, ensure_ascii=False),
            "cell_id": json.dumps(books.journal.cell_id.hex()),
            "member": json.dumps(invoice.name, ensure_ascii=False),
            "member_id": json.dumps(invoice.member.hex()),
            "month": json.dumps(str(books.month)),
            "zone": json.dumps(books.zone),
            "first_interval": str(books.intervals.start),
            "last_interval": str(books.intervals.stop - 1),
            "closed": json.dumps(books.closed),
            "block": str(books.height),
            "block_id": json.dumps(books.header_id.hex()),
            "currency": json.dumps(books.journal.rules.currency),
            "contribution_kwh": kwh_text(invoice.contribution),
            "consumption_kwh": kwh_text(invoice.consumption),
            "readings": str(invoice.readings),
            "estimated_readings": str(invoice.estimates),
            "opening_balance": money_text(invoice.opening),
            "charges": money_text(invoice.charges),
            "payments": money_text(invoice.payments),
            "closing_balance": money_text(invoice.closing),
            "hash": json.dumps(invoice.digest().hex()),
            "items": json_list(_item_json(item) for item in invoice.items()),
            "lines": json_list(_line_json(invoice, line, zone) for line in invoice.lines),
        }
    )


def invoices_csv(invoices: Iterable[Invoice], zone: tzinfo) -> str:
    """The lines of all these invoices as CSV with a heading."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    for invoice in invoices:
        for line in invoice.lines:
            writer.writerow(
                (
                    invoice.number,
                    invoice.name,
                    invoice.member.hex(),
                    line.interval,
                    _start(invoice, line, zone),
                    line.kind.code,
                    "" if line.energy is None else kwh_text(line.energy),
                    "" if line.price is None else price_text(line.price),
                    money_text(line.amount),
                    line.height,
                    line.place,
                    line.reason,
                )
            )
    return text.getvalue()


def _item_json(item: InvoiceItem) -> str:
    return json_object(
        {
            "kind": json.dumps(item.kind.code),
            "text": json.dumps(item.kind.text),
            "lines": str(item.lines),
            "kwh": "null" if item.energy is None else kwh_text(item.energy),
            "amount": money_text(item.amount),
        }
    )


def _line_json(invoice: Invoice, line: InvoiceLine, zone: tzinfo) -> str:
    return json_object(
        {
            "interval": str(line.interval),
            "start": json.dumps(_start(invoice, line, zone)),
            "kind": json.dumps(line.kind.code),
            "kwh": "null" if line.energy is None else kwh_text(line.energy),
            "price": "null" if line.price is None else price_text(line.price),
            "amount": money_text(line.amount),
            "block": str(line.height),
            "posting": str(line.place),
            "reason": str(line.reason),
        }
    )


def _start(invoice: Invoice, line: InvoiceLine, zone: tzinfo) -> str:
    start_ns = invoice.books.journal.rules.calendar.start_ns(line.interval)
    return moment(start_ns, zone).isoformat()
