"""Shell: how a change that was asked for over the API is admitted, carried out and noted, whichever change it is."""

from dataclasses import dataclass
from typing import Any

from starlette.requests import Request

from node.web import answers as a
from node.web.access import Access, Principal
from node.web.action_log import ActionLog
from node.web.faults import Refusal
from node.web.tokens import Role
from node.web.watcher import Watcher

UNREACHED: dict[int | str, dict[str, Any]] = {
    409: {"model": a.ErrorAnswer, "description": "it was not carried out"},
    503: {"model": a.ErrorAnswer, "description": "the daemon does not answer"},
}


@dataclass(frozen=True, slots=True)
class Acting:
    """What changes need: who may, what carries them out, and where they are noted."""

    watcher: Watcher
    access: Access
    log: ActionLog

    def admit(self, request: Request) -> None:
        """Refuse what no principal may do. Raises `Refusal`."""
        self.access.admit(request)

    def note(self, request: Request, who: Principal, action: dict[str, Any], outcome: str = "done") -> None:
        """Note an action and what came of it. Raises OSError."""
        address = "unknown" if request.client is None else request.client.host
        self.log.add(who.name, who.role.value, address, action, outcome)

    async def by_daemon(self, request: Request, action: dict[str, Any]) -> Principal:
        """Have the daemon carry out an owner's change; who asked. Raises `Refusal` where it was not carried out."""
        who = self.access.require(request, Role.OWNER)
        fault = await self.watcher.act(action)
        self.note(request, who, action, {None: "no answer", "": "done"}.get(fault, str(fault)))
        if fault is None:
            raise Refusal(
                503, "daemon-silent", "the daemon does not answer; nothing is known to have changed"
            )
        if fault:
            raise Refusal(409, "not-carried-out", fault)
        return who
