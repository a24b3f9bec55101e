"""Shell: this member's invoices over the API, made by the same code as `wattswarm market invoice`, from the ledger."""

from base64 import b64encode
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Annotated, Any, Literal

import trio
from fastapi import APIRouter, Query
from fastapi import Path as InPath
from starlette.responses import Response

from ledger.errors import LedgerError
from market.billing.books import Journal, open_month
from market.billing.invoice import Invoice, make_invoice
from market.billing.invoice_forms import invoice_json, invoices_csv
from market.billing.invoice_page import STYLE, invoice_page
from market.billing.months import Month
from market.billing.movements import closing_span
from market.billing.source import journal_of, zone_named
from market.errors import InputError
from node.web.faults import BUSY, MISSING, Refusal
from node.web.served import Served
from node.web.settings_answers import InvoiceMonth
from node.web.watched_node import WatchedNode

MONTHS_SHOWN = 240
STYLE_HASH = b64encode(sha256(STYLE.encode()).digest()).decode()
PAGE_POLICY = (
    f"default-src 'none'; style-src 'sha256-{STYLE_HASH}'; base-uri 'none'; form-action 'none';"
    " frame-ancestors 'none'"
)
"""An invoice is a page of its own with its style inside, and nothing else."""
FORMS = {"json": "application/json", "csv": "text/csv", "html": "text/html"}
FormName = Literal["json", "csv", "html"]
ANSWERS: dict[int | str, dict[str, Any]] = {
    200: {
        "content": {
            "application/json": {"schema": {"type": "object"}},
            "text/csv": {"schema": {"type": "string"}},
            "text/html": {"schema": {"type": "string"}},
        }
    },
    **MISSING,
    **BUSY,
}


@dataclass(slots=True)
class Journals:
    """The journal of one node's ledger, read again when the ledger has grown."""

    directory: Path
    _known: tuple[int, Journal] | None = None

    def at(self, height: int) -> Journal:
        """The journal up to at least a height; may run in a thread of its own. Raises `LedgerError` or OSError."""
        if self._known is None or self._known[0] < height:
            journal = journal_of(self.directory)
            self._known = (journal.blocks[-1].height if journal.blocks else height, journal)
        return self._known[1]


def add_invoice_routes(router: APIRouter, served: Served) -> None:
    """The routes of this member's invoices."""
    node = served.watcher.node
    journals = Journals(node.config.directory)

    @router.get("/invoices", tags=["market"], summary="The months of this member's invoices, newest first")
    async def invoices() -> list[InvoiceMonth]:
        return months_of(node)

    @router.get(
        "/invoices/{month}",
        tags=["market"],
        summary="This member's invoice of a month: as `wattswarm market invoice` makes it",
        response_class=Response,
        responses=ANSWERS,
    )
    async def invoice(
        month: Annotated[str, InPath(pattern=r"^\d{4}-\d{2}$", examples=["2026-01"])],
        form: Annotated[FormName, Query(alias="format", description="html is a page to print")] = "json",
        zone: Annotated[str, Query(max_length=64, description="clocks in which the month begins")] = "UTC",
    ) -> Response:
        member = node.member
        if member is None:
            raise Refusal(404, "no-invoice", "this node is no member of the cell yet", "month")
        height = node.history.height

        def make() -> Invoice:
            books = open_month(journals.at(height), Month.parse(month), zone, zone_named(zone))
            return make_invoice(books, member.id)

        try:
            made = await trio.to_thread.run_sync(make, limiter=served.alone())
        except InputError as fault:
            raise Refusal(404, "no-invoice", str(fault), "month") from fault
        except (LedgerError, OSError) as fault:
            raise Refusal(503, "ledger-fault", str(fault)) from fault
        return _answer(made, form, zone)


def months_of(node: WatchedNode) -> list[InvoiceMonth]:
    """The months that the cell's blocks reach, in UTC, newest first."""
    state = node.state
    if state is None or node.member is None:
        return []
    rules = state.rules
    first, last = node.history.genesis.first_interval, state.last_interval
    found: list[InvoiceMonth] = []
    month = _month_of(node.start_of(first))
    while len(found) < MONTHS_SHOWN and (intervals := month.intervals(rules.interval_s, UTC)).start <= last:
        closed = last >= intervals.stop - 1 + closing_span(rules)
        found.append(
            InvoiceMonth(
                month=str(month),
                first_interval=max(first, intervals.start),
                last_interval=min(last, intervals.stop - 1),
                closed=closed,
            )
        )
        month = month.next
    return found[::-1]


def _month_of(time: datetime) -> Month:
    return Month(time.year, time.month)


def _answer(made: Invoice, form: FormName, zone: str) -> Response:
    clocks = zone_named(zone)
    name = f"invoice-{made.number}.{form}"
    match form:
        case "json":
            return Response(invoice_json(made, clocks) + "\n", media_type=FORMS[form])
        case "csv":
            headers = {"content-disposition": f'attachment; filename="{name}"'}
            return Response(invoices_csv((made,), clocks), media_type=FORMS[form], headers=headers)
        case "html":
            headers = {"content-security-policy": PAGE_POLICY}
            return Response(invoice_page((made,), clocks), media_type=FORMS[form], headers=headers)
