"""Shell: the API of one node, version 1: read-only answers, events, proofs and audits. The schema is served with it."""

import time
from typing import Annotated

import trio
from fastapi import APIRouter, Depends, Path, Query, Request
from starlette.responses import Response

from devices.hub.privacy import Audience
from ledger.audit.audit import verify_directory
from ledger.errors import LedgerError, PeerError
from ledger.proofs.light_proof import LIGHT_PROOF_BYTES, LightProof
from market.cell import EnergyCell
from market.light_statement import statement_of
from node.errors import InputRefusedError
from node.views.proving import What, prove
from node.web import answers as a
from node.web.access import Principal
from node.web.event_stream import READERS, EventResponse
from node.web.faults import BIG, BUSY, ERRORS, MISSING, Refusal
from node.web.invoice_api import add_invoice_routes
from node.web.served import Served
from node.web.settings_answers import HomeUseAnswer, Utility
from node.web.tokens import Role
from node.web.trade_answers import Fill, Order
from node.web.views.cell_view import block_detail_of, block_of, feeder_of, members_of
from node.web.views.feed_view import entries_of
from node.web.views.home_use_view import home_use_of
from node.web.views.market_view import auction_of, fills_of, orders_of, prices_of, schedule_of
from node.web.views.node_view import alarm_of, ders_of, event_of, flows_of, status_of
from node.web.views.owner_view import story_of, today_of
from node.web.views.utility_view import utility_of

Limit = Annotated[int, Query(ge=1, le=1000, description="how many, the newest")]
Interval = Annotated[int, Path(ge=0, le=BIG, description="the index of an interval")]


def api_of(served: Served) -> APIRouter:
    """The routes under /api/v1."""

    def viewer(request: Request) -> Principal:
        served.access.admit(request)
        return served.access.require(request, Role.VIEWER)

    router = APIRouter(prefix="/api/v1", dependencies=[Depends(viewer)], responses=ERRORS)
    _node_routes(router, served)
    _market_routes(router, served)
    _cell_routes(router, served)
    _proof_routes(router, served)
    _audit_route(router, served)
    add_invoice_routes(router, served)
    return router


def _node_routes(router: APIRouter, served: Served) -> None:
    watcher, node = served.watcher, served.watcher.node

    @router.get("/status", tags=["node"], summary="How the node stands")
    async def status(request: Request) -> a.Status:
        principal = served.access.principal(request)
        can_act = principal is not None and principal.role.covers(Role.OWNER)
        return status_of(node, watcher.cell_ns(), can_act=can_act)

    @router.get("/flows", tags=["node"], summary="Where power flows now")
    async def flows() -> a.Flows:
        return flows_of(node, watcher.cell_ns(), time.monotonic_ns())

    @router.get("/ders", tags=["node"], summary="The devices and their process images")
    async def ders() -> a.Ders:
        return ders_of(node, time.monotonic_ns())

    @router.get("/today", tags=["node"], summary="What today came to")
    async def today() -> a.Today:
        return today_of(node, watcher.cell_ns())

    @router.get("/story", tags=["node"], summary="What happens now and next, and why, in words")
    async def story() -> a.Story:
        cell_ns = watcher.cell_ns()
        seen = flows_of(node, cell_ns, time.monotonic_ns())
        return story_of(node, seen, schedule_of(node, cell_ns, 24))

    @router.get("/utility", tags=["node"], summary="What the utility says that holds now or comes next")
    async def utility() -> Utility:
        return utility_of(node, watcher.cell_ns())

    @router.get(
        "/home-use", tags=["node"], summary="The home's demand as its owner lets it be seen, and advice"
    )
    async def home_use(request: Request) -> HomeUseAnswer:
        principal = served.access.principal(request)
        owner = principal is not None and principal.role.covers(Role.OWNER)
        return home_use_of(node, Audience.OWNER if owner else Audience.CELL)

    @router.get("/alarms", tags=["node"], summary="The alarms, newest first")
    async def alarms(*, standing: bool = False, limit: Limit = 200) -> list[a.AlarmAnswer]:
        seen = node.live.standing() if standing else list(reversed(node.live.alarms))
        return [alarm_of(each) for each in seen[:limit]]

    @router.get("/events", tags=["node"], summary="The log, newest first")
    async def events(limit: Limit = 200) -> list[a.EventAnswer]:
        return [event_of(each) for each in list(reversed(node.live.events))[:limit]]

    @router.get(
        "/stream",
        tags=["node"],
        summary="Live updates as server-sent events; resumes after Last-Event-ID",
        response_class=Response,
        responses={**BUSY, 200: {"content": {"text/event-stream": {"schema": {"type": "string"}}}}},
    )
    async def stream(request: Request) -> Response:
        if watcher.hub.readers >= READERS:
            raise Refusal(503, "too-many-viewers", f"{READERS} pages watch already; close one")
        principal = served.access.require(request, Role.VIEWER)
        last_id = request.headers.get("last-event-id", "")[:64]
        return EventResponse(watcher.hub, last_id, lambda: served.access.still_allowed(principal))


def _market_routes(router: APIRouter, served: Served) -> None:
    watcher, node = served.watcher, served.watcher.node

    @router.get("/schedule", tags=["market"], summary="The intervals around now, forecasts included")
    async def schedule(ahead: Annotated[int, Query(ge=0, le=192)] = 24) -> list[a.Slot]:
        return schedule_of(node, watcher.cell_ns(), ahead)

    @router.get("/forecasts", tags=["market"], summary="What is expected of the intervals to come")
    async def forecasts(ahead: Annotated[int, Query(ge=0, le=192)] = 24) -> list[a.Slot]:
        running = node.interval_at(watcher.cell_ns())
        return [slot for slot in schedule_of(node, watcher.cell_ns(), ahead) if slot.interval >= running]

    @router.get("/orders", tags=["market"], summary="This member's orders, newest first")
    async def orders(limit: Limit = 100) -> list[Order]:
        return orders_of(node, limit)

    @router.get("/fills", tags=["market"], summary="What this member contracted, newest first")
    async def fills(limit: Limit = 100) -> list[Fill]:
        return fills_of(node, limit)

    @router.get("/prices", tags=["market"], summary="The last auctions, oldest first")
    async def prices(limit: Limit = 96) -> list[a.IntervalPrice]:
        return prices_of(node, limit)

    @router.get("/auctions/{interval}", tags=["market"], summary="The merit order", responses=MISSING)
    async def auction(interval: Interval) -> a.Auction:
        block = node.history.auction(interval)
        if block is None:
            raise Refusal(404, "no-auction", f"interval {interval} has no auction here", "interval")
        return auction_of(node, block)


def _cell_routes(router: APIRouter, served: Served) -> None:
    watcher, node = served.watcher, served.watcher.node

    @router.get("/feeder", tags=["cell"], summary="The feeder: flows against limits, local prices")
    async def feeder() -> a.Feeder:
        return feeder_of(node, node.interval_at(watcher.cell_ns()))

    @router.get("/members", tags=["cell"], summary="The members")
    async def members() -> list[a.Member]:
        return members_of(node)

    @router.get("/blocks", tags=["ledger"], summary="The last blocks, newest first")
    async def blocks(
        limit: Limit = 50, before: Annotated[int | None, Query(ge=0, le=BIG)] = None
    ) -> list[a.Block]:
        kept = [b for b in reversed(node.history.blocks) if before is None or b.header.height < before]
        return [block_of(node, block) for block in kept[:limit]]

    @router.get("/blocks/{height}", tags=["ledger"], summary="One block", responses=MISSING)
    async def block(height: Annotated[int, Path(ge=0, le=BIG)]) -> a.BlockDetail:
        found = node.history.block(height)
        if found is None:
            raise Refusal(404, "no-block", f"block {height} is not among those kept here", "height")
        return block_detail_of(node, found)

    @router.get("/feed", tags=["ledger"], summary="This member's own entries, newest first", responses=BUSY)
    async def feed(limit: Limit = 50) -> list[a.FeedEntry]:
        return await entries_of(watcher, limit)


def _proof_routes(router: APIRouter, served: Served) -> None:
    node = served.watcher.node
    directory = node.config.directory

    @router.get(
        "/proofs/{what}",
        tags=["ledger"],
        summary="A proof file about this member, checkable offline",
        response_class=Response,
        responses={
            **MISSING,
            **BUSY,
            200: {
                "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}}
            },
        },
    )
    async def proof(what: What, interval: Annotated[int | None, Query(ge=0, le=BIG)] = None) -> Response:
        try:
            made = await trio.to_thread.run_sync(
                prove, directory, node.name, what, interval, limiter=served.alone()
            )
        except InputRefusedError as fault:
            raise Refusal(404, "not-provable", str(fault), "interval") from fault
        except LedgerError as fault:
            raise Refusal(503, "ledger-fault", str(fault)) from fault
        name = f"{what.value}-{node.name}-{'last' if interval is None else interval}.proof"
        headers = {"content-disposition": f'attachment; filename="{name}"'}
        return Response(made.encode(), media_type="application/octet-stream", headers=headers)

    @router.post(
        "/proofs/verify",
        tags=["ledger"],
        summary="Check a proof file against this cell's genesis",
        responses={413: {"model": a.ErrorAnswer, "description": "the file is too large"}},
        openapi_extra={
            "requestBody": {
                "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}}
            }
        },
    )
    async def verify(request: Request) -> a.Verdict:
        data = bytearray()
        async for chunk in request.stream():
            data += chunk
            if len(data) > LIGHT_PROOF_BYTES:
                raise Refusal(413, "too-large", f"a proof has at most {LIGHT_PROOF_BYTES} bytes")
        try:
            shown = LightProof.decode(bytes(data))
            shown.check(node.history.genesis)
            said = statement_of(shown)
        except PeerError as fault:
            return a.Verdict(holds=False, says=str(fault), height=None)
        return a.Verdict(holds=True, says=str(said), height=shown.certified.header.height)


def _audit_route(router: APIRouter, served: Served) -> None:
    directory = served.watcher.node.config.directory

    @router.post("/audits", tags=["ledger"], summary="Derive this ledger again, offline", responses=BUSY)
    async def audit() -> a.Audit:
        began_s = time.monotonic()
        report = await trio.to_thread.run_sync(
            verify_directory, directory, EnergyCell(), limiter=served.alone()
        )
        failure = report.failure
        return a.Audit(
            verified=report.verified,
            height=0 if report.tip is None else report.tip.height,
            entries=report.entries,
            votes=report.votes,
            where=None if failure is None else failure.where,
            expected=None if failure is None else failure.expected,
            found=None if failure is None else failure.found,
            took_ms=(time.monotonic() - began_s) * 1000,
        )
