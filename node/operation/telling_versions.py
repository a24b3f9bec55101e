"""Shell: tells the other members which version this node runs, hears theirs, and keeps the list for people."""

import json
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Final

import trio

from ledger.errors import PeerError
from ledger.records.protocols import known
from node.constants import ADDRESSES_EVERY_S, ADDRESSES_SOON_S, VERSIONS
from node.operation.versions import MemberVersions, RunningVersion, versions_json
from node.transport.interface import Gossip, Transport

VERSIONS_FILE: Final = "versions.json"


class TellingVersions:
    """One node's end of the topic `versions`."""

    def __init__(
        self,
        name: str,
        directory: Path,
        members: Callable[[], tuple[tuple[bytes, str], ...]],
        cell_ns: Callable[[], int],
    ) -> None:
        """`members` are the feed keys and names of all, as the ledger has them now."""
        self._name = name
        self._path = directory / VERSIONS_FILE
        self._members = members
        self._cell_ns = cell_ns
        self._heard = MemberVersions()
        self._met = trio.Event()

    def hear(self, gossip: Gossip) -> None:
        """A member says what it runs."""
        try:
            if self._heard.hear(gossip.author, gossip.data):
                self._keep()
        except PeerError:
            return

    def met(self) -> None:
        """A member has come up, who may not know what we run."""
        self._met.set()

    def by_name(self) -> dict[str, str]:
        """The versions of the other members of whom we heard."""
        return {name: said.version for name, said in self._heard.named(self._members()).items()}

    async def run(self, transport: Transport) -> None:
        """Say what we run, now and then, and soon after somebody came up, until cancelled."""
        self._keep()
        while True:
            await transport.publish(VERSIONS, self._own().encode())
            with trio.move_on_after(ADDRESSES_EVERY_S):
                await self._met.wait()
            await trio.sleep(ADDRESSES_SOON_S)
            self._met = trio.Event()

    def _own(self) -> RunningVersion:
        return RunningVersion(self._cell_ns(), version("wattswarm"), known())

    def _keep(self) -> None:
        """For `wattswarm node versions`; it is only news, so a full disk may lose it."""
        table = versions_json(self._name, self._own(), self._heard.named(self._members()))
        draft = self._path.with_suffix(".draft")
        try:
            draft.write_text(json.dumps(table, indent=1) + "\n", "utf-8")
            draft.rename(self._path)
        except OSError:
            return
