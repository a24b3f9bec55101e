"""The setpoint a simulated device holds: it enforces the lease itself, as hardware with its own timer does.

W, injection positive; leases run in real time, physics in cell time.
"""

import math
from collections.abc import Iterator

from devices.cell_clock import Instant
from devices.leases import Answer, Lease, Refused, judge
from devices.limits import PowerRange

LONGEST_SETPOINT_NS = 60_000_000_000
"""A setpoint may outlive a dead controller by a minute at most: hardware timers are set to less in practice.
"""


class HeldSetpoint:
    """One setpoint register with its reversion timer. Before the first command the reversion value holds."""

    def __init__(self, allowed: PowerRange, reversion_w: float) -> None:
        """`reversion_w` must be allowed (ValueError)."""
        if not allowed.contains(reversion_w):
            raise ValueError(f"the reversion value {reversion_w} W is outside {allowed}")
        self._allowed = allowed
        self._reversion_w = reversion_w
        self._lease: Lease[float] | None = None

    def offer(self, lease: Lease[float], now: Instant) -> Answer:
        """Hold a new lease from now on, or say why not."""
        for power_w in (lease.value, lease.reversion):
            if not (math.isfinite(power_w) and self._allowed.contains(power_w)):
                return Refused(f"{power_w} W is outside the nameplate")
        answer = judge(self._lease, lease, now.real_ns, LONGEST_SETPOINT_NS)
        if not isinstance(answer, Refused):
            self._lease = lease
        return answer

    def at(self, real_ns: int) -> float:
        """The setpoint in force."""
        return self._reversion_w if self._lease is None else self._lease.at(real_ns)

    def pieces(self, earlier: Instant, later: Instant) -> Iterator[tuple[Instant, float]]:
        """The setpoints in force between two instants: each with the instant at which it ends."""
        if self._lease is not None and earlier.real_ns < self._lease.expires_ns < later.real_ns:
            yield earlier.until(later, self._lease.expires_ns), self.at(earlier.real_ns)
            yield later, self.at(later.real_ns)
        else:
            yield later, self.at(earlier.real_ns)
