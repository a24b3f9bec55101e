"""The frozen process image: what control knows in one cycle, each value with its time and quality.

Injection is positive, withdrawal negative; power in W, energy in Wh, ages in real time. A reading never
carries a sentinel: what is not known is `None` with the quality that says why.
"""

import math
from dataclasses import dataclass
from enum import Enum

from devices.cell_clock import Instant
from devices.limits import PowerRange


class Quality(Enum):
    """How far a reading can be trusted."""

    GOOD = "good"
    MISSING = "missing"
    INVALID = "invalid"


@dataclass(frozen=True, slots=True)
class Reading:
    """One measured value, the real time it was taken at, and its quality."""

    value: float | None
    real_ns: int
    quality: Quality

    @classmethod
    def of(cls, value: float, real_ns: int) -> "Reading":
        """A reading of `value`; not-a-number and infinity are marked invalid and carry no value."""
        if math.isfinite(value):
            return cls(value, real_ns, Quality.GOOD)
        return cls(None, real_ns, Quality.INVALID)

    @classmethod
    def missing(cls, real_ns: int) -> "Reading":
        """The reading of something that did not answer, or that the device does not have."""
        return cls(None, real_ns, Quality.MISSING)

    def usable(self, now_ns: int, max_age_ns: int) -> float | None:
        """The value if it is good, finite and no older than `max_age_ns` at `now_ns`; otherwise None."""
        if self.quality is not Quality.GOOD or self.value is None or not math.isfinite(self.value):
            return None
        if now_ns - self.real_ns > max_age_ns:
            return None
        return self.value


class DerKind(Enum):
    """What a DER is to the dispatch.

    BATTERY: storage that takes a power. PV: generation from sun or wind that takes a limit. LOAD: what must run
    and takes nothing. FLEXIBLE: a load that takes a limit, the most it may draw. GENERATOR: runs when told to,
    at the power it is told.
    """

    BATTERY = "battery"
    PV = "pv"
    LOAD = "load"
    FLEXIBLE = "flexible"
    GENERATOR = "generator"


@dataclass(frozen=True, slots=True)
class CircuitReadings:
    """What the sensors of one circuit say: current, current to earth, conductors; None for one that it does not
    have.
    """

    current_a: Reading
    residual_a: Reading | None = None
    temperature_c: Reading | None = None


@dataclass(frozen=True, slots=True)
class UnitCondition:
    """How a store is: temperature, voltage and current at its terminals, state of health (part of the capacity that
    is left, 0 to 1); None for a sensor that it does not have. `nominal_v`: what it is built for.
    """

    temperature_c: Reading | None = None
    voltage_v: Reading | None = None
    current_a: Reading | None = None
    state_of_health: Reading | None = None
    nominal_v: float | None = None


class Supply(Enum):
    """What feeds the load behind a UPS."""

    MAINS = "mains"
    BATTERY = "battery"
    LOW_BATTERY = "low-battery"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class DeviceImage:
    """What one DER says of itself.

    `power_w`: measured at its terminals. `setpoint_w`: read back from the device. `stored_wh` and
    `state_of_charge` (0 to 1): missing for what stores nothing. `available_w`: what it could inject now if
    nothing limited it; missing where the device cannot tell. `counter`: net energy since the driver started,
    exact, in picojoules (1 mWh is 3.6e12 of them), or None while the device cannot be metered. `possible`: the
    powers the device itself says it could take now (taper, temperature, what is plugged in); of a flexible load
    from what it would like (`minimum_w`) to what it cannot put off any more (`maximum_w`); None where it does not
    say. `circuit`: what protection reads; None where nothing is protected. `condition`: what health judges.
    `supply` and `runtime_s` (seconds that the battery would feed the load): of a UPS that says so.
    """

    name: str
    kind: DerKind
    power_w: Reading
    setpoint_w: Reading
    stored_wh: Reading
    state_of_charge: Reading
    available_w: Reading
    counter: int | None
    possible: PowerRange | None = None
    circuit: CircuitReadings | None = None
    condition: UnitCondition | None = None
    supply: Supply | None = None
    runtime_s: Reading | None = None


@dataclass(frozen=True, slots=True)
class GridImage:
    """What the node's own meter says of the grid: frequency in Hz, voltage per unit of the nominal voltage, and
    whether the breaker towards the public grid is closed (None: not known).

    `public_*` are measured beyond that breaker, `angle_degrees` is the island's ahead of the public grid's (-180 to
    180), and `forming` says whether this site's former holds the bus; None where nothing says so.
    """

    frequency_hz: Reading
    voltage_pu: Reading
    breaker_closed: bool | None = None
    public_frequency_hz: Reading | None = None
    public_voltage_pu: Reading | None = None
    angle_degrees: Reading | None = None
    forming: bool | None = None


@dataclass(frozen=True, slots=True)
class ProcessImage:
    """All devices of a node, measured in one cycle at `time`, and the grid; None where nothing measures it."""

    time: Instant
    devices: tuple[DeviceImage, ...]
    grid: GridImage | None = None
