"""What closes: the former onto the island's bus, and the breaker towards the public grid. A protocol for drivers.

Both are told under leases like every setpoint. When a lease of the former ends, it lets go of the bus; a breaker stays
as it is, because it only ever closes at the moment it is told to.
"""

from dataclasses import dataclass
from typing import Protocol

from devices.cell_clock import Instant
from devices.leases import Answer, Lease


@dataclass(frozen=True, slots=True)
class SwitchOrder:
    """What is wanted of the switchgear now.

    `form`: the former holds the bus (it closes if it does not yet). `close_breaker`: the breaker towards the public
    grid closes, now or not at all. `island_hz`: the frequency that the former holds.
    """

    form: bool = False
    close_breaker: bool = False
    island_hz: float = 50.0


REST = SwitchOrder()
"""Nothing closes, and the former lets go."""


class Switchgear(Protocol):
    """The switchgear of a site that can form an island."""

    def command(self, lease: Lease[SwitchOrder], now: Instant) -> Answer:
        """Take an order, or refuse it: what would close a former onto a live bus, or a breaker out of step."""
        ...
