"""Shell: what somebody says on the page as an entry of the node's feed: the same way as the commands', and noted.

The entry is left for the daemon, which is told to look at once and signs it; what follows is the cell's decision.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import trio
from fastapi import Body
from starlette.requests import Request

from ledger.errors import LedgerError
from ledger.records.genesis import Role as MemberRole
from market.errors import MarketError
from node.errors import ConfigError, InputRefusedError
from node.founding.founding import OPERATOR_KEY_FILE
from node.saying.speaking import Speaker
from node.saying.spool import Spool
from node.web.acting import Acting
from node.web.faults import BIG, Refusal
from node.web.settings_answers import Left
from node.web.tokens import Role

EnergyPrice = Annotated[str, Body(pattern=r"^-?\d{1,6}(\.\d{1,6})?$", description="currency per kWh")]
Interval = Annotated[int, Body(ge=0, le=BIG, description="the index of an interval")]
MemberName = Annotated[str, Body(min_length=1, max_length=64, description="a name, or the start of an id")]
NOT_READ = "the ledger of this node is not read yet; try again in a moment"


@dataclass(frozen=True, slots=True)
class Saying:
    """What one node says in its feed on behalf of who has a token."""

    acting: Acting

    @property
    def directory(self) -> Path:
        """The node's data directory."""
        return self.acting.watcher.node.config.directory

    @property
    def cell_directory(self) -> Path | None:
        """Where the configuration says that the cell's admission key is."""
        config = self.acting.watcher.node.config
        return None if config.web.cell is None else (Path(config.file).parent / config.web.cell).resolve()

    def speaker(self) -> Speaker | None:
        """The node's member with the cell as this server has verified it; None before that or for no member."""
        node = self.acting.watcher.node
        tip, member = node.history.tip, node.member
        return None if tip is None or member is None else Speaker(self.directory, member, tip)

    def why_not(self, role: MemberRole, what: str) -> str | None:
        """Why what this node says of something would not count; empty if it would, None before the ledger is read."""
        said = self.speaker()
        if said is None:
            return None
        try:
            said.require(role, what)
        except InputRefusedError as fault:
            return str(fault).removeprefix(f"{self.directory}: ")
        return ""

    def why_no_members(self) -> str:
        """Why this node cannot change who belongs to the cell; empty if it can."""
        directory = self.cell_directory
        if directory is None:
            return (
                "this node does not hold the cell's operator key; the machine that does names its directory as `cell`"
                " in the table [web] of the node's configuration, or uses `wattswarm cell add|remove|rotate`"
            )
        if not (directory / OPERATOR_KEY_FILE).is_file():
            return f"{directory} holds no {OPERATOR_KEY_FILE}; it is in the directory that `wattswarm cell init` wrote"
        return ""

    def waiting(self) -> int:
        """How many entries wait for the daemon."""
        return len(Spool(self.directory).waiting())

    async def leave(
        self, request: Request, role: Role, action: dict[str, Any], say: Callable[[Speaker], str]
    ) -> Left:
        """Have `say` leave an entry for who has a token of a role. Raises `Refusal` where it was refused."""
        who = self.acting.access.require(request, role)
        said = self.speaker()
        if said is None:
            raise Refusal(503, "not-ready", NOT_READ)
        try:
            text = await trio.to_thread.run_sync(say, said)
        except (InputRefusedError, ConfigError, MarketError, LedgerError, OSError) as fault:
            why = str(fault).removeprefix(f"{self.directory}: ")
            self.acting.note(request, who, action, why)
            raise Refusal(409, "not-carried-out", why) from fault
        self.acting.note(request, who, action)
        await self.acting.watcher.act({"name": "look"})
        return Left(text=text, waiting=self.waiting())
