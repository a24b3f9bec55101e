"""Shell: the web server of one node: `python -m node.web.web_process CONFIG PARENT`. Started by the daemon.

It has a lower priority than daemon and control, a bound on memory for what waits, and goes when its parent goes.
"""

import os
import sys
from pathlib import Path

import trio
from hypercorn.config import Config as ServerConfig
from hypercorn.trio import serve

from node.configuration.config import Config, load_config
from node.errors import ConfigError
from node.exit_codes import ExitCode
from node.web.access import Access
from node.web.app import node_app
from node.web.certificates import certificate_of, fingerprint
from node.web.tokens import TokenBook
from node.web.watcher import Watcher, wait_for_files

NICENESS = 10
PARENT_POLL_S = 1.0
WEB_ADDRESS_FILE = "web.address"
"""Where the server says on which address it listens; port 0 in the configuration means any."""
BACKLOG = 64
CLOSE_S = 1.0


def main(arguments: list[str]) -> int:
    """Serve until told to stop, or until the daemon that started this is gone."""
    config_path, parent = Path(arguments[0]), int(arguments[1])
    os.nice(NICENESS)
    try:
        trio.run(_run, config_path, parent)
    except ConfigError as error:
        sys.stderr.write(f"{error}\n")
        return ExitCode.USAGE
    except KeyboardInterrupt:
        return ExitCode.OK
    return ExitCode.OK


def server_config(config: Config) -> ServerConfig:
    """How Hypercorn is to listen for this node."""
    web = config.web
    server = ServerConfig()
    host = f"[{web.host}]" if ":" in web.host else web.host
    server.bind = [f"{host}:{web.port}"]
    server.backlog = BACKLOG
    server.graceful_timeout = CLOSE_S
    server.shutdown_timeout = CLOSE_S
    server.keep_alive_timeout = 30.0
    server.h11_max_incomplete_size = 16 * 1024
    server.include_server_header = False
    pair = certificate_of(config)
    if pair is not None:
        server.certfile, server.keyfile = map(str, pair)
    server.accesslog = None
    server.errorlog = "-"
    return server


def hosts_of(config: Config) -> frozenset[str]:
    """The names under which this server may be asked for, so that no foreign name can be pointed at it."""
    web = config.web
    loopback = {"127.0.0.1", "localhost", "::1"}
    return frozenset(loopback | {web.host}) if web.is_loopback else frozenset()


async def _run(config_path: Path, parent: int) -> None:
    config = load_config(config_path)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(while_parent_lives, parent, nursery.cancel_scope)
        await wait_for_files(config_path)
        watcher = Watcher.of(config_path)
        access = Access(
            TokenBook(config.directory),
            config.web.open_on_loopback and config.web.is_loopback,
            hosts_of(config),
        )
        nursery.start_soon(watcher.run)
        server = server_config(config)
        addresses = await nursery.start(serve, node_app(watcher, access), server)
        (config.directory / WEB_ADDRESS_FILE).write_text(f"{addresses[0]}\n", "utf-8")
        sys.stderr.write(f"the page is at {addresses[0]}\n")
        if server.certfile is not None:
            sys.stderr.write(f"its certificate's SHA-256 is {fingerprint(Path(server.certfile))}\n")


async def while_parent_lives(parent: int, scope: trio.CancelScope) -> None:
    """Cancel a scope once the process that started this one is gone."""
    while os.getppid() == parent:
        await trio.sleep(PARENT_POLL_S)
    scope.cancel()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
