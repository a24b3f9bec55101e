"""What the lines of an invoice are called: one name for each kind of posting and direction.

The journal says why money moved by a number (`market.settlement.Reason`). Every posting to a member's account
becomes a line, also one whose number nobody has named here: it then goes by its number. So an invoice always
adds up, and whoever adds a reason gives it a name by adding one row to the table.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from market.settlement import Reason


@dataclass(frozen=True, slots=True)
class LineKind:
    """A kind of invoice line: `code` for machines, `text` for people."""

    code: str
    text: str


_KINDS: Mapping[int, tuple[LineKind, LineKind]] = {
    Reason.CONFIRMED: (
        LineKind("sold", "Energy sold in the auction"),
        LineKind("bought", "Energy bought in the auction"),
    ),
    Reason.TAKEN_OVER: (
        LineKind("purchase-taken-over", "Purchase taken over by the supplier"),
        LineKind("sale-taken-over", "Sale taken over by the supplier"),
    ),
    Reason.SETTLED: (
        LineKind("surplus", "Metered above contract"),
        LineKind("shortfall", "Metered below contract"),
    ),
    Reason.CORRECTED: (
        LineKind("correction-up", "Corrected readings: more injected or less withdrawn"),
        LineKind("correction-down", "Corrected readings: less injected or more withdrawn"),
    ),
    Reason.LOSSES: (
        LineKind("losses-saved", "Less lost in the lines than contracted"),
        LineKind("losses-borne", "More lost in the lines than contracted"),
    ),
    Reason.PASSED_ON: (
        LineKind("delivered-within", "Delivered within the virtual battery"),
        LineKind("taken-within", "Taken within the virtual battery"),
    ),
    Reason.SERVICES: (
        LineKind("services", "Grid services"),
        LineKind("services-returned", "Grid services returned"),
    ),
    Reason.DEPOSITED: (LineKind("deposit", "Paid in"), LineKind("payout", "Paid out")),
}
"""By reason the names for an energy (or, without one, an amount) that is positive, and for one that is negative."""

CODES = tuple(kind.code for pair in _KINDS.values() for kind in pair)
"""All named codes, in the order in which an invoice lists them."""

PAYMENTS = frozenset({"deposit", "payout"})
"""Lines that pay an invoice and are not part of what the month cost."""


def line_kind(reason: int, amount: int, energy: int | None) -> LineKind:
    """The kind of a posting's line."""
    pair = _KINDS.get(reason)
    if pair is None:
        return LineKind(f"posting-{reason}", f"Posting of kind {reason}, which this version has no name for")
    return pair[0] if (energy or amount) > 0 else pair[1]


def kind_order(code: str) -> tuple[int, str]:
    """Where a kind stands in an invoice: named ones in their order, payments last, unnamed ones before those."""
    if code in PAYMENTS:
        return (len(CODES) + 1, code)
    return (CODES.index(code) if code in CODES else len(CODES), code)
