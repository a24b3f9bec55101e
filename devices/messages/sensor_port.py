"""The expansion port: sensors of temperature, humidity, CO2, gas and water, and what may be made of their readings.

A sensor says one line per reading: its name, its kind and a number, separated by spaces. What is implausible is
marked invalid and carries no value; what is old is no reading. Ages are real time.

Sources of the ranges: Sensirion SHT4x (temperature, humidity) and SCD4x (CO2) data sheets; EN 50194-1 for gas
(alarm between 3 and 20 % of the lower explosive limit); EN 13757 residential water meters (litres per hour).
Limits to warn at: EN 16798-1 category III for CO2 (1,350 ppm above outdoor air), EN 50194-1 for gas.
"""

import math
from dataclasses import dataclass, replace
from enum import Enum

from devices.fields import Fields
from devices.image import Quality, Reading
from devices.leases import Accepted, Answer, Refused
from devices.models.daily_use import hour_of_day, within
from devices.models.model import Surroundings
from devices.mqtt.access import Access, parse_access
from devices.mqtt.topics import MQTT_PORT, topic_of

LONGEST_LINE = 120
"""Characters of a line: a name, a kind and a number."""
MOST_SENSORS = 64
"""Sensors on one port."""


class SensorKind(Enum):
    """What a sensor measures."""

    TEMPERATURE = "temperature"
    HUMIDITY = "humidity"
    CO2 = "co2"
    GAS = "gas"
    WATER = "water"


@dataclass(frozen=True, slots=True)
class Measured:
    """A kind's unit, what can be true at all, and from what value on somebody should look (None: never)."""

    unit: str
    lowest: float
    highest: float
    warns_from: float | None


MEASURED = {
    SensorKind.TEMPERATURE: Measured("C", -40.0, 125.0, 60.0),
    SensorKind.HUMIDITY: Measured("%", 0.0, 100.0, None),
    SensorKind.CO2: Measured("ppm", 0.0, 40_000.0, 1_750.0),
    SensorKind.GAS: Measured("% LEL", 0.0, 100.0, 10.0),
    SensorKind.WATER: Measured("l/h", 0.0, 10_000.0, None),
}


@dataclass(frozen=True, slots=True)
class SensorTopic:
    """Where a sensor on an MQTT broker says its reading, in the unit of its kind, and how long that holds.

    `broker`: host, port, user's name and the file with the password, or None for both.
    """

    broker: tuple[str, int, Access]
    topic: str
    path: str
    report_s: float


@dataclass(frozen=True, slots=True)
class Sensor:
    """One sensor. An `outdoor` temperature sensor that is simulated tells the models how warm the air is.

    A simulated one shows `always`, and in each span (from hour, to hour, value) of the UTC day so much more.
    """

    name: str
    kind: SensorKind
    outdoor: bool = False
    always: float | None = None
    spans: tuple[tuple[float, float, float], ...] = ()
    said: SensorTopic | None = None


@dataclass(frozen=True, slots=True)
class SensorReading:
    """One sensor's latest reading in the unit of its kind."""

    name: str
    kind: SensorKind
    reading: Reading


class ExpansionPort:
    """The sensors of one node and the latest line of each. Simulated ones need no line."""

    def __init__(self, sensors: tuple[Sensor, ...], max_age_ns: int) -> None:
        self._sensors = {sensor.name: sensor for sensor in sensors}
        self._max_age_ns = max_age_ns
        self._latest: dict[str, Reading] = {}

    def hear(self, line: str, real_ns: int) -> Answer:
        """Take one line; refused when it is no line of a known sensor."""
        words = line.split()
        if len(line) > LONGEST_LINE or len(words) != 3:
            return Refused("not a name, a kind and a number")
        sensor = self._sensors.get(words[0])
        if sensor is None or sensor.kind.value != words[1]:
            return Refused(f"no sensor {words[0][:40]!r} of the kind {words[1][:40]!r} is configured")
        try:
            value = float(words[2])
        except ValueError:
            return Refused(f"{words[2][:40]!r} is no number")
        self._latest[sensor.name] = plausible(sensor.kind, value, real_ns)
        return Accepted()

    def readings(self, cell_ns: int, real_ns: int) -> tuple[SensorReading, ...]:
        """Every sensor with its reading; missing where none came lately."""
        return tuple(
            SensorReading(name, sensor.kind, self._reading(sensor, cell_ns, real_ns))
            for name, sensor in self._sensors.items()
        )

    def observed(self, around: Surroundings, real_ns: int) -> Surroundings:
        """Surroundings with the outdoor sensors' mean in place of the assumed temperature, while one is known."""
        known = [
            each.reading.value
            for each in self.readings(around.cell_ns, real_ns)
            if self._sensors[each.name].outdoor and each.reading.value is not None
        ]
        return replace(around, ambient_c=sum(known) / len(known)) if known else around

    def _reading(self, sensor: Sensor, cell_ns: int, real_ns: int) -> Reading:
        if sensor.always is not None:
            hour = hour_of_day(cell_ns)
            more = sum(value for begins, ends, value in sensor.spans if within(hour, begins, ends))
            return plausible(sensor.kind, sensor.always + more, real_ns)
        latest = self._latest.get(sensor.name)
        if latest is None or real_ns - latest.real_ns > self._max_age_ns:
            return Reading.missing(real_ns)
        return latest


def plausible(kind: SensorKind, value: float, real_ns: int) -> Reading:
    """A reading of a value; one that cannot be true is invalid."""
    measured = MEASURED[kind]
    if math.isfinite(value) and measured.lowest <= value <= measured.highest:
        return Reading(value, real_ns, Quality.GOOD)
    return Reading(None, real_ns, Quality.INVALID)


def warning(reading: SensorReading) -> str | None:
    """What to tell people about a reading, or None. A gas sensor that does not answer is worth a warning, too."""
    measured = MEASURED[reading.kind]
    value = reading.reading.value
    if value is None:
        return f"{reading.name}: no reading" if reading.kind is SensorKind.GAS else None
    if measured.warns_from is None or value < measured.warns_from:
        return None
    return f"{reading.name}: {value:g} {measured.unit}, {measured.warns_from:g} or more"


def parse_sensors(tables: tuple[Fields, ...]) -> tuple[Sensor, ...]:
    """Read the sensors of a configuration; names are unique, and only a temperature can be outdoor."""
    sensors: list[Sensor] = []
    for fields in tables:
        name = fields.text("name", 64)
        if name in {sensor.name for sensor in sensors} or " " in name:
            fields.problem("name", f"{name!r} is taken by another sensor or contains a space")
        kind = SensorKind(fields.choice("kind", tuple(kind.value for kind in SensorKind)))
        measured = MEASURED[kind]
        outdoor = fields.flag("outdoor", False)
        if outdoor and kind is not SensorKind.TEMPERATURE:
            fields.problem("outdoor", "is only for a temperature sensor")
        always = (
            None if fields.absent("always") else fields.number("always", measured.lowest, measured.highest)
        )
        span = measured.highest - measured.lowest
        rows = fields.rows(
            "spans", ((0.0, 24.0), (0.0, 24.0), (-span, span)), 96, "[from hour, to hour, more]"
        )
        said = None if fields.absent("topic") else _said(fields)
        if said is not None and always is not None:
            fields.problem("topic", "and always exclude each other: a sensor is real or simulated")
        spans = tuple((row[0], row[1], row[2]) for row in rows)
        sensors.append(Sensor(name, kind, outdoor, always, spans, said))
        fields.close()
    return tuple(sensors)


def _said(fields: Fields) -> SensorTopic:
    return SensorTopic(
        broker=(
            fields.text("host", 253, "127.0.0.1"),
            fields.integer("port", 1, 65_535, MQTT_PORT),
            parse_access(fields),
        ),
        topic=topic_of(fields, "topic", True),
        path="" if fields.absent("path") else fields.text("path", 200),
        report_s=fields.number("report_s", 1.0, 86_400.0, 600.0),
    )
