"""What a control process is told at its start, and its validation: one message per mistake.

Power in W, energy in Wh, injection positive. `interval_s` and the battery's times are cell time; everything
in milliseconds, and `linger_s`, is real time.
"""

from dataclasses import dataclass

from devices.cell_clock import ClockSpec
from devices.errors import ConfigurationError
from devices.fields import Fields
from devices.image import DerKind
from devices.limits import PowerRange
from devices.response_curve import Effect, ResponseCurve, read_curve

MOST_DERS = 64
"""Devices behind one connection that one 100 ms cycle comfortably measures."""
LARGEST_W = 1e9
LARGEST_WH = 1e12
MOST_DROOPS = 8
LATEST_NS = 2**62
"""Unix nanoseconds until the year 2116."""


@dataclass(frozen=True, slots=True)
class BatteryConfig:
    """A simulated battery. States of charge and the reserve are parts of the capacity, 0 to 1.

    `reversion_w` is the power of its safe state, at most 0: a battery that nobody controls must not run down.
    """

    name: str
    charge_w: float
    discharge_w: float
    capacity_wh: float
    charge_efficiency: float
    discharge_efficiency: float
    initial_state_of_charge: float
    reserve: float
    ramp_w_per_s: float | None
    response_s: float
    reversion_w: float


@dataclass(frozen=True, slots=True)
class ReplayedConfig:
    """A PV system or the loads of a home, replayed from the profile; `maximum_w` is the most it gives or
    draws.
    """

    name: str
    kind: DerKind
    maximum_w: float


@dataclass(frozen=True, slots=True)
class ControlConfig:
    """One control process.

    `profile` is a CSV file (see devices/profiles.py), needed as soon as there is PV or load. `connection` is
    what the connection may ever carry. `command_lease_ms` is how long a setpoint outlives control;
    `settle_ms` how long a setpoint may take to show in the measured power before that is an alarm;
    `reading_age_ms` when a reading is stale. `grid_profile` is a CSV file of frequency and voltage (see
    devices/grid_profile.py), needed as soon as there is a mandatory droop; `mandatory` are the droops that hold
    without arming. `linger_s` ends the process so long after it lost its daemon;
    None keeps it for ever.
    """

    data_dir: str
    profile: str | None
    interval_s: int
    clock: ClockSpec
    connection: PowerRange
    batteries: tuple[BatteryConfig, ...]
    replayed: tuple[ReplayedConfig, ...]
    cycle_ms: int
    image_ms: int
    command_lease_ms: int
    reading_age_ms: int
    settle_ms: int
    linger_s: float | None
    grid_profile: str | None
    mandatory: tuple[ResponseCurve, ...]
    islanding: bool


def parse_config(source: object) -> ControlConfig:
    """Read a configuration decoded from JSON or TOML. Raises ConfigurationError with every mistake found."""
    problems: list[str] = []
    top = Fields.of(source, "", problems)
    batteries, replayed = _ders(top)
    clock = top.table("clock")
    connection = top.table("connection")
    cycle_ms = top.integer("cycle_ms", 5, 10_000, 100)
    config = ControlConfig(
        data_dir=top.text("data_dir", 4096),
        profile=None if top.absent("profile") else top.text("profile", 4096),
        interval_s=top.integer("interval_s", 1, 86_400),
        clock=ClockSpec(
            start_wall_ns=clock.integer("start_wall_ns", 0, LATEST_NS),
            epoch_ns=clock.integer("epoch_ns", 0, LATEST_NS),
            speed=clock.number("speed", 1e-3, 1e6, 1.0),
        ),
        connection=PowerRange(
            connection.number("minimum_w", -LARGEST_W, 0.0), connection.number("maximum_w", 0.0, LARGEST_W)
        ),
        batteries=batteries,
        replayed=replayed,
        cycle_ms=cycle_ms,
        image_ms=top.integer("image_ms", cycle_ms, 60_000, max(500, cycle_ms)),
        command_lease_ms=top.integer("command_lease_ms", 2 * cycle_ms, 60_000, 3 * cycle_ms),
        reading_age_ms=top.integer("reading_age_ms", cycle_ms, 60_000, max(1000, 2 * cycle_ms)),
        settle_ms=top.integer("settle_ms", cycle_ms, 600_000, max(2000, 2 * cycle_ms)),
        linger_s=None if top.absent("linger_s") else top.number("linger_s", 0.0, 1e9),
        grid_profile=None if top.absent("grid_profile") else top.text("grid_profile", 4096),
        mandatory=() if top.absent("mandatory") else _droops(top),
        islanding=top.flag("islanding", False),
    )
    if replayed and config.profile is None:
        top.problem("profile", "is missing; PV and load replay it")
    if (config.mandatory or config.islanding) and config.grid_profile is None:
        top.problem("grid_profile", "is missing; mandatory droops and islanding read the grid from it")
    for fields in (clock, connection, top):
        fields.close()
    if problems:
        raise ConfigurationError(tuple(problems))
    return config


def reversions(config: ControlConfig) -> dict[str, float]:
    """The setpoint in W that each device takes when its lease ends: batteries as configured, PV a safe limit.

    With these limits all PV together stays within the connection's export limit even while nothing is drawn.
    """
    pv = [each for each in config.replayed if each.kind is DerKind.PV]
    built_w = sum(each.maximum_w for each in pv)
    part = min(1.0, config.connection.maximum_w / built_w) if built_w > 0 else 0.0
    limits = {each.name: each.maximum_w * part for each in pv}
    return {battery.name: battery.reversion_w for battery in config.batteries} | limits


def _droops(top: Fields) -> tuple[ResponseCurve, ...]:
    droops = []
    for fields in top.tables("mandatory", MOST_DROOPS):
        curve = read_curve(fields)
        if curve.effect is Effect.REACTIVE_POWER:
            fields.problem("effect", f"{curve.name} is about reactive power, which no driver here controls")
        droops.append(curve)
    return tuple(droops)


def _ders(top: Fields) -> tuple[tuple[BatteryConfig, ...], tuple[ReplayedConfig, ...]]:
    batteries: list[BatteryConfig] = []
    replayed: list[ReplayedConfig] = []
    names: set[str] = set()
    for fields in top.tables("ders", MOST_DERS):
        name = fields.text("name", 64)
        if name in names:
            fields.problem("name", f"{name!r} is taken by another device")
        names.add(name)
        known = len(fields.problems)
        kind = DerKind(fields.choice("kind", tuple(kind.value for kind in DerKind)))
        if len(fields.problems) > known:
            continue
        if kind is DerKind.BATTERY:
            batteries.append(_battery(fields, name))
        else:
            replayed.append(ReplayedConfig(name, kind, fields.number("maximum_w", 0.0, LARGEST_W)))
        fields.close()
    return tuple(batteries), tuple(replayed)


def _battery(fields: Fields, name: str) -> BatteryConfig:
    charge_w = fields.number("charge_w", 0.0, LARGEST_W)
    discharge_w = fields.number("discharge_w", 0.0, LARGEST_W)
    return BatteryConfig(
        name=name,
        charge_w=charge_w,
        discharge_w=discharge_w,
        capacity_wh=fields.number("capacity_wh", 1.0, LARGEST_WH),
        charge_efficiency=fields.number("charge_efficiency", 0.01, 1.0, 0.95),
        discharge_efficiency=fields.number("discharge_efficiency", 0.01, 1.0, 0.95),
        initial_state_of_charge=fields.number("initial_state_of_charge", 0.0, 1.0, 0.5),
        reserve=fields.number("reserve", 0.0, 1.0, 0.2),
        ramp_w_per_s=None
        if fields.absent("ramp_w_per_s")
        else fields.number("ramp_w_per_s", 1e-3, LARGEST_W),
        response_s=fields.number("response_s", 0.0, 3600.0, 0.0),
        reversion_w=fields.number("reversion_w", -charge_w, 0.0, 0.0),
    )
