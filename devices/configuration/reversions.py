"""What every device falls back to when nobody controls it: as configured, or a safe share of the connection's limits.

Power in W, injection positive.
"""

from devices.configuration.control_config import ControlConfig, metered
from devices.image import DerKind
from devices.models.load_circuit import LoadCircuit
from devices.tier import Tier


def reversions(config: ControlConfig) -> dict[str, float]:
    """The setpoint in W that each device takes when its lease ends: as configured, or a safe share of the limits.

    Generation is then limited so that all of it together stays within the export limit even while nothing is
    drawn. Loads stay together within the import limit even while nothing is generated: what must run comes first,
    then circuits whose tier cannot be put off, the critical ones before the others, and the rest share what is
    left. Generators stop.
    """
    others = metered(config)
    built_w = sum(each.maximum_w for each in others if each.kind is DerKind.PV)
    given = min(1.0, config.connection.maximum_w / built_w) if built_w > 0 else 0.0
    safe = {each.name: each.maximum_w * given for each in others if each.kind is DerKind.PV}
    safe |= {each.name: 0.0 for each in others if each.kind is DerKind.GENERATOR}
    chosen = {each.name: each.reversion_w for each in config.models if each.reversion_w is not None}
    chosen |= {each.name: each.reversion_w for each in config.hardware if each.reversion_w is not None}
    stores = {battery.name: battery.reversion_w for battery in config.batteries}
    flexible = {each.name: each.minimum_w for each in others if each.kind is DerKind.FLEXIBLE}
    must_w = sum(each.minimum_w for each in others if each.kind is DerKind.LOAD)
    must_w += sum((stores | {name: chosen[name] for name in chosen if name in flexible}).values())
    open_ = {name: minimum_w for name, minimum_w in flexible.items() if name not in chosen}
    room_w = min(0.0, config.connection.minimum_w - must_w)
    return stores | safe | _loads_left_alone(config, open_, room_w) | chosen


def _loads_left_alone(config: ControlConfig, flexible: dict[str, float], room_w: float) -> dict[str, float]:
    """What each flexible load may draw of `room_w` (at most 0) while nobody controls it."""
    tiers = {each.name: each.model.tier for each in config.models if isinstance(each.model, LoadCircuit)}
    held: dict[str, float] = {}
    for tier in (Tier.CRITICAL, Tier.ESSENTIAL, Tier.NORMAL):
        for name in sorted(name for name in flexible if tiers.get(name) is tier):
            held[name] = max(flexible[name], room_w)
            room_w = min(0.0, room_w - held[name])
    may_w = sum(minimum_w for name, minimum_w in flexible.items() if name not in held)
    part = min(1.0, room_w / may_w) if may_w < 0 else 0.0
    return held | {name: minimum_w * part for name, minimum_w in flexible.items() if name not in held}
