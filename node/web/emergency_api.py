"""Shell: the cell's emergency over the API: by whose word it is there, who sees what, and who declares what."""

from datetime import datetime

from fastapi import APIRouter, Depends, Request

from node.emergency_view import emergency_view
from node.web.acting import Acting
from node.web.answers import Answer
from node.web.faults import ERRORS
from node.web.tokens import Role
from node.web.watched_node import moment


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


class EmergencyAnswer(Answer):
    """What the newest block says about its last interval. `by`: members or dso; null: there is no emergency."""

    interval: int | None
    by: str | None
    since: int | None
    needed: int | None
    sightings: list[SightingAnswer]
    declarations: list[DeclarationAnswer]


def emergency_api(acting: Acting) -> APIRouter:
    """The route of the cell's emergency, /api/v1/emergency."""
    router = APIRouter(prefix="/api/v1/emergency", dependencies=[Depends(acting.admit)], responses=ERRORS)

    @router.get("", tags=["cell"], summary="Whether the cell is in an emergency, and by whose word")
    async def emergency(request: Request) -> EmergencyAnswer:
        acting.access.require(request, Role.VIEWER)
        tip = acting.watcher.node.history.tip
        if tip is None:
            return EmergencyAnswer(
                interval=None, by=None, since=None, needed=None, sightings=[], declarations=[]
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
        )

    return router
