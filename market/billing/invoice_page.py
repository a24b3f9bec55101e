"""Invoices as one HTML page to print: a sheet per member, without scripts and without anything from elsewhere."""

from collections.abc import Sequence
from datetime import date, tzinfo
from html import escape

from market.billing.invoice import Invoice, InvoiceItem
from market.billing.line_kinds import PAYMENTS
from market.billing.months import moment
from market.units import MONEY_PER_UNIT, decimal_text, kwh_text, money_text

STYLE = """
body { margin: 0; background: #fff; color: #212529; font: 14px/1.45 system-ui, sans-serif; }
article { max-width: 46rem; margin: 0 auto; padding: 1.5rem; page-break-after: always; }
h1 { margin: 0 0 .2rem; font-size: 1.6rem; }
h2 { margin: 1.6rem 0 .3rem; font-size: 1.05rem; }
p { margin: .2rem 0; color: #495057; overflow-wrap: anywhere; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
th, td { padding: .28rem .5rem; text-align: right; border-bottom: 1px solid #dee2e6; }
th:first-child, td:first-child { text-align: left; }
tr.sum td { font-weight: 600; border-top: 1px solid #212529; }
.due { margin: 1rem 0; padding: .8rem 1rem; border: 1px solid #212529; font-size: 1.3rem; font-weight: 600; }
.open { color: #c92a2a; font-weight: 600; }
footer { margin-top: 1.5rem; font-size: .8rem; color: #495057; overflow-wrap: anywhere; }
@media print { article { padding: 0; max-width: none; } tr { page-break-inside: avoid; } @page { margin: 18mm; } }
"""

NOTE = (
    "Amounts are exact, so that they add up; only what is due is rounded to the cent. Positive amounts are in your "
    "favour. Energy that you gave to the feeder is positive, energy that you took from it negative. What you "
    "contracted in the auction is paid at the price of your branch; what your meter shows beyond the contract is paid "
    "at the supplier's prices, or at the auction's where that is less favourable."
)


def invoice_page(invoices: Sequence[Invoice], zone: tzinfo) -> str:
    """The whole page."""
    sheets = "\n".join(_sheet(invoice, zone) for invoice in invoices)
    title = escape(f"{invoices[0].books.journal.cell}: {invoices[0].books.month}" if invoices else "Invoices")
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{title}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n{sheets}\n</body>\n</html>\n"
    )


def cents_text(money: int) -> str:
    """Money with two decimals, halves rounded away from zero."""
    cents = (abs(money) * 100 + MONEY_PER_UNIT // 2) // MONEY_PER_UNIT
    return decimal_text(-cents if money < 0 else cents, 2)


def _sheet(invoice: Invoice, zone: tzinfo) -> str:
    books = invoice.books
    currency = escape(books.journal.rules.currency)
    calendar = books.journal.rules.calendar
    first = moment(calendar.start_ns(books.intervals.start), zone)
    end = moment(calendar.start_ns(books.intervals.stop), zone)
    until = f"{first:%Y-%m-%d %H:%M} to {end:%Y-%m-%d %H:%M} ({escape(books.zone)})"
    state = "" if books.closed else '<p class="open">Provisional: the month is still open and may change.</p>'
    due = (
        f"To pay: {cents_text(-invoice.closing)} {currency}"
        if invoice.closing < 0
        else f"In your favour: {cents_text(invoice.closing)} {currency}"
    )
    estimated = f", {invoice.estimates} of them estimated" if invoice.estimates else ""
    return (
        f"<article>\n<h1>Invoice {escape(invoice.number)}</h1>\n"
        f"<p>{escape(books.journal.cell)}, for <strong>{escape(invoice.name)}</strong></p>\n"
        f"<p>{until}</p>\n{state}\n"
        f"<p>Metered: {kwh_text(invoice.contribution)} kWh given, {kwh_text(invoice.consumption)} kWh taken, "
        f"in {invoice.readings} readings{estimated}.</p>\n"
        f'<div class="due">{due}</div>\n{_summary(invoice, currency)}\n'
        f"<h2>Day by day</h2>\n{_days(invoice, zone, currency)}\n"
        f"<p>{NOTE}</p>\n"
        f"<footer>Member {invoice.member.hex()}. Derived from block {books.height}, {books.header_id.hex()}, of cell "
        f"{books.journal.cell_id.hex()}. Hash of this invoice: {invoice.digest().hex()}.</footer>\n</article>"
    )


def _summary(invoice: Invoice, currency: str) -> str:
    items = invoice.items()
    charges = [item for item in items if item.kind.code not in PAYMENTS]
    payments = [item for item in items if item.kind.code in PAYMENTS]
    rows = [
        _row("Balance before", "", "", money_text(invoice.opening)),
        *(_item_row(item) for item in charges),
        _row("Sum of the month", "", "", money_text(invoice.charges), style="sum"),
        *(_item_row(item) for item in payments),
        _row("Balance after", "", "", money_text(invoice.closing), style="sum"),
    ]
    heading = f"<tr><th>What</th><th>Entries</th><th>kWh</th><th>{currency}</th></tr>"
    return f"<table>\n{heading}\n" + "\n".join(rows) + "\n</table>"


def _item_row(item: InvoiceItem) -> str:
    energy = "" if item.energy is None else kwh_text(item.energy)
    return _row(item.kind.text, str(item.lines), energy, money_text(item.amount))


def _days(invoice: Invoice, zone: tzinfo, currency: str) -> str:
    """Energy contracted and metered beyond contract, and money, of each day on which something was posted."""
    calendar = invoice.books.journal.rules.calendar
    days: dict[date, list[int]] = {}
    for line in invoice.lines:
        day = moment(calendar.start_ns(line.interval), zone).date()
        sums = days.setdefault(day, [0, 0, 0, 0])
        place = 0 if line.kind.code in ("bought", "sold") else 1
        sums[place] += line.energy or 0
        sums[3 if line.kind.code in PAYMENTS else 2] += line.amount
    heading = (
        "<tr><th>Day</th><th>kWh by contract</th><th>kWh beyond it</th>"
        f"<th>Energy, {currency}</th><th>Payments, {currency}</th></tr>"
    )
    rows = [
        _row(day.isoformat(), kwh_text(sums[0]), kwh_text(sums[1]), money_text(sums[2]), money_text(sums[3]))
        for day, sums in sorted(days.items())
    ]
    return f"<table>\n{heading}\n" + "\n".join(rows) + "\n</table>"


def _row(*cells: str, style: str = "") -> str:
    attribute = f' class="{style}"' if style else ""
    return f"<tr{attribute}>" + "".join(f"<td>{escape(cell)}</td>" for cell in cells) + "</tr>"
