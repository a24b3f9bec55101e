"""Shell: the cell's alarms over the API: what the ledger says of them, and their acknowledgement as a signed entry."""

from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query, Request

from node.errors import InputRefusedError
from node.saying.acknowledgements import say_seen
from node.saying.speaking import Speaker
from node.web.acting import UNREACHED, Acting
from node.web.faults import ERRORS, MISSING, Refusal
from node.web.saying_entries import Saying
from node.web.settings_answers import CellAlarm, Left
from node.web.tokens import Role
from node.web.views.alarm_view import cell_alarms_of

Limit = Annotated[int, Query(ge=1, le=1000, description="how many, the newest")]
AlarmId = Annotated[str, Path(pattern=r"^[0-9a-f]{64}$", description="the id of the alarm")]


def alarm_api(acting: Acting) -> APIRouter:
    """The routes of the cell's alarms, under /api/v1/cell-alarms."""
    router = APIRouter(prefix="/api/v1/cell-alarms", dependencies=[Depends(acting.admit)], responses=ERRORS)
    watcher, saying = acting.watcher, Saying(acting)

    @router.get("", tags=["cell"], summary="The alarms in the ledger, of all members, newest first")
    async def alarms(
        request: Request,
        *,
        open: Annotated[bool, Query(description="only those that stand or nobody saw")] = False,  # noqa: A002
        limit: Limit = 200,
    ) -> list[CellAlarm]:
        acting.access.require(request, Role.VIEWER)
        return cell_alarms_of(watcher.node, watcher.alarms, only_open=open)[:limit]

    @router.post(
        "/{id}/acknowledge",
        tags=["actions"],
        summary="Say in the node's feed that an alarm was seen",
        responses={**UNREACHED, **MISSING},
    )
    async def acknowledge(request: Request, id: AlarmId) -> Left:  # noqa: A002 - the name in the path
        acting.access.require(request, Role.OWNER)
        alarm = watcher.alarms.find(bytes.fromhex(id))
        if alarm is None:
            raise Refusal(404, "no-alarm", f"there is no alarm {id[:12]}", "id")

        def say(said: Speaker) -> str:
            if alarm.acknowledged_ns is not None:
                raise InputRefusedError(f"{alarm.acknowledged_by} has acknowledged it already")
            return say_seen(said, alarm)

        own = watcher.node.member
        role = Role.OWNER if own is not None and own.id == alarm.member else Role.OPERATOR
        action = {"name": "acknowledge", "alarm": alarm.name, "member": alarm.member_name}
        return await saying.leave(request, role, action, say)

    return router
