"""A PV system that replays a measured profile and can be curtailed. Physics in cell time, injection positive.

Its setpoint is the most it may inject. When the lease on it ends, the reversion limit holds: never
"unlimited".
"""

from devices.cell_clock import Instant
from devices.der import Nameplate
from devices.drivers.held_setpoint import HeldSetpoint
from devices.image import DerKind, DeviceImage, Reading
from devices.leases import Answer, Lease
from devices.limits import PowerRange
from devices.profiles import Series


class SimulatedPv:
    """A simulated DER of kind PV; see the DER protocol. Outside its profile it gives nothing and has no
    readings.
    """

    def __init__(
        self, name: str, nameplate: Nameplate, series: Series, reversion_w: float, start: Instant
    ) -> None:
        self._name = name
        self._nameplate = nameplate
        self._series = series
        self._setpoint = HeldSetpoint(PowerRange(0.0, nameplate.maximum_w), reversion_w)
        self._counter = 0
        self._time = start

    @property
    def name(self) -> str:
        """Unique among the devices of a node."""
        return self._name

    @property
    def nameplate(self) -> Nameplate:
        """What the PV system is built for; a profile above it is cut to it."""
        return self._nameplate

    def measure(self, now: Instant) -> DeviceImage:
        """Let the sun shine until `now` and read the inverter."""
        self._advance(now)
        limit_w = self._setpoint.at(now.real_ns)
        sun_w = self._series.power_w(now.cell_ns)
        missing = Reading.missing(now.real_ns)
        known = sun_w is not None
        available_w = min(sun_w or 0.0, self._nameplate.maximum_w)
        return DeviceImage(
            name=self._name,
            kind=DerKind.PV,
            power_w=Reading.of(min(available_w, limit_w), now.real_ns) if known else missing,
            setpoint_w=Reading.of(limit_w, now.real_ns),
            stored_wh=missing,
            state_of_charge=missing,
            available_w=Reading.of(available_w, now.real_ns) if known else missing,
            counter=self._counter if known or now.cell_ns == self._series.edges[-1] else None,
        )

    def command(self, lease: Lease[float], now: Instant) -> Answer:
        """Take a limit for the power injected."""
        self._advance(now)
        return self._setpoint.offer(lease, now)

    def _advance(self, now: Instant) -> None:
        earlier = self._time
        now = now.no_earlier_than(earlier)
        for end, limit_w in self._setpoint.pieces(earlier, now):
            start_ns = earlier.cell_ns
            while start_ns < end.cell_ns:
                edge = self._series.next_edge(start_ns)
                end_ns = end.cell_ns if edge is None else min(edge, end.cell_ns)
                sun = self._series.energy_until(end_ns) - self._series.energy_until(start_ns)
                sun_w = self._series.power_w(start_ns)
                if sun_w is not None and sun_w > limit_w:
                    sun = min(sun, round(limit_w * 1000 * (end_ns - start_ns)))
                self._counter += sun
                start_ns = end_ns
            earlier = end
        self._time = now
