"""Shell: the ASGI application of one node: its API, its schema and its pages."""

from typing import Any

import trio
from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.requests import Request

from node.web.access import Access
from node.web.acting import Acting
from node.web.action_api import action_api
from node.web.action_log import ActionLog
from node.web.alarm_api import alarm_api
from node.web.api import api_of
from node.web.contract_api import contract_api
from node.web.emergency_api import emergency_api
from node.web.faults import Refusal, invalid, refused, refused_with
from node.web.membership_api import membership_api
from node.web.operator_api import operator_api
from node.web.pages import SecureHeaders, static_file
from node.web.protocol_api import protocol_api
from node.web.served import Served
from node.web.virtual_battery_api import virtual_battery_api
from node.web.watcher import Watcher
from node.web.withdrawal_api import withdrawal_api

API_VERSION = "1.0"
APIS = (
    action_api,
    operator_api,
    membership_api,
    contract_api,
    protocol_api,
    withdrawal_api,
    alarm_api,
    emergency_api,
    virtual_battery_api,
)
DESCRIPTION = """\
What one Wattswarm node knows and does. Injection into the feeder is positive, withdrawal negative; energies are mWh,
prices micro-currency per kWh, powers W, money exact decimal text, times ISO 8601 in UTC. Show a token as
`Authorization: Bearer …`. Every answer that is not 2xx is one error object with a stable `code`.
"""


def node_app(watcher: Watcher, access: Access) -> FastAPI:
    """The application of one node; `watcher` has to run beside it."""
    access.private = lambda: watcher.private
    app = FastAPI(
        title="Wattswarm node",
        version=API_VERSION,
        description=DESCRIPTION,
        openapi_url="/api/v1/openapi.json",
        docs_url=None,
        redoc_url=None,
        separate_input_output_schemas=False,
    )
    app.include_router(api_of(Served(watcher, access, trio.CapacityLimiter(1))))
    acting = Acting(watcher, access, ActionLog(watcher.node.config.directory))
    for made in APIS:
        app.include_router(made(acting))
    app.add_route("/", static_file)
    app.add_route("/{name:path}", static_file)
    app.add_middleware(SecureHeaders)
    app.add_exception_handler(Refusal, _refused)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _with_status)
    return app


async def _refused(request: Request, fault: Any) -> JSONResponse:
    return refused(fault)


async def _invalid(request: Request, fault: Any) -> JSONResponse:
    return invalid(request, list(fault.errors()))


async def _with_status(request: Request, fault: Any) -> JSONResponse:
    return refused_with(fault.status_code, fault.detail)
