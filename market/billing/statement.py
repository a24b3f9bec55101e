"""The month-end statement: what every account of the cell had, why it moved, and what it has; and every invoice's hash.

It is derived from the block that closes the month and from nothing later, so that everybody who holds the ledger
derives the same text. `first_difference` says where a text first differs from what the ledger says. Energies are not
in it, money is pico-currency.
"""

import json

from market.billing.books import MonthBooks
from market.billing.invoice import Invoice, make_invoices
from market.cell_state import member_account
from market.errors import InputError
from market.settlement import Reason
from market.units import money_text

FORMAT = "wattswarm-statement-v1"

Json = dict[str, object]


def make_statement(books: MonthBooks) -> Json:
    """The statement as JSON values; amounts are exact decimal texts. Raises InputError for a month not yet closed."""
    if not books.closed:
        raise InputError(
            f"{books.month}: the month is not closed yet: readings of its last intervals may still be corrected; "
            "an invoice can be made before, a statement not"
        )
    invoices = make_invoices(books)
    return {
        "format": FORMAT,
        "cell": books.journal.cell,
        "cell_id": books.journal.cell_id.hex(),
        "currency": books.journal.rules.currency,
        "month": str(books.month),
        "zone": books.zone,
        "first_interval": books.intervals.start,
        "last_interval": books.intervals.stop - 1,
        "block": books.height,
        "block_id": books.header_id.hex(),
        "accounts": [_account(books, account) for account in _accounts(books)],
        "invoices": [_invoice(invoice) for invoice in invoices],
    }


def statement_text(statement: Json) -> str:
    """The statement as it is written to a file."""
    return json.dumps(statement, ensure_ascii=False, indent=1) + "\n"


def read_statement(text: str) -> Json:
    """The statement in a file. Raises InputError."""
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InputError(f"not valid JSON: {error}") from error
    if not isinstance(found, dict) or found.get("format") != FORMAT:
        raise InputError(f"not a month-end statement: its format is not {FORMAT!r}")
    for key in ("month", "zone"):
        if not isinstance(found.get(key), str):
            raise InputError(f"{key}: must be a text")
    return found


def first_difference(said: object, derived: object, place: str = "") -> str | None:
    """Where two statements first differ, in words, or None where they are the same."""
    if isinstance(said, dict) and isinstance(derived, dict):
        for key in [*derived, *(key for key in said if key not in derived)]:
            where = f"{place}.{key}" if place else str(key)
            if key not in said or key not in derived:
                return f"{where}: {'is missing' if key in derived else 'does not belong here'}"
            if found := first_difference(said[key], derived[key], where):
                return found
        return None
    if isinstance(said, list) and isinstance(derived, list):
        for index, (one, other) in enumerate(zip(said, derived, strict=False)):
            if found := first_difference(one, other, f"{place}[{index}]"):
                return found
        lengths = f"{place}: has {len(said)} rows, the ledger gives {len(derived)}"
        return None if len(said) == len(derived) else lengths
    # 1 == True == 1.0 in Python: a statement has to say the very thing.
    same = type(said) is type(derived) and said == derived
    return None if same else f"{place}: says {json.dumps(said)}, the ledger gives {json.dumps(derived)}"


def _accounts(books: MonthBooks) -> list[bytes]:
    return sorted({*books.opening, *(movement.account for movement in books.movements)})


def _account(books: MonthBooks, account: bytes) -> Json:
    moved: dict[int, int] = {}
    for movement in books.movements:
        if movement.account == account:
            moved[movement.reason] = moved.get(movement.reason, 0) + movement.amount
    opening = books.opening.get(account, 0)
    return {
        "account": _account_name(books, account),
        "opening": money_text(opening),
        "moved": {_reason_name(reason): money_text(moved[reason]) for reason in sorted(moved)},
        "closing": money_text(opening + sum(moved.values())),
    }


def _account_name(books: MonthBooks, account: bytes) -> str:
    for member, name in books.journal.names.items():
        if member_account(member) == account:
            return f"member {name} {member.hex()}"
    return account.decode("ascii", "backslashreplace")


def _reason_name(reason: int) -> str:
    return Reason(reason).name.lower() if reason in set(Reason) else f"posting-{reason}"


def _invoice(invoice: Invoice) -> Json:
    return {
        "invoice": invoice.number,
        "member": invoice.name,
        "member_id": invoice.member.hex(),
        "lines": len(invoice.lines),
        "charges": money_text(invoice.charges),
        "payments": money_text(invoice.payments),
        "closing_balance": money_text(invoice.closing),
        "hash": invoice.digest().hex(),
    }
