"""Shell: what may be changed over the API: each change needs a token, is carried out at once, and is noted with who."""

from dataclasses import asdict
from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Body, Depends, Path, Request, Response

from node.errors import InputRefusedError
from node.web import answers as a
from node.web.access import SESSION_COOKIE, SESSION_S, Access, Principal
from node.web.action_log import ActionLog
from node.web.faults import Refusal
from node.web.tokens import Role
from node.web.views.node_view import alarm_of
from node.web.watcher import Watcher

UNREACHED: dict[int | str, dict[str, Any]] = {
    409: {"model": a.ErrorAnswer, "description": "it was not carried out"},
    503: {"model": a.ErrorAnswer, "description": "the daemon does not answer"},
}
BIG = 2**53 - 1


class Settings(a.Answer):
    """What the owner has set, as it is in force; null while the daemon does not answer."""

    mode: str | None
    paused: bool | None
    reserves: dict[str, float]
    role: Role | None
    name: str | None


class Done(a.Answer):
    """One action of the past."""

    at: datetime
    who: str
    role: str
    address: str
    action: dict[str, Any]
    outcome: str


ModeName = Annotated[
    Literal["grid-support", "standby", "emergency-stop"],
    Body(
        embed=True, description="what the hardware may be used for; emergency-stop rests everything at once"
    ),
]
Paused = Annotated[bool, Body(embed=True, strict=True, description="whether to stop bidding")]
Device = Annotated[str, Body(min_length=1, max_length=64, description="the name of a battery")]
Share = Annotated[float, Body(ge=0, le=1, description="the part of its capacity that stays")]
Secret = Annotated[str, Body(embed=True, min_length=1, max_length=200, description="a token")]


def action_api(watcher: Watcher, access: Access, log: ActionLog) -> APIRouter:
    """The routes that change something, under /api/v1."""

    def admitted(request: Request) -> None:
        access.admit(request)

    from node.web.api import ERRORS

    router = APIRouter(prefix="/api/v1", dependencies=[Depends(admitted)], responses=ERRORS)
    _sessions(router, watcher, access)
    _actions(router, watcher, access, log)
    return router


def _sessions(router: APIRouter, watcher: Watcher, access: Access) -> None:
    @router.post("/login", tags=["access"], summary="Begin a session of this browser with a token")
    async def login(request: Request, response: Response, token: Secret) -> Settings:
        try:
            session, known = access.log_in(request, token)
        except InputRefusedError as fault:
            raise Refusal(401, "wrong-token", str(fault)) from fault
        response.set_cookie(
            SESSION_COOKIE,
            session,
            max_age=int(SESSION_S),
            httponly=True,
            samesite="strict",
            secure=request.url.scheme == "https",
        )
        return _settings(watcher, Principal(known.name, known.role, known))

    @router.post("/logout", tags=["access"], summary="End the session of this browser", status_code=204)
    async def logout(request: Request, response: Response) -> None:
        access.log_out(request)
        response.delete_cookie(SESSION_COOKIE)


def _actions(router: APIRouter, watcher: Watcher, access: Access, log: ActionLog) -> None:
    async def act(request: Request, action: dict[str, Any]) -> Settings:
        who = access.require(request, Role.OWNER)
        address = "unknown" if request.client is None else request.client.host
        fault = await watcher.act(action)
        outcome = {None: "no answer", "": "done"}.get(fault, str(fault))
        log.add(who.name, who.role.value, address, action, outcome)
        if fault is None:
            raise Refusal(
                503, "daemon-silent", "the daemon does not answer; nothing is known to have changed"
            )
        if fault:
            raise Refusal(409, "not-carried-out", fault)
        return _settings(watcher, who)

    @router.get("/settings", tags=["actions"], summary="What the owner has set")
    async def settings(request: Request) -> Settings:
        return _settings(watcher, access.require(request, Role.VIEWER))

    @router.get("/actions", tags=["actions"], summary="The log of actions, newest first")
    async def actions(request: Request) -> list[Done]:
        access.require(request, Role.OWNER)
        return [Done.model_validate(asdict(each)) for each in log.last(200)]

    @router.post("/mode", tags=["actions"], summary="Emergency stop, standby, or back", responses=UNREACHED)
    async def change_mode(request: Request, mode: ModeName) -> Settings:
        return await act(request, {"name": "mode", "mode": mode})

    @router.post("/trading", tags=["actions"], summary="Pause trading, or go on", responses=UNREACHED)
    async def pause_trading(request: Request, paused: Paused) -> Settings:
        return await act(request, {"name": "trading", "paused": paused})

    @router.post("/reserve", tags=["actions"], summary="Change a battery's reserve", responses=UNREACHED)
    async def change_reserve(request: Request, device: Device, share: Share) -> Settings:
        return await act(request, {"name": "reserve", "device": device, "share": share})

    @router.post(
        "/alarms/{number}/acknowledge",
        tags=["actions"],
        summary="Say that an alarm was seen",
        responses={404: {"model": a.ErrorAnswer, "description": "there is none"}},
    )
    async def acknowledge(request: Request, number: Annotated[int, Path(ge=0, le=BIG)]) -> a.AlarmAnswer:
        who = access.require(request, Role.OWNER)
        seen = watcher.node.live.alarm(number)
        if seen is None:
            raise Refusal(404, "no-alarm", f"there is no alarm {number}", "number")
        address = "unknown" if request.client is None else request.client.host
        log.add(
            who.name, who.role.value, address, {"name": "acknowledge", "alarm": seen.alarm.code.value}, "done"
        )
        seen.acknowledged_by = who.name
        answer = alarm_of(seen)
        watcher.hub.publish("alarm", answer.model_dump(mode="json"))
        return answer


def _settings(watcher: Watcher, who: Principal) -> Settings:
    live = watcher.node.live
    held = live.core.get("settings") or {} if live.connected else {}
    return Settings(
        mode=None if live.image is None or not live.connected else live.image.mode.value,
        paused=held.get("paused"),
        reserves=held.get("reserves", {}),
        role=who.role if who.token is not None else None,
        name=who.name if who.token is not None else None,
    )
