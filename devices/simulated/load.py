"""The loads of a home that must run, replayed from a measured profile. Physics in cell time, withdrawal
negative.
"""

from devices.cell_clock import Instant
from devices.der import Nameplate
from devices.image import DerKind, DeviceImage, Reading
from devices.leases import Answer, Lease, Refused
from devices.profiles import Series


class SimulatedLoad:
    """A simulated DER of kind load; see the DER protocol. It takes no setpoint; outside its profile it is
    unknown.
    """

    def __init__(self, name: str, nameplate: Nameplate, series: Series, start: Instant) -> None:
        self._name = name
        self._nameplate = nameplate
        self._series = series
        self._origin = series.energy_until(start.cell_ns)
        self._seen = start

    @property
    def name(self) -> str:
        """Unique among the devices of a node."""
        return self._name

    @property
    def nameplate(self) -> Nameplate:
        """What the loads can draw at most."""
        return self._nameplate

    def measure(self, now: Instant) -> DeviceImage:
        """Read the loads' meter at `now`."""
        now = self._seen = now.no_earlier_than(self._seen)
        missing = Reading.missing(now.real_ns)
        power_w = self._series.power_w(now.cell_ns)
        known = power_w is not None or now.cell_ns == self._series.edges[-1]
        return DeviceImage(
            name=self._name,
            kind=DerKind.LOAD,
            power_w=missing if power_w is None else Reading.of(-power_w, now.real_ns),
            setpoint_w=missing,
            stored_wh=missing,
            state_of_charge=missing,
            available_w=missing,
            counter=self._origin - self._series.energy_until(now.cell_ns) if known else None,
        )

    def command(self, lease: Lease[float], now: Instant) -> Answer:
        """Refused: these loads must run."""
        return Refused("must-run loads take no setpoint")
