"""A simulated connection that can be left: the public grid of a profile, a breaker, a former and the bus between them.

The profile is the public grid's, beyond the breaker. The breaker opens by itself when that grid fails (its interface
protection), and the bus is then dead until the former closes onto it. Like real switchgear it has an interlock of its
own: it refuses what control must never ask for.
"""

from devices.cell_clock import Instant
from devices.grid_profile import GridProfile
from devices.image import GridImage, Reading
from devices.leases import Accepted, Answer, Lease, Refused, judge
from devices.resilience.islanding import DEAD_PU, KEPT_HZ, KEPT_PU, NS_PER_S
from devices.resilience.switchgear import SwitchOrder
from devices.resilience.synchronising import SyncLimits

LONGEST_ORDER_NS = 60 * NS_PER_S
LIMITS = SyncLimits()
BEGINNING_DEGREES = 120.0
"""Where an island's angle stands when the public grid comes back: anywhere, so not where it may close."""


class SimulatedIsland:
    """A simulated `GridMeter` and `Switchgear` in one, because both look at one bus."""

    def __init__(self, profile: GridProfile) -> None:
        self._profile = profile
        self._closed = True
        self._order: Lease[SwitchOrder] | None = None
        self._forming = False
        self._island_hz = 50.0
        self._angle = 0.0
        self._seen: Instant | None = None

    def energised(self, now: Instant) -> bool:
        """Whether anything holds the bus: what devices notice of it."""
        public = self._profile.at(now.cell_ns)
        return self._forming or (self._closed and public is not None and _alive(public[1]))

    def measure(self, now: Instant) -> GridImage:
        """Both sides of the breaker at `now`; outside its profile nothing is known of the public grid."""
        self._pass_time(now)
        public = self._profile.at(now.cell_ns)
        real_ns = now.real_ns
        public_hz, public_pu = (None, None) if public is None else public[:2]
        if self._closed:
            frequency_hz, voltage_pu = public_hz, public_pu
        elif self._forming:
            frequency_hz, voltage_pu = self._island_hz, 1.0
        else:
            frequency_hz, voltage_pu = None, 0.0
        apart = not self._closed and self._forming and _alive(public_pu)
        return GridImage(
            frequency_hz=_reading(frequency_hz if _alive(voltage_pu) else None, real_ns),
            voltage_pu=_reading(voltage_pu, real_ns),
            breaker_closed=self._closed,
            public_frequency_hz=_reading(public_hz if _alive(public_pu) else None, real_ns),
            public_voltage_pu=_reading(public_pu, real_ns),
            angle_degrees=_reading(self._angle if apart else None, real_ns),
            forming=self._forming,
        )

    def command(self, lease: Lease[SwitchOrder], now: Instant) -> Answer:
        """Take an order; refused is a stale one, and what the interlock forbids, with its reason."""
        self._pass_time(now)
        answer = judge(self._order, lease, now.real_ns, LONGEST_ORDER_NS)
        if isinstance(answer, Refused):
            return answer
        image, order = self.measure(now), lease.value
        if order.form and not self._forming and (self._closed or _alive(image.voltage_pu.value)):
            return Refused("a former closes onto a dead bus only")
        if order.close_breaker and not self._closed:
            reason = self._why_apart(image)
            if reason:
                return Refused(reason)
            self._closed = True
        self._order, self._forming = lease, order.form
        self._island_hz = order.island_hz
        return Accepted()

    def _why_apart(self, image: GridImage) -> str:
        """Why the breaker may not close now; empty where it may."""
        if not _alive(image.voltage_pu.value) or not _alive(_value(image.public_voltage_pu)):
            return ""
        island_hz, public_hz = image.frequency_hz.value, _value(image.public_frequency_hz)
        if island_hz is None or public_hz is None or abs(island_hz - public_hz) > LIMITS.frequency_hz:
            return "the frequencies differ too much"
        return "" if abs(self._angle) <= LIMITS.angle_degrees else "the angle is too large"

    def _pass_time(self, now: Instant) -> None:
        """Let leases end, protection act, and the island drift against the public grid."""
        before, self._seen = self._seen, now
        if self._order is not None and not self._order.active(now.real_ns):
            self._forming = False
        public = self._profile.at(now.cell_ns)
        public_hz, public_pu, admitted = (0.0, 0.0, None) if public is None else public
        if self._closed and (admitted is False or not _kept(public_hz, public_pu)):
            self._closed, self._angle = False, BEGINNING_DEGREES
        if before is not None and self._forming and not self._closed:
            seconds = (now.real_ns - before.real_ns) / NS_PER_S
            self._angle = (self._angle + (self._island_hz - public_hz) * 360.0 * seconds + 180) % 360 - 180


def _kept(frequency_hz: float, voltage_pu: float) -> bool:
    return KEPT_HZ.holds(frequency_hz) and KEPT_PU.holds(voltage_pu)


def _alive(voltage_pu: float | None) -> bool:
    return voltage_pu is not None and voltage_pu >= DEAD_PU


def _reading(value: float | None, real_ns: int) -> Reading:
    return Reading.missing(real_ns) if value is None else Reading.of(value, real_ns)


def _value(reading: Reading | None) -> float | None:
    return None if reading is None else reading.value
