"""Shell: what is said in the node's feed over the API: rights on own devices by an owner, the rest by an operator.

Nothing here decides: each action leaves an entry as the commands do, the cell says whether it counts.
"""

from typing import Annotated, Literal

from fastapi import APIRouter, Body, Depends, Request

from market.administration.payloads import Action, DeviceCommand
from node.errors import InputRefusedError
from node.saying.devices import say_command, say_rights
from node.saying.grid import CauseName, say_limit, say_request, start_after
from node.saying.speaking import Speaker
from node.saying.tariffs import say_tariff
from node.views.ledger_view import find_member
from node.web.acting import UNREACHED, Acting
from node.web.faults import ERRORS
from node.web.operator_answers import CellControl
from node.web.saying_entries import EnergyPrice, Interval, Saying
from node.web.settings_answers import DeviceAccess, Left
from node.web.tokens import Role
from node.web.views.control_view import access_of, control_of

DAY_S = 86_400

Priority = Literal["critical", "essential", "normal", "deferrable"]
Command = Literal["stop", "stand-by", "resume"]
COMMANDS = {"stop": Action.STOP, "stand-by": Action.STAND_BY, "resume": Action.RESUME}
Name = Annotated[str, Body(min_length=1, max_length=64)]


def operator_api(acting: Acting) -> APIRouter:
    """The routes that leave an entry for the node to say, under /api/v1."""
    router = APIRouter(prefix="/api/v1", dependencies=[Depends(acting.admit)], responses=ERRORS)
    saying = Saying(acting)
    _looking(router, saying)
    _rights(router, saying)
    _supply(router, saying)
    _grid(router, saying)
    return router


def _looking(router: APIRouter, saying: Saying) -> None:
    watcher, access = saying.acting.watcher, saying.acting.access

    @router.get("/control", tags=["cell"], summary="What can be said of the cell from here, and what holds")
    async def control(request: Request) -> CellControl:
        access.require(request, Role.VIEWER)
        return control_of(watcher.node, saying, watcher.cell_ns())

    @router.get("/access", tags=["node"], summary="Priorities of the devices, and who may use them")
    async def device_access(request: Request) -> list[DeviceAccess]:
        access.require(request, Role.VIEWER)
        return access_of(watcher.node)


def _rights(router: APIRouter, saying: Saying) -> None:
    watcher = saying.acting.watcher

    @router.post(
        "/access", tags=["actions"], summary="Set a device's priority and users", responses=UNREACHED
    )
    async def change_access(
        request: Request,
        device: Name,
        priority: Annotated[Priority | None, Body()] = None,
        operator: Annotated[bool | None, Body(strict=True)] = None,
        dso: Annotated[bool | None, Body(strict=True)] = None,
    ) -> Left:
        changed = {"priority": priority, "operator": operator, "dso": dso}

        def say(said: Speaker) -> str:
            names = [each.name for each in access_of(watcher.node)]
            if device not in names:
                raise InputRefusedError(
                    f"{device}: no device of this node; it has {', '.join(names) or 'none'}"
                )
            say_rights(
                said, device, said.member.id, watcher.cell_ns(), priority=priority, operator=operator, dso=dso
            )
            return f"{device}: the next block says so."

        action = {"name": "access", "device": device, **{k: v for k, v in changed.items() if v is not None}}
        return await saying.leave(request, Role.OWNER, action, say)


def _supply(router: APIRouter, saying: Saying) -> None:
    watcher = saying.acting.watcher

    @router.post("/tariffs", tags=["actions"], summary="Set the supplier's prices", responses=UNREACHED)
    async def change_tariff(
        request: Request, import_price: EnergyPrice, export_price: EnergyPrice, from_interval: Interval
    ) -> Left:
        prices = {"import_price": import_price, "export_price": export_price}
        action = {"name": "tariff", **prices, "from_interval": from_interval}
        return await saying.leave(
            request,
            Role.OPERATOR,
            action,
            lambda said: say_tariff(said, import_price, export_price, from_interval),
        )

    @router.post(
        "/commands", tags=["actions"], summary="Stop or resume members' devices", responses=UNREACHED
    )
    async def command(
        request: Request,
        command: Annotated[Command, Body(description="stop: every battery rests, generation is curtailed")],
        member: Annotated[str | None, Body(min_length=1, max_length=64, description="null: all")] = None,
    ) -> Left:
        def say(said: Speaker) -> str:
            whose = None if member is None else find_member(said.tip.membership, member)
            order = DeviceCommand(COMMANDS[command], None if whose is None else whose.id)
            what = "everybody" if whose is None else whose.name.decode()
            return say_command(said, order, what, watcher.cell_ns())

        action = {"name": "command", "command": command, "member": member or "everybody"}
        return await saying.leave(request, Role.OPERATOR, action, say)


def _grid(router: APIRouter, saying: Saying) -> None:
    watcher = saying.acting.watcher

    @router.post("/limits", tags=["actions"], summary="Limit what a branch carries", responses=UNREACHED)
    async def change_limit(
        request: Request,
        branch: Name,
        limit_w: Annotated[float, Body(ge=0, le=1e9, description="W, both ways")],
        first: Interval,
        last: Interval,
    ) -> Left:
        action = {"name": "limit", "branch": branch, "limit_w": limit_w, "first": first, "last": last}
        return await saying.leave(
            request, Role.OPERATOR, action, lambda said: say_limit(said, branch, limit_w, first, last)
        )

    @router.post("/requests", tags=["actions"], summary="Call a requested service", responses=UNREACHED)
    async def call(
        request: Request,
        service: Name,
        power_w: Annotated[float, Body(ge=-1e9, le=1e9, description="W; positive: inject more")],
        for_s: Annotated[int, Body(ge=1, le=DAY_S, description="seconds of cell time")],
        in_s: Annotated[int, Body(ge=0, le=DAY_S, description="seconds of cell time until then")] = 0,
        branch: Annotated[str | None, Body(min_length=1, max_length=64, description="null: all")] = None,
        cause: Annotated[CauseName, Body()] = "demand-surge",
    ) -> Left:
        def say(said: Speaker) -> str:
            start_ns = start_after(watcher.cell_ns(), in_s)
            return say_request(
                said, service, power_w, start_ns=start_ns, for_s=for_s, branch=branch, cause=cause
            )

        action = {"name": "request", "service": service, "power_w": power_w, "for_s": for_s, "in_s": in_s}
        return await saying.leave(
            request, Role.OPERATOR, {**action, "branch": branch or "all", "cause": cause}, say
        )
