"""Shell: virtual batteries of members over the API: who bids for whom, who waits for whose word; the node's own."""

from typing import Annotated, Literal

from fastapi import APIRouter, Body, Depends, Request
from pydantic import Field

from market.virtual_battery.payloads import MOST_MEMBERS
from node.saying.virtual_battery import aggregate, delegate, partners, why_not
from node.views.virtual_battery_view import virtual_battery_view
from node.web.acting import UNREACHED, Acting
from node.web.answers import Answer
from node.web.faults import ERRORS
from node.web.saying_entries import Saying
from node.web.settings_answers import Left
from node.web.tokens import Role
from node.web.watched_node import WatchedNode


class BatteryMemberAnswer(Answer):
    """A member that is bid for, and the aggregator that it names: the virtual battery's, or one in between."""

    member: str
    aggregator: str


class VirtualBatteryAnswer(Answer):
    """Members with one `aggregator`, which bids for all; the nameplates (mW) are those of all, its own included."""

    aggregator: str
    branch: str
    max_injection_mw: int
    max_withdrawal_mw: int
    members: list[BatteryMemberAnswer]


class OpenWordAnswer(Answer):
    """What was said and has no effect, and why; `waits_for` has to say the other half, null: that would not help."""

    member: str
    aggregator: str
    said: list[Literal["delegation", "aggregation"]]
    waits_for: str | None
    why: str


class VirtualBatteriesAnswer(Answer):
    """What holds in the auction of `interval`, the next block's, by the newest block; null before the ledger is read.

    Of this node's member: `aggregator` is whom it names, `leads` those it names as aggregator, `bidder` who bids for it
    then (null: it does itself), `partners` who could be in one with it. `fault` says why it cannot be in one: empty if
    it can, null before the ledger is read or for no member.
    """

    interval: int | None
    member: str | None
    fault: str | None
    aggregator: str | None
    leads: list[str]
    bidder: str | None
    partners: list[str]
    virtual_batteries: list[VirtualBatteryAnswer]
    waiting: list[OpenWordAnswer]


def virtual_battery_api(acting: Acting) -> APIRouter:
    """The routes of virtual batteries, /api/v1/virtual-batteries."""
    router = APIRouter(
        prefix="/api/v1/virtual-batteries", dependencies=[Depends(acting.admit)], responses=ERRORS
    )
    watcher, saying = acting.watcher, Saying(acting)

    @router.get("", tags=["cell"], summary="Who bids for whom, and who has still to say so")
    async def virtual_batteries(request: Request) -> VirtualBatteriesAnswer:
        acting.access.require(request, Role.VIEWER)
        return _answer(watcher.node, saying)

    @router.post(
        "/delegation", tags=["actions"], summary="Have an aggregator bid for this member", responses=UNREACHED
    )
    async def join(
        request: Request,
        aggregator: Annotated[
            str | None, Body(embed=True, min_length=1, max_length=64, description="null: it bids for itself")
        ],
    ) -> Left:
        action = {"name": "delegation", "aggregator": aggregator or "nobody"}
        return await saying.leave(request, Role.OWNER, action, lambda said: delegate(said, aggregator))

    @router.post(
        "/aggregation", tags=["actions"], summary="Bid for members as their aggregator", responses=UNREACHED
    )
    async def lead(
        request: Request,
        members: Annotated[
            list[Annotated[str, Field(min_length=1, max_length=64)]],
            Body(embed=True, max_length=MOST_MEMBERS, description="all of them; none ends it"),
        ],
    ) -> Left:
        action = {"name": "aggregation", "members": ", ".join(members) or "nobody"}
        return await saying.leave(request, Role.OWNER, action, lambda said: aggregate(said, members))

    return router


def _answer(node: WatchedNode, saying: Saying) -> VirtualBatteriesAnswer:
    tip, said = node.history.tip, saying.speaker()
    if tip is None:
        return VirtualBatteriesAnswer(
            interval=None,
            member=None,
            fault=None,
            aggregator=None,
            leads=[],
            bidder=None,
            partners=[],
            virtual_batteries=[],
            waiting=[],
        )
    view, book = virtual_battery_view(tip), tip.state.virtual_batteries
    own = None if said is None else said.member
    named = None if own is None else book.delegations.get(own.id)
    led = () if own is None else book.aggregations.get(own.id, ())
    bidder = next(
        (
            battery.aggregator
            for battery in view.virtual_batteries
            if own is not None and own.name.decode() in {each.member for each in battery.members}
        ),
        None,
    )
    return VirtualBatteriesAnswer(
        interval=view.interval,
        member=None if own is None else own.name.decode(),
        fault=None if said is None else why_not(said),
        aggregator=None if named is None else node.history.name_of(named),
        leads=sorted(node.history.name_of(each) for each in led),
        bidder=bidder,
        partners=[] if said is None else partners(said),
        virtual_batteries=[
            VirtualBatteryAnswer(
                aggregator=each.aggregator,
                branch=each.branch,
                max_injection_mw=each.max_injection_mw,
                max_withdrawal_mw=each.max_withdrawal_mw,
                members=[
                    BatteryMemberAnswer(member=part.member, aggregator=part.aggregator)
                    for part in each.members
                ],
            )
            for each in view.virtual_batteries
        ],
        waiting=[
            OpenWordAnswer(
                member=each.member,
                aggregator=each.aggregator,
                said=list(each.said),
                waits_for=each.waits_for,
                why=each.why,
            )
            for each in view.waiting
        ],
    )
