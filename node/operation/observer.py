"""Shell: watches a running daemon from inside, without holding it up, and says how it is (`NodeStatus`)."""

import resource
import shutil
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import structlog

from devices.messages.control_messages import Alarm, AlarmCode, ImageReport, Upward
from ledger.files.directory import LEDGER_FILE
from node.agreement.belonging import confirmations_needed
from node.core.core import NodeCore
from node.events import Now
from node.operation.status import NodeStatus

PAGE_BYTES = resource.getpagesize()


class Observer:
    """What the daemon tells as it goes: events, images, alarms, rounds of its loop."""

    def __init__(
        self,
        name: str,
        directory: Path,
        core: NodeCore,
        member_versions: Callable[[], Mapping[str, str]] = dict,
    ) -> None:
        self.network: Mapping[str, int] = {}
        self._member_versions = member_versions
        self._name = name
        self._directory = directory
        self._core = core
        self._started_ns = self._loop_ns = time.monotonic_ns()
        self._events: Counter[str] = Counter()
        self._image: ImageReport | None = None
        self._alarms: dict[tuple[AlarmCode, str | None], Alarm] = {}
        self._block: Mapping[str, object] = {}
        self._agreement_s: float | None = None

    def came_round(self) -> None:
        """The main loop came round."""
        self._loop_ns = time.monotonic_ns()

    def logged(self, event: str, fields: Mapping[str, object]) -> None:
        """The daemon logged an event."""
        self._events[event] += 1
        if event == "block":
            self._block = fields
            took = fields.get("agreement_ms")
            if isinstance(took, float):
                self._agreement_s = took / 1e3

    def heard(self, message: Upward) -> None:
        """The control process said something."""
        if isinstance(message, ImageReport):
            self._image = message
        elif isinstance(message, Alarm):
            key = (message.code, message.device)
            if message.raised:
                self._alarms[key] = message
            else:
                self._alarms.pop(key, None)

    @property
    def alarms(self) -> tuple[Alarm, ...]:
        """The alarms that are raised."""
        return tuple(self._alarms.values())

    def status(self, now: Now) -> NodeStatus:
        """How the node is at this moment."""
        core, tip = self._core, self._core.ordering.tip
        usage = resource.getrusage(resource.RUSAGE_SELF)
        round_, prices = self._block.get("round"), self._block.get("prices", ())
        member = core.identity.present(tip.membership)
        return NodeStatus(
            name=self._name,
            version=version("wattswarm"),
            real_ns=time.monotonic_ns(),
            started_real_ns=self._started_ns,
            loop_real_ns=self._loop_ns,
            height=tip.height,
            interval=core.ordering.calendar.index_of(now.cell_ns),
            decided_interval=tip.last_interval,
            active=core.active,
            read_only=core.read_only,
            validator=member is not None and member.consensus_key is not None,
            members=len(tip.membership.members),
            validators=len(tip.validators.keys),
            quorum=tip.validators.quorum,
            peers=len(core.syncing.peers),
            needed_peers=confirmations_needed(tip.membership, core.identity.member),
            protocol=tip.membership.protocol.version,
            lacks_protocol=core.ordering.protocols.lacks(tip.membership),
            agreement_s=self._agreement_s,
            round=round_ if isinstance(round_, int) else None,
            prices=tuple(prices) if isinstance(prices, list | tuple) else (),
            image=self._image,
            alarms=self.alarms,
            events=dict(self._events),
            network=dict(self.network),
            refused={name: count for name, count in core.counters.items() if count},
            member_versions=self._member_versions(),
            processor_s=usage.ru_utime + usage.ru_stime,
            memory_bytes=_resident_bytes(),
            ledger_bytes=sum(path.stat().st_size for path in self._directory.glob(f"{LEDGER_FILE}*")),
            disk_free_bytes=shutil.disk_usage(self._directory).free,
        )


@dataclass(frozen=True, slots=True)
class WatchedLog:
    """A log of which an observer hears every event before it is written."""

    log: structlog.typing.FilteringBoundLogger
    observer: Observer

    def info(self, event: str, **fields: object) -> None:
        """An event."""
        self.observer.logged(event, fields)
        self.log.info(event, **fields)

    def warning(self, event: str, **fields: object) -> None:
        """An event that somebody may want to know of."""
        self.observer.logged(event, fields)
        self.log.warning(event, **fields)

    def error(self, event: str, **fields: object) -> None:
        """An event that somebody should know of."""
        self.observer.logged(event, fields)
        self.log.error(event, **fields)


def _resident_bytes() -> int:
    """Of this process, from the kernel."""
    return int(Path("/proc/self/statm").read_text("ascii").split()[1]) * PAGE_BYTES
