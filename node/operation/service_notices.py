"""Shell: tells the service manager how the node is, over the socket that systemd names in `NOTIFY_SOCKET`.

The protocol is sd_notify(3): datagrams of `NAME=value` lines. `READY=1` when the node listens and its devices are held,
`WATCHDOG=1` at half of `WATCHDOG_USEC` while the node lives (`health.not_alive`), `STATUS=` for people, `STOPPING=1` at
the end. A manager that does not listen loses the message and nothing else. The library for it on the package index has
not been kept since 2021; the protocol is one datagram.
"""

import os
import socket
from collections.abc import Callable, Mapping
from typing import Final

import trio

from node.operation.health import not_alive, not_ready
from node.operation.status import NodeStatus

SOCKET_VARIABLE: Final = "NOTIFY_SOCKET"
WATCHDOG_VARIABLE: Final = "WATCHDOG_USEC"
WATCHDOG_PROCESS_VARIABLE: Final = "WATCHDOG_PID"
READINESS: Final = "X_WATTSWARM_READY"
"""Our own name: 1 when the node does its part in the cell (`/readyz`). systemd passes over what it does not know."""

STATUS_EVERY_S: Final = 5.0


class ServiceManager:
    """Where messages to the service manager go; nowhere if there is none."""

    def __init__(self, environment: Mapping[str, str] = os.environ) -> None:
        self._address = environment.get(SOCKET_VARIABLE, "")
        self._watchdog_s = _watchdog_s(environment)

    @property
    def beat_s(self) -> float:
        """Real seconds between messages: half of what the watchdog waits, at most `STATUS_EVERY_S`."""
        return STATUS_EVERY_S if self._watchdog_s is None else min(STATUS_EVERY_S, self._watchdog_s / 2)

    def tell(self, **fields: str) -> None:
        """Send one message; it is lost where nobody listens."""
        if not self._address:
            return
        text = "\n".join(f"{name}={' '.join(value.split())}" for name, value in fields.items())
        # An abstract socket begins with @, which stands for a NUL byte.
        place = "\0" + self._address[1:] if self._address.startswith("@") else self._address
        with socket.socket(
            socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK
        ) as end:
            try:
                end.sendto(text.encode(), place)
            except OSError:
                return

    async def run(self, status: Callable[[], NodeStatus]) -> None:
        """Say that the node is up, then how it is, until cancelled; then that it stops."""
        if not self._address:
            return
        self.tell(READY="1", **status_fields(status()))
        try:
            while True:
                now = status()
                alive = {} if not_alive(now) or self._watchdog_s is None else {"WATCHDOG": "1"}
                self.tell(**alive, **status_fields(now))
                await trio.sleep(self.beat_s)
        finally:
            self.tell(STOPPING="1", STATUS="gives the devices their reversion values")


def status_fields(status: NodeStatus) -> dict[str, str]:
    """One line for people, and whether the node does its part."""
    reasons = not_ready(status)
    peers = f"block {status.height}, {status.peers} of {status.members - 1} peers"
    return {
        "STATUS": f"{peers}; {reasons[0]}" if reasons else peers,
        READINESS: "0" if reasons else "1",
    }


def _watchdog_s(environment: Mapping[str, str]) -> float | None:
    """How long the watchdog waits, real s; None if it is off or meant for another process."""
    own = environment.get(WATCHDOG_PROCESS_VARIABLE, str(os.getpid())) == str(os.getpid())
    text = environment.get(WATCHDOG_VARIABLE, "")
    return int(text) / 1e6 if own and text.isdigit() and int(text) else None
