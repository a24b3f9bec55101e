"""Shell: what an owner may change over the API: each change needs a token, is carried out at once, and is noted."""

from dataclasses import asdict
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Body, Depends, Path, Request, Response

from node.errors import InputRefusedError
from node.web import answers as a
from node.web.access import SESSION_COOKIE, SESSION_S, Principal
from node.web.acting import UNREACHED, Acting
from node.web.faults import BIG, ERRORS, MISSING, Refusal
from node.web.settings_answers import Done, Goal, ServiceSetting, Settings
from node.web.tokens import Role
from node.web.views.node_view import alarm_of
from node.web.watcher import Watcher

ModeName = Annotated[
    Literal["grid-support", "standby", "emergency-stop"],
    Body(
        embed=True, description="what the hardware may be used for; emergency-stop rests everything at once"
    ),
]
GoalName = Literal["cheapest", "greenest", "independent"]
Paused = Annotated[bool, Body(embed=True, strict=True, description="whether to stop bidding")]
Private = Annotated[bool, Body(embed=True, strict=True, description="whether looking, too, needs a token")]
Device = Annotated[str, Body(min_length=1, max_length=64, description="the name of a battery")]
Share = Annotated[float, Body(ge=0, le=1, description="the part of its capacity that stays")]
Secret = Annotated[str, Body(embed=True, min_length=1, max_length=200, description="a token")]
PriceLimit = Annotated[float | None, Body(ge=0, le=1_000, description="currency per kWh; null: none")]
Headroom = Annotated[float, Body(ge=0, le=1e9, description="W; 0 arms nothing")]


def action_api(acting: Acting) -> APIRouter:
    """The routes that change something of the owner's, under /api/v1."""
    router = APIRouter(prefix="/api/v1", dependencies=[Depends(acting.admit)], responses=ERRORS)
    _sessions(router, acting)
    _actions(router, acting)
    _preferences(router, acting)
    _acknowledging(router, acting)
    return router


def _sessions(router: APIRouter, acting: Acting) -> None:
    access = acting.access

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
        return _settings(acting.watcher, Principal(known.name, known.role, known))

    @router.post("/logout", tags=["access"], summary="End the session of this browser", status_code=204)
    async def logout(request: Request, response: Response) -> None:
        access.log_out(request)
        response.delete_cookie(SESSION_COOKIE)


def _actions(router: APIRouter, acting: Acting) -> None:
    async def act(request: Request, action: dict[str, Any]) -> Settings:
        return _settings(acting.watcher, await acting.by_daemon(request, action))

    @router.get("/settings", tags=["actions"], summary="What the owner has set")
    async def settings(request: Request) -> Settings:
        return _settings(acting.watcher, acting.access.require(request, Role.VIEWER))

    @router.get("/actions", tags=["actions"], summary="The log of actions, newest first")
    async def actions(request: Request) -> list[Done]:
        acting.access.require(request, Role.OWNER)
        return [Done.model_validate(asdict(each)) for each in acting.log.last(200)]

    @router.post("/mode", tags=["actions"], summary="Emergency stop, standby, or back", responses=UNREACHED)
    async def change_mode(request: Request, mode: ModeName) -> Settings:
        return await act(request, {"name": "mode", "mode": mode})

    @router.post("/trading", tags=["actions"], summary="Pause trading, or go on", responses=UNREACHED)
    async def pause_trading(request: Request, paused: Paused) -> Settings:
        return await act(request, {"name": "trading", "paused": paused})

    @router.post("/reserve", tags=["actions"], summary="Change a battery's reserve", responses=UNREACHED)
    async def change_reserve(request: Request, device: Device, share: Share) -> Settings:
        return await act(request, {"name": "reserve", "device": device, "share": share})


def _preferences(router: APIRouter, acting: Acting) -> None:
    async def act(request: Request, action: dict[str, Any]) -> Settings:
        return _settings(acting.watcher, await acting.by_daemon(request, action))

    @router.post("/preferences", tags=["actions"], summary="What bidding aims at", responses=UNREACHED)
    async def change_preferences(
        request: Request,
        goal: Annotated[GoalName, Body(description="cheapest, greenest, or most independent")],
        price_floor: PriceLimit = None,
        price_cap: PriceLimit = None,
    ) -> Settings:
        bounds = {"price_floor": price_floor, "price_cap": price_cap}
        return await act(request, {"name": "preferences", "goal": goal, **bounds})

    @router.post("/arming", tags=["actions"], summary="Arm a service, or disarm it", responses=UNREACHED)
    async def change_arming(
        request: Request,
        service: Annotated[str, Body(min_length=1, max_length=64, description="one that is configured")],
        up_w: Headroom,
        down_w: Headroom,
    ) -> Settings:
        return await act(request, {"name": "arming", "service": service, "up_w": up_w, "down_w": down_w})

    @router.post("/privacy", tags=["actions"], summary="Whether looking needs a token", responses=UNREACHED)
    async def change_privacy(request: Request, private: Private) -> Settings:
        return await act(request, {"name": "privacy", "private": private})


def _acknowledging(router: APIRouter, acting: Acting) -> None:
    watcher = acting.watcher

    @router.post(
        "/alarms/{number}/acknowledge",
        tags=["actions"],
        summary="Say that an alarm was seen",
        responses=MISSING,
    )
    async def acknowledge(request: Request, number: Annotated[int, Path(ge=0, le=BIG)]) -> a.AlarmAnswer:
        who = acting.access.require(request, Role.OWNER)
        seen = watcher.node.live.alarm(number)
        if seen is None:
            raise Refusal(404, "no-alarm", f"there is no alarm {number}", "number")
        acting.note(request, who, {"name": "acknowledge", "alarm": seen.alarm.code.value})
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
        goal=held.get("goal"),
        price_floor=held.get("price_floor"),
        price_cap=held.get("price_cap"),
        goals=[Goal(name=name, fault=fault) for name, fault in held.get("goals", {}).items()],
        services=[ServiceSetting.model_validate(each) for each in held.get("services", [])],
        private=watcher.private,
        role=who.role if who.token is not None else None,
        name=who.name if who.token is not None else None,
    )
