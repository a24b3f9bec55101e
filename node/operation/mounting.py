"""Shell: everything of operation that runs inside a daemon, in one place: what is observed, served and told."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import structlog
import trio

from node.config import Config
from node.core import NodeCore
from node.events import Now
from node.operation.listener import OperationServer
from node.operation.observer import Observer
from node.operation.service_manager import ServiceManager
from node.operation.status import NodeStatus

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
        self.observer = Observer(config.node.name, config.directory, core)
        self._config = config
        self._log = log
        self._now = now

    def status(self) -> NodeStatus:
        """How the node is at this moment."""
        return self.observer.status(self._now())

    async def run(
        self, network: Mapping[str, int], *, task_status: "TaskStatus[None]" = trio.TASK_STATUS_IGNORED
    ) -> None:
        """Until cancelled. `network` are the transport's counters. Raises AddressInUse."""
        self.observer.network = network
        async with trio.open_nursery() as nursery:
            listen = self._config.metrics.listen
            if listen is not None:
                address = await nursery.start(OperationServer(listen, self.status).run)
                self._log.info("metrics", address=address)
            task_status.started()
            await ServiceManager().run(self.status)
            await trio.sleep_forever()
