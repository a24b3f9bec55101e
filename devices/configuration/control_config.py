"""What a control process is told at its start, and its validation: one message per mistake.

Power in W, energy in Wh, injection positive. `interval_s` and the battery's times are cell time; everything
in milliseconds, and `linger_s`, is real time.
"""

from dataclasses import dataclass, field

from devices.cell_clock import ClockSpec
from devices.configuration.hardware_config import NUT, HardwareConfig, parse_hardware
from devices.configuration.publish_settings import PublishConfig, parse_publishing
from devices.der import Nameplate
from devices.errors import ConfigurationError
from devices.fields import Fields
from devices.hub.watched import Watched, parse_watched
from devices.image import DerKind
from devices.limits import PowerRange
from devices.messages.sensor_port import MOST_SENSORS, Sensor, parse_sensors
from devices.models.catalogue import TYPES, parse_model
from devices.models.model import AnyModel
from devices.models.rack_power_unit import RackPowerUnit
from devices.models.site import Site, parse_site
from devices.models.ups import Ups
from devices.prediction.readiness import Trouble
from devices.prediction.readiness_config import ReadinessConfig, parse_readiness
from devices.resilience.forming import FormingConfig, parse_forming
from devices.response.response_curve import Effect, ResponseCurve, read_curve
from devices.simulated.modelled import fed_nameplate
from devices.switchgear.section import SwitchgearConfig, parse_switchgear

MOST_DERS = 64
"""Devices behind one connection that one 100 ms cycle comfortably measures."""
LARGEST_W = 1e9
LARGEST_WH = 1e12
MOST_DROOPS = 8
SHORTEST_LEASE_MS = 300
"""Of a setpoint, where nothing else is configured: three cycles, but longer than a busy machine may leave a process
waiting, or a fast loop would let its setpoints run out now and then.
"""
LATEST_NS = 2**62
"""Unix nanoseconds until the year 2116."""
REPLAYED_OR_PLAIN = (DerKind.BATTERY, DerKind.PV, DerKind.LOAD)
"""What `kind` may be; every other device is named by its `type`."""
PROTECTING = ("ups", "rack-power-unit", "battery-backup-unit")
"""Types that are there for their own load: when nobody controls them, they charge."""
RESERVES = {"home-battery": 0.2, "dc-bus": 0.2, "ups": 0.5, "battery-backup-unit": 0.5}
"""State of charge kept for the owner, where nothing else is configured; of other types nothing is kept."""


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
class ModelConfig:
    """A modelled device of one of the types in devices/models/catalogue.py.

    `reversion_w` is its setpoint when nobody controls it; None lets the limits of the connection decide (see
    `reversions`). `feeds` is the name under which the load behind it is metered; None where there is none.
    `watched`: what the hub knows of it; None for what it does not watch.
    """

    name: str
    type_name: str
    model: AnyModel
    reversion_w: float | None
    feeds: str | None
    watched: Watched | None = None


@dataclass(frozen=True, slots=True)
class Metered:
    """A device that is no battery, as dispatch sees it: its kind, and what its power lies between."""

    name: str
    kind: DerKind
    minimum_w: float
    maximum_w: float


@dataclass(frozen=True, slots=True)
class ControlConfig:
    """One control process.

    `profile` is a CSV file (see devices/profiles.py), needed as soon as there is PV or load. `connection` is
    what the connection may ever carry. `command_lease_ms` is how long a setpoint outlives control;
    `settle_ms` how long a setpoint may take to show in the measured power before that is an alarm;
    `reading_age_ms` when a reading is stale. `grid_profile` is a CSV file of frequency and voltage (see
    devices/grid_profile.py), needed as soon as there is a mandatory droop or islanding; `mandatory` are the droops
    that hold without arming; `islanding` acts on an outage that the meter sees. `linger_s` ends the process so long
    after it lost its daemon; None keeps it for ever. `models` stand in `site`; `sensors` are on the expansion port;
    `hardware` is real; `home_assistant` is the broker on which the owner wants to see all this; `dispatch_log` a file
    that gets every cycle, and half of `dispatch_log_mb` (megabytes) the size at which it is begun anew. `forming`: the
    battery that may form an island's grid; None where none can. `readiness`: the trouble to be ready for, if any.
    `switchgear`: the real one, which measures the grid besides; None where it is simulated, or not there.
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
    models: tuple[ModelConfig, ...] = ()
    site: Site = field(default_factory=Site)
    sensors: tuple[Sensor, ...] = ()
    hardware: tuple[HardwareConfig, ...] = ()
    home_assistant: PublishConfig | None = None
    dispatch_log: str | None = None
    dispatch_log_mb: int = 64
    forming: FormingConfig | None = None
    readiness: ReadinessConfig | None = None
    switchgear: SwitchgearConfig | None = None


def parse_config(source: object) -> ControlConfig:
    """Read a configuration decoded from JSON or TOML. Raises ConfigurationError with every mistake found."""
    problems: list[str] = []
    top = Fields.of(source, "", problems)
    batteries, replayed, models, hardware = _ders(top)
    surroundings = Fields.of({}, "", problems) if top.absent("surroundings") else top.table("surroundings")
    clock = top.table("clock")
    connection = top.table("connection")
    spec = ClockSpec(
        start_wall_ns=clock.integer("start_wall_ns", 0, LATEST_NS),
        epoch_ns=clock.integer("epoch_ns", 0, LATEST_NS),
        speed=clock.number("speed", 1e-3, 1e6, 1.0),
    )
    carried = PowerRange(
        connection.number("minimum_w", -LARGEST_W, 0.0), connection.number("maximum_w", 0.0, LARGEST_W)
    )
    cycle_ms = top.integer("cycle_ms", 5, 10_000, 100)
    config = ControlConfig(
        data_dir=top.text("data_dir", 4096),
        profile=None if top.absent("profile") else top.text("profile", 4096),
        interval_s=top.integer("interval_s", 1, 86_400),
        clock=spec,
        connection=carried,
        batteries=batteries,
        replayed=replayed,
        cycle_ms=cycle_ms,
        image_ms=top.integer("image_ms", cycle_ms, 60_000, max(500, cycle_ms)),
        command_lease_ms=top.integer(
            "command_lease_ms", 2 * cycle_ms, 60_000, max(SHORTEST_LEASE_MS, 3 * cycle_ms)
        ),
        reading_age_ms=top.integer("reading_age_ms", cycle_ms, 60_000, max(1000, 2 * cycle_ms)),
        settle_ms=top.integer("settle_ms", cycle_ms, 600_000, max(2000, 2 * cycle_ms)),
        linger_s=None if top.absent("linger_s") else top.number("linger_s", 0.0, 1e9),
        grid_profile=None if top.absent("grid_profile") else top.text("grid_profile", 4096),
        mandatory=() if top.absent("mandatory") else _droops(top),
        islanding=top.flag("islanding", False),
        models=models,
        site=parse_site(surroundings),
        sensors=() if top.absent("sensors") else parse_sensors(top.tables("sensors", MOST_SENSORS)),
        hardware=hardware,
        home_assistant=None
        if top.absent("home_assistant")
        else parse_publishing(top.table("home_assistant")),
        dispatch_log=None if top.absent("dispatch_log") else top.text("dispatch_log", 4096),
        dispatch_log_mb=top.integer("dispatch_log_mb", 1, 10_000, 64),
        forming=parse_forming(
            top,
            {each.name: each.discharge_w for each in batteries},
            frozenset([each.name for each in models] + [each.name for each in hardware]),
        ),
        switchgear=parse_switchgear(top),
        readiness=parse_readiness(
            top,
            import_limit_w=-carried.minimum_w,
            charge_w=sum(each.charge_w for each in batteries),
            discharge_w=sum(each.discharge_w for each in batteries),
            speed=spec.speed,
        ),
    )
    _check_together(top, config)
    for fields in (clock, connection, surroundings, top):
        fields.close()
    if problems:
        raise ConfigurationError(tuple(problems))
    return config


def _check_together(top: Fields, config: ControlConfig) -> None:
    """What only who sees several keys can find wrong."""
    if config.replayed and config.profile is None:
        top.problem("profile", "is missing; PV and load replay it")
    if sum(each.connection for each in config.hardware) > 1:
        top.problem("ders", "only one meter can measure the connection; give the others measures = itself")
    if config.forming is not None and not config.islanding:
        top.problem("forming", "needs islanding = true")
    if config.switchgear is not None:
        if config.grid_profile is not None:
            top.problem("switchgear", "measures the grid; it and grid_profile exclude each other")
    elif config.grid_profile is None:
        if config.forming is not None:
            top.problem(
                "grid_profile",
                "is missing, and there is no switchgear; that of a former is simulated from it",
            )
        if config.readiness is not None and config.readiness.against is Trouble.FREQUENCY:
            top.problem("grid_profile", "is missing; readiness for frequency reads it from there")
        if config.mandatory:
            top.problem("grid_profile", "is missing; mandatory droops read the grid from it")
        if config.islanding and not any(each.driver == NUT for each in config.hardware):
            top.problem(
                "grid_profile", "is missing, and there is no UPS; islanding reads the grid from one of them"
            )


def metered(config: ControlConfig) -> tuple[Metered, ...]:
    """Every device but the batteries: what dispatch sees beside them."""
    found = [
        Metered(
            each.name,
            each.kind,
            0.0 if each.kind is DerKind.PV else -each.maximum_w,
            each.maximum_w if each.kind is DerKind.PV else 0.0,
        )
        for each in config.replayed
    ]
    for each in config.models:
        plate = each.model.nameplate
        if plate.kind is not DerKind.BATTERY:
            found.append(Metered(each.name, plate.kind, plate.minimum_w, plate.maximum_w))
        if each.feeds is not None:
            found.append(Metered(each.feeds, DerKind.LOAD, fed_nameplate(each.model).minimum_w, 0.0))
    for real in config.hardware:
        plate = real.nameplate
        if plate.kind is not DerKind.BATTERY:
            found.append(Metered(real.name, plate.kind, plate.minimum_w, plate.maximum_w))
    return tuple(found)


def _droops(top: Fields) -> tuple[ResponseCurve, ...]:
    droops = []
    for fields in top.tables("mandatory", MOST_DROOPS):
        curve = read_curve(fields)
        if curve.effect is Effect.REACTIVE_POWER:
            fields.problem("effect", f"{curve.name} is about reactive power, which no driver here controls")
        droops.append(curve)
    return tuple(droops)


Devices = tuple[
    tuple[BatteryConfig, ...],
    tuple[ReplayedConfig, ...],
    tuple[ModelConfig, ...],
    tuple[HardwareConfig, ...],
]


def _ders(top: Fields) -> Devices:
    batteries: list[BatteryConfig] = []
    replayed: list[ReplayedConfig] = []
    models: list[ModelConfig] = []
    hardware: list[HardwareConfig] = []
    names: set[str] = set()
    for fields in top.tables("ders", MOST_DERS):
        name = fields.text("name", 64)
        if name in names:
            fields.problem("name", f"{name!r} is taken by another device")
        names.add(name)
        if not fields.absent("driver"):
            real = parse_hardware(fields, name)
            hardware.append(real)
            if real.nameplate.kind is DerKind.BATTERY:
                batteries.append(battery_seen(name, real.nameplate, real.reserve, real.reversion_w or 0.0))
            continue
        if not fields.absent("type"):
            _modelled(fields, name, batteries, models, names)
            continue
        known = len(fields.problems)
        kind = DerKind(fields.choice("kind", tuple(kind.value for kind in REPLAYED_OR_PLAIN)))
        if len(fields.problems) > known:
            continue
        if kind is DerKind.BATTERY:
            batteries.append(_battery(fields, name))
        else:
            replayed.append(ReplayedConfig(name, kind, fields.number("maximum_w", 0.0, LARGEST_W)))
        fields.close()
    return tuple(batteries), tuple(replayed), tuple(models), tuple(hardware)


def _modelled(
    fields: Fields,
    name: str,
    batteries: list[BatteryConfig],
    models: list[ModelConfig],
    names: set[str],
) -> None:
    """Read a device of a type; one that stores for the dispatch is a battery to it."""
    known = len(fields.problems)
    type_name = fields.choice("type", tuple(TYPES))
    if len(fields.problems) > known:
        return
    model = parse_model(fields, TYPES[type_name])
    if model is None:
        fields.close(also=("reserve", "reversion_w", "device", "may_stand_by"))
        return
    plate = model.nameplate
    stores = plate.kind is DerKind.BATTERY
    reversion_w = None
    if stores:
        protects = type_name in PROTECTING
        default_w = plate.minimum_w if protects else 0.0
        reversion_w = fields.number("reversion_w", plate.minimum_w, 0.0, default_w)
        reserve = fields.number("reserve", 0.0, 1.0, RESERVES.get(type_name, 0.0))
        batteries.append(battery_seen(name, plate, reserve, reversion_w))
    elif not fields.absent("reversion_w"):
        reversion_w = fields.number("reversion_w", plate.minimum_w, plate.maximum_w)
    feeds = f"{name}-load" if isinstance(model, Ups | RackPowerUnit) else None
    if feeds in names:
        fields.problem("name", f"{feeds!r}, the load behind it, is taken by another device")
    if feeds is not None:
        names.add(feeds)
    watched = parse_watched(fields, name, model) if plate.kind is DerKind.FLEXIBLE else None
    models.append(ModelConfig(name, type_name, model, reversion_w, feeds, watched))
    fields.close()


def battery_seen(name: str, plate: Nameplate, reserve: float, reversion_w: float) -> BatteryConfig:
    """A modelled or real store as dispatch knows batteries; it alone knows its first state of charge."""
    return BatteryConfig(
        name=name,
        charge_w=-plate.minimum_w,
        discharge_w=plate.maximum_w,
        capacity_wh=plate.capacity_wh or 0.0,
        charge_efficiency=plate.charge_efficiency,
        discharge_efficiency=plate.discharge_efficiency,
        initial_state_of_charge=0.0,
        reserve=reserve,
        ramp_w_per_s=plate.ramp_w_per_s,
        response_s=plate.response_s,
        reversion_w=reversion_w,
    )


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
