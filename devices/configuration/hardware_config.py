"""Real devices as a configuration names them: the driver, where the device is reached, and what it may do.

Power in W, energy in Wh, injection positive; milliseconds are real time. The owner states the nameplate, so that
limits are known while a device is silent; the driver compares it with what the device says of itself.
"""

from dataclasses import dataclass, replace

from devices.der import Nameplate
from devices.fields import Fields
from devices.image import DerKind
from devices.mqtt.topics import MQTT_PORT, DeviceTopics, parse_topics
from devices.nut.protocol import NAME

SUNSPEC, SUNSPEC_METER, NUT, MQTT, DSMR = "sunspec", "sunspec-meter", "nut", "mqtt", "dsmr"
DRIVERS = (SUNSPEC, SUNSPEC_METER, NUT, MQTT, DSMR)
KINDS = (DerKind.BATTERY, DerKind.PV)
MQTT_KINDS = (DerKind.FLEXIBLE, DerKind.LOAD, DerKind.BATTERY, DerKind.PV)
LARGEST_W = 1e9
LARGEST_WH = 1e12
MODBUS_PORT = 502
NUT_PORT = 3493
CONNECTION, ITSELF = "connection", "itself"
DRAWN, GIVEN = "drawn", "given"
SLOWEST_POLL_MS = 500
"""Setpoints last for a second at least by a device's timer, and have to be renewed before."""


@dataclass(frozen=True, slots=True)
class HardwareConfig:
    """A real device and the way to it.

    `reversion_w` is its setpoint when nobody controls it, None for a share of the connection's limits (see
    `devices.configuration.reversions`). `reserve` is the owner's part of the capacity, 0 to 1. `unit` is Modbus's,
    `ups` the name of a UPS on its server, `topics` what a device on a broker speaks on, `serial` the path of a port
    in place of host and port. `report_s`: how long what a device said by itself holds. `connection`: it measures the
    site's connection, not one device. `drawn_positive`: a meter's numbers are positive while power is drawn.
    """

    name: str
    driver: str
    nameplate: Nameplate
    reversion_w: float | None
    reserve: float
    host: str
    port: int
    unit: int
    poll_ms: int
    timeout_ms: int
    ups: str = ""
    topics: DeviceTopics | None = None
    serial: str | None = None
    report_s: float = 0.0
    connection: bool = False
    drawn_positive: bool = False


def parse_hardware(fields: Fields, name: str) -> HardwareConfig:
    """Read a table of `[[site.ders]]` that has a `driver`; mistakes are collected in the fields."""
    driver = fields.choice("driver", DRIVERS)
    readers = {SUNSPEC: _sunspec, SUNSPEC_METER: _meter, NUT: _ups, MQTT: _mqtt, DSMR: _smart_meter}
    return readers[driver](fields, name)


def _smart_meter(fields: Fields, name: str) -> HardwareConfig:
    serial = None if fields.absent("serial") else fields.text("serial", 4096)
    if serial is not None and not (fields.absent("host") and fields.absent("port")):
        fields.problem("serial", "and host or port exclude each other")
    config = HardwareConfig(
        name=name,
        driver=DSMR,
        nameplate=_drawing(fields),
        reversion_w=None,
        reserve=0.0,
        host="" if serial else fields.text("host", 253),
        port=0 if serial else fields.integer("port", 1, 65_535),
        unit=0,
        poll_ms=fields.integer("poll_ms", 20, SLOWEST_POLL_MS, 200),
        timeout_ms=fields.integer("timeout_ms", 20, 10_000, 500),
        serial=serial,
        report_s=fields.number("report_s", 1.0, 60.0, 5.0),
        connection=_at_connection(fields, CONNECTION),
    )
    fields.close()
    return config


def _meter(fields: Fields, name: str) -> HardwareConfig:
    config = HardwareConfig(
        name=name,
        driver=SUNSPEC_METER,
        nameplate=_drawing(fields),
        reversion_w=None,
        reserve=0.0,
        host=fields.text("host", 253),
        port=fields.integer("port", 1, 65_535, MODBUS_PORT),
        unit=fields.integer("unit", 0, 255, 1),
        poll_ms=fields.integer("poll_ms", 20, SLOWEST_POLL_MS, 200),
        timeout_ms=fields.integer("timeout_ms", 20, 10_000, 500),
        report_s=fields.number("report_s", 0.5, 60.0, 1.0),
        connection=_at_connection(fields, CONNECTION),
        drawn_positive=fields.choice("positive", (DRAWN, GIVEN)) == DRAWN,
    )
    fields.close()
    return config


def _at_connection(fields: Fields, usual: str) -> bool:
    return fields.choice("measures", (CONNECTION, ITSELF), usual) == CONNECTION


def _drawing(fields: Fields) -> Nameplate:
    """What must run and takes no orders."""
    least_w = -fields.number("maximum_w", 0.0, LARGEST_W)
    return Nameplate(DerKind.LOAD, least_w, 0.0, None, 1.0, 1.0, None, 0.0)


def _ups(fields: Fields, name: str) -> HardwareConfig:
    """A UPS is a load that must run: its server is asked, and nothing is commanded."""
    ups = fields.text("ups", 64)
    if NAME.fullmatch(ups) is None and ups != "?":
        fields.problem("ups", f"{ups!r} is no name of a UPS; `upsc -l` lists them")
    config = HardwareConfig(
        name=name,
        driver=NUT,
        nameplate=_drawing(fields),
        reversion_w=None,
        reserve=0.0,
        host=fields.text("host", 253, "127.0.0.1"),
        port=fields.integer("port", 1, 65_535, NUT_PORT),
        unit=0,
        poll_ms=fields.integer("poll_ms", 20, SLOWEST_POLL_MS, 500),
        timeout_ms=fields.integer("timeout_ms", 20, 10_000, 500),
        ups=ups,
    )
    fields.close()
    return config


def _sunspec(fields: Fields, name: str) -> HardwareConfig:
    kind = DerKind(fields.choice("kind", tuple(kind.value for kind in KINDS)))
    nameplate = _battery(fields) if kind is DerKind.BATTERY else _pv(fields)
    config = HardwareConfig(
        name=name,
        driver=SUNSPEC,
        nameplate=nameplate,
        reversion_w=_reversion_w(fields, nameplate),
        reserve=fields.number("reserve", 0.0, 1.0, 0.2) if kind is DerKind.BATTERY else 0.0,
        host=fields.text("host", 253),
        port=fields.integer("port", 1, 65_535, MODBUS_PORT),
        unit=fields.integer("unit", 0, 255, 1),
        poll_ms=fields.integer("poll_ms", 20, SLOWEST_POLL_MS, 200),
        timeout_ms=fields.integer("timeout_ms", 20, 10_000, 500),
    )
    fields.close()
    return config


def _mqtt(fields: Fields, name: str) -> HardwareConfig:
    kind = DerKind(fields.choice("kind", tuple(kind.value for kind in MQTT_KINDS)))
    nameplate = _battery(fields) if kind is DerKind.BATTERY else _pv(fields)
    if kind in (DerKind.LOAD, DerKind.FLEXIBLE):
        nameplate = replace(nameplate, kind=kind, minimum_w=-nameplate.maximum_w, maximum_w=0.0)
    topics = parse_topics(fields, kind)
    config = HardwareConfig(
        name=name,
        driver=MQTT,
        nameplate=nameplate,
        reversion_w=None if kind is DerKind.LOAD else _reversion_w(fields, nameplate),
        reserve=fields.number("reserve", 0.0, 1.0, 0.2) if kind is DerKind.BATTERY else 0.0,
        host=fields.text("host", 253, "127.0.0.1"),
        port=fields.integer("port", 1, 65_535, MQTT_PORT),
        unit=0,
        poll_ms=fields.integer("poll_ms", 20, SLOWEST_POLL_MS, 200),
        timeout_ms=fields.integer("timeout_ms", 20, 10_000, 500),
        topics=topics,
        report_s=topics.report_s,
        connection=kind is DerKind.LOAD and _at_connection(fields, ITSELF),
    )
    fields.close()
    return config


def _reversion_w(fields: Fields, plate: Nameplate) -> float | None:
    """A battery that nobody controls must not run down, and rests if nothing else is said."""
    if plate.kind is DerKind.BATTERY:
        return fields.number("reversion_w", plate.minimum_w, 0.0, 0.0)
    if fields.absent("reversion_w"):
        return None
    return fields.number("reversion_w", plate.minimum_w, plate.maximum_w)


def _battery(fields: Fields) -> Nameplate:
    return Nameplate(
        kind=DerKind.BATTERY,
        minimum_w=-fields.number("charge_w", 0.0, LARGEST_W),
        maximum_w=fields.number("discharge_w", 0.0, LARGEST_W),
        capacity_wh=fields.number("capacity_wh", 1.0, LARGEST_WH),
        charge_efficiency=fields.number("charge_efficiency", 0.01, 1.0, 0.95),
        discharge_efficiency=fields.number("discharge_efficiency", 0.01, 1.0, 0.95),
        ramp_w_per_s=None,
        response_s=fields.number("response_s", 0.0, 3600.0, 1.0),
    )


def _pv(fields: Fields) -> Nameplate:
    return Nameplate(
        kind=DerKind.PV,
        minimum_w=0.0,
        maximum_w=fields.number("maximum_w", 0.0, LARGEST_W),
        capacity_wh=None,
        charge_efficiency=1.0,
        discharge_efficiency=1.0,
        ramp_w_per_s=None,
        response_s=fields.number("response_s", 0.0, 3600.0, 1.0),
    )
