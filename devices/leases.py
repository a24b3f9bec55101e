"""Leases: every setpoint, limit and permission ends by itself, into a value chosen beforehand.

Times are the machine's monotonic clock in nanoseconds (real time, whatever the speed of the cell).
"""

from dataclasses import dataclass
from typing import Generic, TypeVar

Granted = TypeVar("Granted")


@dataclass(frozen=True, slots=True)
class Lease(Generic[Granted]):
    """`value` from `issued_ns` until just before `expires_ns`, then `reversion`, until another lease replaces
    it.

    `sequence` grows with every lease of one `issuer` and one purpose, so that a late or repeated one is
    known.
    """

    value: Granted
    reversion: Granted
    issued_ns: int
    expires_ns: int
    issuer: str
    sequence: int

    def active(self, now_ns: int) -> bool:
        """Whether the lease still grants its value."""
        return self.issued_ns <= now_ns < self.expires_ns

    def at(self, now_ns: int) -> Granted:
        """The value that holds at `now_ns`."""
        return self.value if self.active(now_ns) else self.reversion


@dataclass(frozen=True, slots=True)
class Accepted:
    """The lease, setpoint or message now holds."""


@dataclass(frozen=True, slots=True)
class Refused:
    """Nothing changed, for this reason."""

    reason: str


Answer = Accepted | Refused


def judge(held: Lease[Granted] | None, offered: Lease[Granted], now_ns: int, longest_ns: int) -> Answer:
    """Whether `offered` may replace `held` (a lease of the same purpose) at `now_ns`.

    Refused when it has expired, is issued in the future, would last longer than `longest_ns`, or is not newer
    than what is held, by issue time and, from the same issuer, by sequence.
    """
    if offered.expires_ns <= now_ns:
        return Refused("the lease has already expired")
    if offered.issued_ns > now_ns:
        return Refused("the lease is issued in the future")
    if offered.expires_ns - offered.issued_ns > longest_ns:
        return Refused("the lease lasts longer than is allowed")
    if held is None:
        return Accepted()
    repeated = held.issuer == offered.issuer and offered.sequence <= held.sequence
    if repeated or offered.issued_ns < held.issued_ns:
        return Refused("a newer lease is held")
    return Accepted()
