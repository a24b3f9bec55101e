"""Shell: what a dso buys, money in and out, and branch meters over the API: shown, and said as the commands say it."""

from typing import Annotated

from fastapi import APIRouter, Body, Depends, Request

from node.saying.meters import say_meter
from node.saying.money import say_deposit
from node.saying.services import Wanted, say_terms
from node.web.acting import UNREACHED, Acting
from node.web.contract_answers import Accounts, BoughtService, Meters
from node.web.faults import ERRORS
from node.web.saying_entries import EnergyPrice, Interval, MemberName, Saying
from node.web.settings_answers import Left
from node.web.tokens import Role
from node.web.views.contract_view import accounts_of, meters_of, services_of

Price = Annotated[str, Body(pattern=r"^\d{1,6}(\.\d{1,6})?$", description="currency per kW and hour")]
Power = Annotated[float, Body(ge=0, le=1e9, description="W")]
Energy = Annotated[str, Body(pattern=r"^\d{1,6}(\.\d{1,6})?$", description="kWh")]
Amount = Annotated[
    str, Body(pattern=r"^-?\d{1,12}(\.\d{1,6})?$", description="currency units; negative: paid out")
]


def contract_api(acting: Acting) -> APIRouter:
    """The routes about services, money and meters of the cell, under /api/v1."""
    router = APIRouter(prefix="/api/v1", dependencies=[Depends(acting.admit)], responses=ERRORS)
    saying = Saying(acting)
    _services(router, saying)
    _money(router, saying)
    _meters(router, saying)
    return router


def _services(router: APIRouter, saying: Saying) -> None:
    watcher, access = saying.acting.watcher, saying.acting.access

    @router.get("/services", tags=["cell"], summary="The services that dsos buy, and what is armed of them")
    async def services(request: Request) -> list[BoughtService]:
        access.require(request, Role.VIEWER)
        return services_of(watcher.node, watcher.cell_ns())

    @router.post(
        "/services", tags=["actions"], summary="Say what this dso buys of a service", responses=UNREACHED
    )
    async def buy(
        request: Request,
        service: Annotated[str, Body(min_length=1, max_length=48)],
        requested: Annotated[bool, Body(strict=True, description="it is called; else it responds by itself")],
        from_interval: Interval,
        up_w: Power = 0.0,
        down_w: Power = 0.0,
        up_price: Price = "0",
        down_price: Price = "0",
        up_energy_price: EnergyPrice = "0",
        down_energy_price: EnergyPrice = "0",
    ) -> Left:
        wanted = Wanted(up_w, down_w, up_price, down_price, up_energy_price, down_energy_price)
        action = {
            "name": "service terms",
            "service": service,
            "from_interval": from_interval,
            "up_w": up_w,
            "down_w": down_w,
            "up_price": up_price,
            "down_price": down_price,
            "up_energy_price": up_energy_price,
            "down_energy_price": down_energy_price,
        }
        return await saying.leave(
            request,
            Role.OPERATOR,
            action,
            lambda said: say_terms(said, service, wanted, requested=requested, from_interval=from_interval),
        )


def _money(router: APIRouter, saying: Saying) -> None:
    watcher, access = saying.acting.watcher, saying.acting.access

    @router.get("/accounts", tags=["cell"], summary="What stands in every account of the cell")
    async def accounts(request: Request) -> Accounts:
        access.require(request, Role.OPERATOR)
        return accounts_of(watcher.node, saying)

    @router.post(
        "/deposits", tags=["actions"], summary="Book money paid in, or out, of a member", responses=UNREACHED
    )
    async def deposit(request: Request, member: MemberName, amount: Amount) -> Left:
        action = {"name": "deposit", "member": member, "amount": amount}
        return await saying.leave(
            request, Role.OPERATOR, action, lambda said: say_deposit(said, member, amount)
        )


def _meters(router: APIRouter, saying: Saying) -> None:
    watcher, access = saying.acting.watcher, saying.acting.access

    @router.get("/meters", tags=["cell"], summary="What the meters of branches counted")
    async def meters(request: Request) -> Meters:
        access.require(request, Role.VIEWER)
        return meters_of(watcher.node, saying, watcher.cell_ns())

    @router.post(
        "/meters", tags=["actions"], summary="Say what a branch's meter counted", responses=UNREACHED
    )
    async def meter(
        request: Request,
        branch: Annotated[str, Body(min_length=1, max_length=64)],
        interval: Interval,
        contribution: Energy,
        consumption: Energy,
    ) -> Left:
        action = {
            "name": "branch meter",
            "branch": branch,
            "interval": interval,
            "contribution": contribution,
            "consumption": consumption,
        }
        return await saying.leave(
            request,
            Role.OPERATOR,
            action,
            lambda said: say_meter(said, branch, contribution, consumption, interval),
        )
