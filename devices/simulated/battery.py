"""A battery as a reservoir with losses: power limits, efficiency each way, capacity, ramp. Physics in cell
time.

Injection (discharging) is positive. Energy at the terminals is counted in whole picojoules and what is stored
follows from that count, so none appears or vanishes but by the stated efficiencies.
"""

from collections.abc import Iterator

from devices.cell_clock import Instant
from devices.der import Nameplate
from devices.drivers.held_setpoint import HeldSetpoint
from devices.image import DerKind, DeviceImage, Reading
from devices.leases import Answer, Lease
from devices.limits import PowerRange

PICOJOULES_PER_WH = 3.6e15
NS_PER_S = 1e9


class SimulatedBattery:
    """A simulated DER of kind battery; see the DER protocol."""

    def __init__(
        self, name: str, nameplate: Nameplate, stored_wh: float, reversion_w: float, start: Instant
    ) -> None:
        """`stored_wh` lies between 0 and the capacity, which the nameplate must state (ValueError)."""
        if nameplate.capacity_wh is None or not 0 <= stored_wh <= nameplate.capacity_wh:
            raise ValueError("a battery needs a capacity and a stored energy within it")
        self._name = name
        self._nameplate = nameplate
        self._capacity_wh = nameplate.capacity_wh
        self._stored_wh = stored_wh
        self._setpoint = HeldSetpoint(PowerRange(nameplate.minimum_w, nameplate.maximum_w), reversion_w)
        self._power_w = 0.0
        self._counter = 0
        self._time = start

    @property
    def name(self) -> str:
        """Unique among the devices of a node."""
        return self._name

    @property
    def nameplate(self) -> Nameplate:
        """What the battery is built for."""
        return self._nameplate

    def measure(self, now: Instant) -> DeviceImage:
        """Let the battery work until `now` and read it."""
        self._advance(now)
        return DeviceImage(
            name=self._name,
            kind=DerKind.BATTERY,
            power_w=Reading.of(self._power_w, now.real_ns),
            setpoint_w=Reading.of(self._setpoint.at(now.real_ns), now.real_ns),
            stored_wh=Reading.of(self._stored_wh, now.real_ns),
            state_of_charge=Reading.of(self._stored_wh / self._capacity_wh, now.real_ns),
            available_w=Reading.missing(now.real_ns),
            counter=self._counter,
        )

    def command(self, lease: Lease[float], now: Instant) -> Answer:
        """Take a setpoint for the power at the terminals."""
        self._advance(now)
        return self._setpoint.offer(lease, now)

    def _advance(self, now: Instant) -> None:
        earlier = self._time
        now = now.no_earlier_than(earlier)
        flowing = True
        for end, setpoint_w in self._setpoint.pieces(earlier, now):
            for power_w, duration_ns in self._ramp(setpoint_w, end.cell_ns - earlier.cell_ns):
                flowing = self._exchange(power_w, duration_ns)
            earlier = end
        if not flowing:
            self._power_w = 0.0
        self._time = now

    def _ramp(self, target_w: float, duration_ns: int) -> Iterator[tuple[float, int]]:
        """Mean powers of one sign and their durations while power moves to the target and stays there."""
        rate_w_per_s = self._nameplate.ramp_w_per_s
        while rate_w_per_s is not None and duration_ns > 0 and self._power_w != target_w:
            crosses_zero = self._power_w * target_w < 0
            corner_w = 0.0 if crosses_zero else target_w
            ramp_ns = max(1, round(abs(corner_w - self._power_w) / rate_w_per_s * NS_PER_S))
            reached_w = corner_w
            if ramp_ns > duration_ns:
                reached_w = self._power_w + (corner_w - self._power_w) * duration_ns / ramp_ns
                ramp_ns = duration_ns
            mean_w = (self._power_w + reached_w) / 2
            self._power_w = reached_w
            duration_ns -= ramp_ns
            yield mean_w, ramp_ns
        if duration_ns > 0:
            self._power_w = target_w
            yield target_w, duration_ns

    def _exchange(self, power_w: float, duration_ns: int) -> bool:
        """Move energy at the terminals; false when a full or an empty battery ended it."""
        energy = round(power_w * 1000 * duration_ns)
        if energy > 0:
            efficiency = self._nameplate.discharge_efficiency
            most = int(self._stored_wh * efficiency * PICOJOULES_PER_WH)
            if energy >= most:
                self._counter += most
                self._stored_wh = 0.0
                return False
            self._stored_wh -= energy / efficiency / PICOJOULES_PER_WH
        elif energy < 0:
            efficiency = self._nameplate.charge_efficiency
            most = int((self._capacity_wh - self._stored_wh) / efficiency * PICOJOULES_PER_WH)
            if -energy >= most:
                self._counter -= most
                self._stored_wh = self._capacity_wh
                return False
            self._stored_wh -= energy * efficiency / PICOJOULES_PER_WH
        self._counter += energy
        return True
