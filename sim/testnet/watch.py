"""Reads what daemons log and keeps what a testnet wants to know of it. Lines are JSON; anything else is passed over."""

import json
from collections.abc import Iterable
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class BlockSeen:
    """A block that one node decided. `agreement_ms` is None where the node only caught up."""

    height: int
    id: str
    interval: int
    round: int
    agreement_ms: float | None
    prices: tuple[int | None, ...]
    volume: int


@dataclass(slots=True)
class NodeView:
    """What one daemon said so far. `starts` counts its runs; what only one run can say is forgotten at the next."""

    starts: int = 0
    ready: bool = False
    listening: bool = False
    active: bool = False
    peers: int = 0
    blocks: dict[int, BlockSeen] = field(default_factory=dict)
    control_pid: int | None = None
    usage: dict[str, object] = field(default_factory=dict)
    failure: str | None = None
    read_only: str | None = None
    behind_guard: bool = False

    @property
    def height(self) -> int:
        """The last height decided."""
        return max(self.blocks, default=0)

    @property
    def interval(self) -> int:
        """The last interval covered by a decided block, -1 before the first."""
        return max((block.interval for block in self.blocks.values()), default=-1)

    @property
    def decided(self) -> int:
        """The last height this node decided itself, 0 before the first; blocks it only fetched do not count."""
        own = (block.height for block in self.blocks.values() if block.agreement_ms is not None)
        return max(own, default=0)

    def read(self, lines: Iterable[bytes]) -> None:
        """Take the next lines of the daemon's log."""
        for line in lines:
            try:
                event = json.loads(line)
            except ValueError:
                continue
            if isinstance(event, dict):
                self._take(event)

    def _take(self, event: dict[str, object]) -> None:
        match event.get("event"):
            case "ready":
                self.starts += 1
                self.ready, self.listening, self.active = True, False, False
                self.peers, self.failure = 0, None
            case "listening":
                self.listening = True
            case "active":
                self.active = True
            case "control":
                pid = event["pid"]
                self.control_pid = pid if isinstance(pid, int) else None
            case "peer_up" | "peer_lost":
                peers = event["peers"]
                self.peers = peers if isinstance(peers, int) else 0
            case "block":
                block = _block(event)
                self.blocks[block.height] = block
            case "behind_guard":
                self.behind_guard = True
            case "read_only":
                self.read_only = str(event["reason"])
            case "ended":
                self.usage = event
            case "failed" | "refused":
                self.failure = str(event.get("reason"))


def _block(event: dict[str, object]) -> BlockSeen:
    prices, waited = event["prices"], event["agreement_ms"]
    assert isinstance(prices, list)
    return BlockSeen(
        height=int(str(event["height"])),
        id=str(event["id"]),
        interval=int(str(event["interval"])),
        round=int(str(event["round"])),
        agreement_ms=float(str(waited)) if waited is not None else None,
        prices=tuple(prices),
        volume=int(str(event["volume"])),
    )
