"""Shell: the page of a whole testnet: `python -m sim.testnet.page DIRECTORY PORT PARENT`. All nodes side by side.

Each node's own page is served below `/nodes/NAME/`, from what its daemon tells and what its ledger says.
"""

import os
import sys
import time
from pathlib import Path
from typing import Any

import trio
from hypercorn.config import Config as ServerConfig
from hypercorn.trio import serve
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Mount, Route

from node.founding.founding import CONFIG_FILE
from node.web.access import Access
from node.web.app import node_app
from node.web.faults import Refusal, refused
from node.web.pages import SecureHeaders, static_file
from node.web.tokens import TokenBook
from node.web.views.market_view import prices_of
from node.web.views.node_view import flows_of, status_of
from node.web.views.owner_view import today_of
from node.web.watcher import Watcher, wait_for_files
from node.web.web_process import NICENESS, while_parent_lives
from sim.testnet.layout import NODES_DIRECTORY

HOSTS = frozenset({"127.0.0.1", "localhost"})
OVERVIEW = "overview.html"
PRICES_SHOWN = 48


def main(arguments: list[str]) -> int:
    """Serve until told to stop, or until the testnet is gone."""
    os.nice(NICENESS)
    try:
        trio.run(_run, Path(arguments[0]), int(arguments[1]), int(arguments[2]))
    except KeyboardInterrupt:
        return 0
    return 0


def testnet_app(watchers: dict[str, Watcher], expected: list[str]) -> Starlette:
    """The overview, and the application of each node that is in `watchers`, by name."""

    async def overview(_: Request) -> Response:
        cards = {name: _card(watchers[name]) if name in watchers else None for name in expected}
        furthest = max(watchers.values(), key=lambda each: each.node.history.height, default=None)
        prices = [] if furthest is None else prices_of(furthest.node, PRICES_SHOWN)
        return JSONResponse({"nodes": cards, "prices": [each.model_dump(mode="json") for each in prices]})

    async def page(request: Request) -> Response:
        request.path_params.setdefault("name", OVERVIEW)
        return await static_file(request)

    async def start(_: Request) -> Response:
        return RedirectResponse("./" + OVERVIEW)

    nodes = [
        Mount(f"/nodes/{name}", node_app(each, Access(TokenBook(each.node.config.directory), True, HOSTS)))
        for name, each in watchers.items()
    ]
    app = Starlette(
        routes=[
            Route("/api/overview", overview),
            *nodes,
            Route("/", start),
            Route("/{name:path}", page),
        ]
    )
    app.add_middleware(SecureHeaders)
    app.add_exception_handler(Refusal, _refused)
    return app


async def _run(directory: Path, port: int, parent: int) -> None:
    nodes = sorted((directory / NODES_DIRECTORY).iterdir())
    server = ServerConfig()
    server.bind, server.accesslog, server.errorlog = [f"127.0.0.1:{port}"], None, None
    server.include_server_header = False
    watchers: dict[str, Watcher] = {}
    async with trio.open_nursery() as nursery:
        nursery.start_soon(while_parent_lives, parent, nursery.cancel_scope)
        for node in nodes:
            await wait_for_files(node / CONFIG_FILE)
            watchers[node.name] = Watcher.of(node / CONFIG_FILE)
            nursery.start_soon(watchers[node.name].run)
        app = testnet_app(watchers, [node.name for node in nodes])
        (address,) = await nursery.start(serve, app, server)
        (directory / "page.address").write_text(f"{address}\n", "utf-8")
        sys.stderr.write(f"The page of all nodes: {address}\n")


def _card(watcher: Watcher) -> dict[str, Any]:
    """What the overview shows of one node."""
    cell_ns = watcher.cell_ns()
    return {
        "status": status_of(watcher.node, cell_ns, can_act=False).model_dump(mode="json"),
        "flows": flows_of(watcher.node, cell_ns, time.monotonic_ns()).model_dump(mode="json"),
        "today": today_of(watcher.node, cell_ns).model_dump(mode="json"),
    }


async def _refused(_: Request, fault: Any) -> Response:
    return refused(fault)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
