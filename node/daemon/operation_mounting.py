"""Shell: everything of operation that runs inside a daemon, in one place: what is observed, served and told."""

from collections.abc import Callable
from typing import TYPE_CHECKING, cast

import structlog
import trio

from node.agreement.belonging import connectable
from node.configuration.config import Config
from node.core.core import NodeCore
from node.events import Now
from node.notification.watching import Watching
from node.operation.listener import OperationServer
from node.operation.observer import Observer, WatchedLog
from node.operation.service_notices import ServiceManager
from node.operation.status import NodeStatus
from node.operation.telling_versions import TellingVersions
from node.transport.interface import Transport

if TYPE_CHECKING:
    from trio_typing import TaskStatus  # the stubs the checker sees lack trio.TaskStatus


class Operation:
    """The operator's side of one daemon."""

    def __init__(
        self,
        config: Config,
        core: NodeCore,
        log: structlog.typing.FilteringBoundLogger,
        now: Callable[[], Now],
    ) -> None:
        self.versions = TellingVersions(
            config.node.name,
            config.directory,
            lambda: connectable(core.gathering.membership),
            lambda: now().cell_ns,
        )
        self.observer = Observer(config.node.name, config.directory, core, self.versions.by_name)
        self._watching = Watching(config, self.status, log)
        self._config = config
        self.log = cast("structlog.typing.FilteringBoundLogger", WatchedLog(log, self.observer))
        self._now = now

    def status(self) -> NodeStatus:
        """How the node is at this moment."""
        return self.observer.status(self._now())

    async def run(
        self, transport: Transport, *, task_status: "TaskStatus[None]" = trio.TASK_STATUS_IGNORED
    ) -> None:
        """Until cancelled. Raises AddressInUse."""
        self.observer.network = transport.counters
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self.versions.run, transport)
            nursery.start_soon(self._watching.run)
            listen = self._config.metrics.listen
            if listen is not None:
                address = await nursery.start(OperationServer(listen, self.status).run)
                self.log.info("metrics", address=address)
            task_status.started()
            await ServiceManager().run(self.status)
            await trio.sleep_forever()
