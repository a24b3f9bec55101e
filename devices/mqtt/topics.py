"""Which topics a device speaks on, and what their texts mean: configuration in, watts in and out, no I/O.

A payload is a number, or JSON with a number at a path; W, injection positive, after the unit's factor has been applied.
Source: OASIS MQTT 3.1.1, section 4.7 (topic names).
"""

import json
import math
from dataclasses import dataclass

from devices.fields import Fields
from devices.image import DerKind
from devices.mqtt.access import Access, parse_access

MQTT_PORT = 1883
LONGEST_TOPIC = 200
LONGEST_PAYLOAD = 16_384
"""Bytes; a state message of the largest charger has some 2 KiB."""
VALUE = "{value}"
ALIKE = 1e-6


@dataclass(frozen=True, slots=True)
class Source:
    """Where a value is said: a topic, and a path of names and indexes into its JSON; empty for a bare value."""

    topic: str
    path: str = ""


@dataclass(frozen=True, slots=True)
class SetpointTopics:
    """How a device is told what to do, and where it says what it holds.

    One unit of its numbers is `unit_w` watts; `decimals` are what it understands. A switch knows `on` and `off` alone.
    """

    command_topic: str
    held: Source
    command: str = VALUE
    unit_w: float = 1.0
    decimals: int = 0
    on: str | None = None
    off: str | None = None


@dataclass(frozen=True, slots=True)
class DeviceTopics:
    """The topics of one device. `report_s`: how long what it said last holds; a longer silence is unknown."""

    power: Source
    power_unit_w: float
    charge: Source | None
    setpoint: SetpointTopics | None
    availability: str | None
    online: str
    report_s: float
    access: Access

    @property
    def heard(self) -> tuple[str, ...]:
        """Every topic to listen to, once."""
        held = None if self.setpoint is None else self.setpoint.held.topic
        charge = None if self.charge is None else self.charge.topic
        found = (self.power.topic, charge, held, self.availability)
        return tuple(dict.fromkeys(topic for topic in found if topic is not None))


def parse_topics(fields: Fields, kind: DerKind) -> DeviceTopics:
    """Read the topics of a device of a kind; mistakes are collected in the fields."""
    drawn = kind in (DerKind.LOAD, DerKind.FLEXIBLE)
    usual = -1.0 if drawn else 1.0
    return DeviceTopics(
        power=_source(fields, "power"),
        power_unit_w=_unit(fields, "power_unit_w", usual),
        charge=_source(fields, "state_of_charge") if kind is DerKind.BATTERY else None,
        setpoint=None if kind is DerKind.LOAD else _setpoint(fields, usual, kind),
        availability=None
        if fields.absent("availability_topic")
        else topic_of(fields, "availability_topic", True),
        online=fields.text("online", 64, "online"),
        report_s=fields.number("report_s", 0.5, 60.0, 5.0),
        access=parse_access(fields),
    )


def text_at(payload: bytes, path: str) -> str | None:
    """The text at a path of a payload, true and false in small letters; None where there is none."""
    if len(payload) > LONGEST_PAYLOAD:
        return None
    try:
        text = payload.decode("utf-8")
        if not path:
            return text.strip()
        value = json.loads(text)
        for name in path.split("."):
            value = value[int(name)] if isinstance(value, list) else value[name]
    except (ValueError, KeyError, IndexError, TypeError, RecursionError):
        return None
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, str | int | float) else None


def number_at(payload: bytes, path: str) -> float | None:
    """The finite number at a path of a payload; None where there is none."""
    text = text_at(payload, path)
    try:
        value = None if text is None or len(text) > 40 else float(text)
    except ValueError:
        return None
    return value if value is not None and math.isfinite(value) else None


def told(setpoint: SetpointTopics, power_w: float, least_w: float) -> str:
    """What a device is told for a power: rounded towards nothing, so that no limit is passed.

    A switch is on only where all that the device may draw (`least_w`, negative) is allowed.
    """
    if setpoint.on is not None and setpoint.off is not None:
        return setpoint.on if power_w <= least_w else setpoint.off
    scale = 10**setpoint.decimals
    # Nine digits stay: three amperes must not become two because a division came out a hair too small.
    units = math.trunc(round(power_w / setpoint.unit_w * scale, 9)) / scale
    return f"{units + 0.0:.{setpoint.decimals}f}"


def held_w(setpoint: SetpointTopics, payload: bytes, least_w: float) -> float | None:
    """The setpoint that a device says it holds; None where it says nothing that can be understood."""
    if setpoint.on is not None:
        text = text_at(payload, setpoint.held.path)
        return {setpoint.on: least_w, setpoint.off: 0.0}.get(text)
    units = number_at(payload, setpoint.held.path)
    return None if units is None else 0.0 + units * setpoint.unit_w


def means(setpoint: SetpointTopics, payload: bytes, text: str) -> bool:
    """Whether a device says that it holds what it was told with `text`."""
    if setpoint.on is not None:
        return text_at(payload, setpoint.held.path) == text
    units = number_at(payload, setpoint.held.path)
    return units is not None and abs(units - float(text)) <= ALIKE


def command(setpoint: SetpointTopics, text: str) -> str:
    """The payload of a command."""
    return setpoint.command.replace(VALUE, text)


def _setpoint(fields: Fields, usual: float, kind: DerKind) -> SetpointTopics:
    switch = not (fields.absent("on") and fields.absent("off"))
    if switch and kind is not DerKind.FLEXIBLE:
        fields.problem("on", "only a flexible load can be a switch")
    made = SetpointTopics(
        command_topic=topic_of(fields, "command_topic", False),
        held=_source(fields, "setpoint"),
        command=fields.text("command", 500, VALUE),
        unit_w=1.0 if switch else _unit(fields, "setpoint_unit_w", usual),
        decimals=0 if switch else fields.integer("setpoint_decimals", 0, 3, 0),
        on=fields.text("on", 64) if switch else None,
        off=fields.text("off", 64) if switch else None,
    )
    if VALUE not in made.command:
        fields.problem("command", f"must contain {VALUE}, where the number or the word goes")
    if made.command_topic == made.held.topic:
        fields.problem(
            "setpoint_topic", "must not be the command's: the device itself has to say what it holds"
        )
    if switch and made.on == made.off:
        fields.problem("off", "must differ from on")
    return made


def _source(fields: Fields, key: str) -> Source:
    path = "" if fields.absent(f"{key}_path") else fields.text(f"{key}_path", 200)
    return Source(topic_of(fields, f"{key}_topic", True), path)


def topic_of(fields: Fields, key: str, heard: bool) -> str:
    """Read the name of a single topic; one that is only `heard` may be the broker's own."""
    topic = fields.text(key, LONGEST_TOPIC)
    if any(character in topic for character in "+#\0") or (topic.startswith("$") and not heard):
        fields.problem(
            key, f"{topic!r} is no single topic: + and # are not allowed, nor $ at a command's start"
        )
    return topic


def _unit(fields: Fields, key: str, usual: float) -> float:
    unit_w = fields.number(key, -1e6, 1e6, usual)
    if abs(unit_w) < 1e-3:
        fields.problem(key, "must not be 0: it is what one unit of the device's number is in W")
        return usual
    return unit_w
