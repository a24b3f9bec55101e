"""Shell: the cell's emergency over the API: by whose word it is there, who sees and declares what; the dso's word."""

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Body, Depends, Request

from node.saying.emergency import say_emergency
from node.saying.speaking import Speaker
from node.views.emergency_view import emergency_view
from node.web.acting import UNREACHED, Acting
from node.web.answers import Answer
from node.web.faults import BIG, ERRORS
from node.web.saying_entries import Saying
from node.web.settings_answers import Left
from node.web.tokens import Role
from node.web.watched_node import moment

Seconds = Annotated[
    int | None, Body(ge=1, le=BIG, description="s of cell time; whole intervals are covered; four if null")
]


class SightingAnswer(Answer):
    """What a member's meter shows by its own word: connected, islanded or dead-bus; `counts`: its word decides."""

    member: str
    seen: str
    since: datetime
    said_in: int
    until: int
    counts: bool


class DeclarationAnswer(Answer):
    """What a dso declares for some intervals: an emergency, or that there is none."""

    dso: str
    emergency: bool
    first: int
    last: int


class PriorityAnswer(Answer):
    """Power of a member, W, that the operator has granted to be served first in an emergency."""

    member: str
    critical_w: float
    essential_w: float


class EmergencyAnswer(Answer):
    """What the newest block says about its last interval. `by`: members or dso; null: there is no emergency."""

    interval: int | None
    by: str | None
    since: int | None
    needed: int | None
    sightings: list[SightingAnswer]
    declarations: list[DeclarationAnswer]
    priorities: list[PriorityAnswer]


def emergency_api(acting: Acting) -> APIRouter:
    """The routes of the cell's emergency, /api/v1/emergency."""
    router = APIRouter(prefix="/api/v1/emergency", dependencies=[Depends(acting.admit)], responses=ERRORS)
    watcher, saying = acting.watcher, Saying(acting)

    @router.get("", tags=["cell"], summary="Whether the cell is in an emergency, and by whose word")
    async def emergency(request: Request) -> EmergencyAnswer:
        acting.access.require(request, Role.VIEWER)
        tip = watcher.node.history.tip
        if tip is None:
            return EmergencyAnswer(
                interval=None, by=None, since=None, needed=None, sightings=[], declarations=[], priorities=[]
            )
        view = emergency_view(tip)
        return EmergencyAnswer(
            interval=view.interval,
            by=view.by,
            since=view.since,
            needed=view.needed,
            sightings=[
                SightingAnswer(
                    member=each.member,
                    seen=each.seen,
                    since=moment(each.since_ns),
                    said_in=each.said_in,
                    until=each.until,
                    counts=each.counts,
                )
                for each in view.sightings
            ],
            declarations=[
                DeclarationAnswer(dso=each.dso, emergency=each.emergency, first=each.first, last=each.last)
                for each in view.declarations
            ],
            priorities=[
                PriorityAnswer(member=each.member, critical_w=each.critical_w, essential_w=each.essential_w)
                for each in view.priorities
            ],
        )

    @router.post(
        "",
        tags=["actions"],
        summary="Declare as dso an emergency of the cell from the next open interval on, or that there is none",
        responses=UNREACHED,
    )
    async def declare(request: Request, emergency: Annotated[bool, Body()], for_s: Seconds = None) -> Left:
        action = {"name": "emergency", "emergency": emergency, "for_s": for_s}

        def say(speaker: Speaker) -> str:
            return say_emergency(speaker, watcher.cell_ns(), emergency=emergency, for_s=for_s)

        return await saying.leave(request, Role.OPERATOR, action, say)

    return router
