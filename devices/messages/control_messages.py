"""What daemon and control say to each other over the local socket, and how it is framed.

Down go leases, the mode, acknowledgements and the stop; up go process images, meter records and alarms. A
frame is a length of four bytes, big-endian, and that many bytes of JSON. Power in W and storage in Wh as
floats; metered and contracted energies in mWh as integers. Injection positive. `real_ns` is the machine's
monotonic clock.
"""

from dataclasses import dataclass
from enum import Enum

from devices.image import DerKind
from devices.leases import Lease
from devices.limits import PowerRange
from devices.messages.sensor_port import SensorKind
from devices.response.fast_response import Activation, Arming


class Mode(Enum):
    """What the node's hardware may be used for.

    GRID_SUPPORT: everything the layers allow. STANDBY: batteries rest, PV runs within the limits.
    EMERGENCY_STOP: batteries rest and PV is curtailed to nothing. A mode holds until another is sent, over
    restarts, too.
    """

    GRID_SUPPORT = "grid-support"
    STANDBY = "standby"
    EMERGENCY_STOP = "emergency-stop"


class Severity(Enum):
    """How urgent an alarm is."""

    WARNING = "warning"
    CRITICAL = "critical"


class AlarmCode(Enum):
    """What an alarm is about."""

    STATE_OF_CHARGE_UNKNOWN = "state-of-charge-unknown"
    POWER_UNKNOWN = "power-unknown"
    SETPOINT_REFUSED = "setpoint-refused"
    SETPOINT_NOT_REACHED = "setpoint-not-reached"
    LIMIT_NOT_HELD = "limit-not-held"
    LEASE_REFUSED = "lease-refused"
    DAEMON_LOST = "daemon-lost"
    RECORDS_DROPPED = "records-dropped"
    STATE_NOT_SAVED = "state-not-saved"
    GRID_UNKNOWN = "grid-unknown"
    GRID_LOST = "grid-lost"
    FORMER_FAILED = "former-failed"
    SWITCH_REFUSED = "switch-refused"
    ARMED_NOT_AVAILABLE = "armed-not-available"
    CIRCUIT_OVER_CURRENT = "circuit-over-current"
    CIRCUIT_SHORT_CIRCUIT = "circuit-short-circuit"
    CIRCUIT_EARTH_FAULT = "circuit-earth-fault"
    CIRCUIT_OVER_TEMPERATURE = "circuit-over-temperature"
    CIRCUIT_BLIND = "circuit-blind"
    UNIT_HOT = "unit-hot"
    UNIT_COLD = "unit-cold"
    UNIT_VOLTAGE = "unit-voltage"
    UNIT_WORN = "unit-worn"
    UNIT_IMPLAUSIBLE = "unit-implausible"
    UNIT_DRIFTING = "unit-drifting"
    UNIT_UNREADABLE = "unit-unreadable"
    UPS_ON_BATTERY = "ups-on-battery"
    UPS_LOW_BATTERY = "ups-low-battery"
    TROUBLE_EXPECTED = "trouble-expected"


@dataclass(frozen=True, slots=True)
class Position:
    """The net energy contracted for an interval at the connection point: mWh, injection positive."""

    interval: int
    energy: int


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """The daemon lives and may use the hardware while this lease runs."""

    lease: Lease[bool]


@dataclass(frozen=True, slots=True)
class GrantPosition:
    """A position for one interval; it acts from the interval's start and reverts to none."""

    lease: Lease[Position | None]


@dataclass(frozen=True, slots=True)
class GrantLimits:
    """What the connection may carry besides its own limits; the reversion holds from expiry until a new
    lease.
    """

    lease: Lease[PowerRange]


@dataclass(frozen=True, slots=True)
class GrantArming:
    """A service is armed while the lease runs, and reverts to none; one lease per service, told by its curve's
    name. The curve itself is in it, so that control needs no file and a recorded cycle can be replayed.
    """

    lease: Lease[Arming | None]


@dataclass(frozen=True, slots=True)
class GrantActivation:
    """The node's share of a request acts while the lease runs, and reverts to none; one lease per request."""

    lease: Lease[Activation | None]


@dataclass(frozen=True, slots=True)
class GrantEmergency:
    """The cell has declared an emergency while the lease runs (False: that it has ended); it reverts to none."""

    lease: Lease[bool]


@dataclass(frozen=True, slots=True)
class ChangeMode:
    """Enter a mode."""

    mode: Mode


@dataclass(frozen=True, slots=True)
class Acknowledge:
    """The meter record of this interval is in safe hands; control may forget it."""

    interval: int


@dataclass(frozen=True, slots=True)
class ReleaseCircuit:
    """Connect a circuit again that a fault has disconnected; refused while its readings are not good."""

    name: str


@dataclass(frozen=True, slots=True)
class DeviceAccess:
    """What its owner or who has the right said of a device: the tier of its load as a number from 0, the most
    important (None: as configured), and whether services of the dso may use it.
    """

    name: str
    priority: int | None
    dso: bool


@dataclass(frozen=True, slots=True)
class SetAccess:
    """What holds for devices from now on; for those that are not named, what is configured, and any service."""

    devices: tuple[DeviceAccess, ...]


@dataclass(frozen=True, slots=True)
class SetReserve:
    """The owner's reserve of one battery from now on, as a part of its capacity; refused for what is no battery."""

    device: str
    share: float


@dataclass(frozen=True, slots=True)
class Stop:
    """Give every device its reversion value and exit."""


@dataclass(frozen=True, slots=True)
class TakeOver:
    """Hand the devices, with all leases, to the control process at the other end of this connection."""


Asked = (
    Heartbeat
    | GrantPosition
    | GrantLimits
    | GrantArming
    | GrantActivation
    | GrantEmergency
    | ChangeMode
    | Acknowledge
    | ReleaseCircuit
    | SetAccess
    | SetReserve
)
"""What the control core is asked for; the rest is for its shell."""

Downward = Asked | Stop | TakeOver


@dataclass(frozen=True, slots=True)
class Attached:
    """The first message up: the process that controls and what its devices can do together.

    `charge_w` and `discharge_w` (both at least 0) and `capacity_wh` are the batteries' nameplates, summed.
    """

    pid: int
    charge_w: float
    discharge_w: float
    capacity_wh: float


@dataclass(frozen=True, slots=True)
class DeviceReport:
    """One device in an image; None where no good reading is."""

    name: str
    kind: DerKind
    power_w: float | None
    setpoint_w: float | None
    stored_wh: float | None
    available_w: float | None


@dataclass(frozen=True, slots=True)
class SensorReport:
    """One sensor of the expansion port in an image, in the unit of its kind; None where no good reading is.

    `warning` is what people should be told of it, empty if nothing. Never leaves the node.
    """

    name: str
    kind: SensorKind
    value: float | None
    unit: str
    warning: str


@dataclass(frozen=True, slots=True)
class HealthReport:
    """How one store is; None for what is not measured or not known. Current is positive while discharging.

    `factor`: the part of its power that its findings leave, 0 to 1. `ends_ns`: when 80 % of its capacity will be
    left (cell time), with the earliest and latest moment that its history admits.
    """

    name: str
    temperature_c: float | None
    voltage_v: float | None
    current_a: float | None
    state_of_charge: float | None
    state_of_health: float | None
    factor: float
    ends_ns: int | None
    earliest_ns: int | None
    latest_ns: int | None


@dataclass(frozen=True, slots=True)
class WatchedReport:
    """What the hub takes a circuit's or socket's device for, in words why, and whether it keeps it in standby.

    Never leaves the node.
    """

    name: str
    device: str
    why: str
    asleep: bool


@dataclass(frozen=True, slots=True)
class ImageReport:
    """What control sees and does.

    `connection_w`: measured sum of all devices. `chargeable_wh`: energy, at the terminals, that fits into the
    batteries; `dischargeable_wh`: what they can give down to the reserve; each None while a state of charge
    is unknown. `wish` says what is followed: position, self-consumption or safe-state; `binding` which layer
    decided the power, and `settled` whether the last setpoint was read back and reached. `island`: where in an
    outage the site is (see devices/resilience/modes.py), `tiers` how many tiers of loads are served, and
    `emergency` the one that acts: none, local or declared. `readiness`: rest, watch or ready, None where none is
    configured; `trouble`: how likely it is, None while that is not known.
    """

    real_ns: int
    cell_ns: int
    interval: int
    connection_w: float | None
    chargeable_wh: float | None
    dischargeable_wh: float | None
    mode: Mode
    wish: str
    binding: str
    settled: bool
    devices: tuple[DeviceReport, ...]
    sensors: tuple[SensorReport, ...] = ()
    health: tuple[HealthReport, ...] = ()
    watched: tuple[WatchedReport, ...] = ()
    island: str = "connected"
    tiers: int = 4
    emergency: str = "none"
    readiness: str | None = None
    trouble: float | None = None


@dataclass(frozen=True, slots=True)
class DeviceEnergy:
    """What one device injected and withdrew at its terminals in an interval; mWh, both at least 0."""

    name: str
    kind: DerKind
    injected: int
    withdrawn: int


@dataclass(frozen=True, slots=True)
class ServiceEnergy:
    """What one armed service asked and got in an interval: mWh, all at least 0; up is injecting more.

    `available_ppm`: the part of the interval, in millionths, in which all that is armed could have been delivered.
    """

    name: str
    available_ppm: int
    asked_up: int
    asked_down: int
    delivered_up: int
    delivered_down: int


@dataclass(frozen=True, slots=True)
class MeterRecord:
    """The connection point's registers over one interval: mWh, both at least 0; net is contribution -
    consumption.

    `complete` is false when some of the interval was not measured. `devices` never leaves the node.
    """

    interval: int
    contribution: int
    consumption: int
    complete: bool
    devices: tuple[DeviceEnergy, ...]
    services: tuple[ServiceEnergy, ...] = ()


@dataclass(frozen=True, slots=True)
class Alarm:
    """Something is wrong (`raised`) or no longer is. `device` is None where it concerns the whole node."""

    code: AlarmCode
    severity: Severity
    raised: bool
    device: str | None
    text: str
    cell_ns: int


Upward = Attached | ImageReport | MeterRecord | Alarm
Message = Downward | Upward
