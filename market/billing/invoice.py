"""The invoice of a member and month: every posting to its account is a line, so that it adds up to the journal.

    opening balance + lines = closing balance        exactly, in pico-currency

A positive amount is in the member's favour, a negative one is what it pays. A positive closing balance is the
member's money, a negative one its debt. Energies are mWh, injection positive.
"""

import hashlib
from dataclasses import dataclass

from ledger.encoding import big_int_bytes, encode
from market.billing.books import MonthBooks
from market.billing.line_kinds import PAYMENTS, LineKind, kind_order, line_kind
from market.billing.movements import Movement
from market.cell_state import member_account
from market.errors import InputError
from market.settlement import Reason

DOMAIN = b"wattswarm/invoice/v1\0"
"""What is hashed begins with this."""


@dataclass(frozen=True, slots=True)
class InvoiceLine:
    """One posting. `price` is what a unit cost where all of them cost the same, µ/kWh, else None."""

    kind: LineKind
    interval: int
    energy: int | None
    price: int | None
    amount: int
    height: int
    place: int
    reason: int


@dataclass(frozen=True, slots=True)
class InvoiceItem:
    """All lines of one kind together; `energy` is None where none of them has one."""

    kind: LineKind
    lines: int
    energy: int | None
    amount: int


@dataclass(frozen=True, slots=True)
class Invoice:
    """A member's month. `charges` is what the month itself came to, `payments` what was paid in less paid out.

    `contribution` and `consumption` are the metered energies of the settled readings, `estimates` how many of
    those are estimates. While the month is open, all of it may still change.
    """

    books: MonthBooks
    member: bytes
    name: str
    opening: int
    lines: tuple[InvoiceLine, ...]
    contribution: int
    consumption: int
    readings: int
    estimates: int

    @property
    def number(self) -> str:
        """What to quote: the month, the cell and the member."""
        return f"{self.books.month}-{self.books.journal.cell_id.hex()[:8]}-{self.member.hex()[:8]}"

    @property
    def charges(self) -> int:
        """What the month brought (cost, if negative), payments apart."""
        return sum(line.amount for line in self.lines if line.kind.code not in PAYMENTS)

    @property
    def payments(self) -> int:
        """Paid in less paid out."""
        return sum(line.amount for line in self.lines if line.kind.code in PAYMENTS)

    @property
    def closing(self) -> int:
        """The account after the month."""
        return self.opening + self.charges + self.payments

    def items(self) -> tuple[InvoiceItem, ...]:
        """The lines added up by kind, in the order of an invoice."""
        kinds: dict[str, list[InvoiceLine]] = {}
        for line in self.lines:
            kinds.setdefault(line.kind.code, []).append(line)
        return tuple(_item(kinds[code]) for code in sorted(kinds, key=kind_order))

    def digest(self) -> bytes:
        """SHA-256 over cell, member, intervals, opening balance and all lines: what a statement commits to."""
        value = (
            self.books.journal.cell_id,
            self.member,
            self.books.intervals.start,
            self.books.intervals.stop,
            big_int_bytes(self.opening),
            tuple(
                (line.height, line.place, line.reason, line.interval, line.energy, big_int_bytes(line.amount))
                for line in self.lines
            ),
        )
        return hashlib.sha256(DOMAIN + encode(value)).digest()


def make_invoice(books: MonthBooks, member: bytes) -> Invoice:
    """The invoice of a member. Raises InputError for one that never was a member."""
    name = books.journal.names.get(member)
    if name is None:
        raise InputError(f"{member.hex()[:16]} never was a member of the cell")
    account = member_account(member)
    metered = [metering for metering in books.meterings if metering.member == member]
    movements = [movement for movement in books.movements if movement.account == account]
    movements.sort(key=lambda movement: (movement.interval, movement.height, movement.place))
    return Invoice(
        books=books,
        member=member,
        name=name,
        opening=books.opening.get(account, 0),
        lines=tuple(_line(movement) for movement in movements),
        contribution=sum(metering.contribution for metering in metered),
        consumption=sum(metering.consumption for metering in metered),
        readings=sum(metering.readings for metering in metered),
        estimates=sum(metering.estimates for metering in metered),
    )


def make_invoices(books: MonthBooks) -> tuple[Invoice, ...]:
    """The invoices of everybody who ever was a member and has an account or a reading, by name."""
    invoices = [make_invoice(books, member) for member in books.journal.names]
    kept = [invoice for invoice in invoices if invoice.lines or invoice.opening or invoice.readings]
    return tuple(sorted(kept, key=lambda invoice: (invoice.name, invoice.member)))


def find_member(books: MonthBooks, text: str) -> bytes:
    """The member of that name, or whose id begins so. Raises InputError."""
    names = books.journal.names
    found = [member for member, name in names.items() if name == text]
    found = found or [member for member in names if text and member.hex().startswith(text.lower())]
    if len(found) == 1:
        return found[0]
    what = "is the name or id of several members" if found else "is no member"
    raise InputError(f"--member: {text!r} {what}; the members are {', '.join(sorted(names.values()))}")


def _line(movement: Movement) -> InvoiceLine:
    energy, amount = movement.energy, movement.amount
    priced = energy and movement.reason != Reason.CORRECTED and amount % energy == 0
    return InvoiceLine(
        kind=line_kind(movement.reason, amount, energy),
        interval=movement.interval,
        energy=energy,
        price=amount // energy if energy and priced else None,
        amount=amount,
        height=movement.height,
        place=movement.place,
        reason=movement.reason,
    )


def _item(lines: list[InvoiceLine]) -> InvoiceItem:
    energies = [line.energy for line in lines if line.energy is not None]
    return InvoiceItem(
        kind=lines[0].kind,
        lines=len(lines),
        energy=sum(energies) if energies else None,
        amount=sum(line.amount for line in lines),
    )
