"""Shell: what the routes of the API share: the node they show, who may ask, and the one place for costly questions."""

from dataclasses import dataclass

import trio

from node.web.access import Access
from node.web.faults import Refusal
from node.web.watcher import Watcher


@dataclass(slots=True)
class Served:
    """What the API of one node stands on. `heavy` lets one costly question be worked on at a time."""

    watcher: Watcher
    access: Access
    heavy: trio.CapacityLimiter

    def alone(self) -> trio.CapacityLimiter:
        """The right to work on a costly question. Raises `Refusal` while another one is worked on."""
        if not self.heavy.available_tokens:
            raise Refusal(503, "busy", "another proof or audit is being worked on; try again")
        return self.heavy
