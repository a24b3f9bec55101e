"""The DER protocol: what every driver, simulated or real, offers to control.

Injection is positive, withdrawal negative. Power in W, energy in Wh, times in seconds of cell time unless a
name says nanoseconds.
"""

from dataclasses import dataclass
from typing import Protocol

from devices.cell_clock import Instant
from devices.image import DerKind, DeviceImage, GridImage
from devices.leases import Answer, Lease


@dataclass(frozen=True, slots=True)
class Nameplate:
    """What a device is built for.

    `minimum_w` (at most 0) and `maximum_w` (at least 0) bound its power; `capacity_wh` is None for what
    stores nothing; `ramp_w_per_s` is None where power follows a setpoint at once; efficiencies are AC to
    stored and stored to AC.
    """

    kind: DerKind
    minimum_w: float
    maximum_w: float
    capacity_wh: float | None
    charge_efficiency: float
    discharge_efficiency: float
    ramp_w_per_s: float | None
    response_s: float


class Der(Protocol):
    """One device that a node controls or measures.

    A setpoint of a battery or a generator is its power (a generator stops below its minimum load); of a PV
    system the most it may inject; of a flexible load the most it may draw, so -2000 allows it 2000 W and 0
    nothing; a load takes none. The driver itself enforces the expiry of a lease, on the device's own timer
    where it has one, and then holds the reversion value. A clock that goes back finds the device as it was
    last seen.
    """

    @property
    def name(self) -> str:
        """Unique among the devices of a node."""
        ...

    @property
    def nameplate(self) -> Nameplate:
        """What the device is built for."""
        ...

    def measure(self, now: Instant) -> DeviceImage:
        """What the device says of itself at `now`; `now` never goes backwards."""
        ...

    def command(self, lease: Lease[float], now: Instant) -> Answer:
        """Offer a setpoint in W; refused when it is no finite number, outside the nameplate, stale or
        expired.
        """
        ...


class GridMeter(Protocol):
    """What measures frequency and voltage at the connection, for the fast response."""

    def measure(self, now: Instant) -> GridImage:
        """What the grid shows at `now`; what is not known is marked so."""
        ...
