"""Rules on one unit's readings: what is wrong, how bad it is, and what part of its power that leaves.

Power is derated and never raised; a reading that a unit should have and does not give leaves nothing.

Sources. Temperatures: charging of lithium cells up to 45 C and use up to 60 C, IEC 62619 and the data sheets
named in `devices.models.lithium_battery`. Health: 80 % is where warranties end, 60 % where IEC 62620 ends its
endurance test. Voltage: 15 % around nominal spans a lithium iron phosphate pack from empty to full.
"""

from dataclasses import dataclass
from enum import Enum

from devices.image import UnitCondition


class Finding(Enum):
    """What a rule found."""

    HOT = "hot"
    COLD = "cold"
    VOLTAGE = "voltage"
    WORN = "worn"
    IMPLAUSIBLE = "implausible"
    DRIFTING = "drifting"
    UNREADABLE = "unreadable"


@dataclass(frozen=True, slots=True)
class Limits:
    """Between `warm_c` and `hot_c`, and between `cool_c` and `cold_c`, power falls to nothing; below `worn` of
    its capacity a unit is told of, below `spent` it rests. Voltages are parts of the nominal one.
    """

    warm_c: float = 45.0
    hot_c: float = 60.0
    cool_c: float = -10.0
    cold_c: float = -20.0
    lowest_voltage: float = 0.85
    highest_voltage: float = 1.15
    worn: float = 0.8
    spent: float = 0.6


LITHIUM = Limits()


@dataclass(frozen=True, slots=True)
class Judgement:
    """A finding in words, and the part of the unit's power that it leaves, 0 to 1; 0 is a unit that rests."""

    finding: Finding
    text: str
    factor: float


def judge(condition: UnitCondition, limits: Limits, now_ns: int, max_age_ns: int) -> tuple[Judgement, ...]:
    """Everything that the readings of one moment say is wrong."""
    found = []
    named = {
        "temperature": condition.temperature_c,
        "voltage": condition.voltage_v,
        "current": condition.current_a,
        "state of health": condition.state_of_health,
    }
    silent = [
        name for name, reading in named.items() if reading and reading.usable(now_ns, max_age_ns) is None
    ]
    if silent:
        found.append(Judgement(Finding.UNREADABLE, f"no good reading of {', '.join(silent)}", 0.0))
    for rule in (_temperature, _voltage, _wear):
        judgement = rule(condition, limits, now_ns, max_age_ns)
        if judgement is not None:
            found.append(judgement)
    return tuple(found)


def remaining(judgements: tuple[Judgement, ...]) -> float:
    """The part of its power that a unit may use: what its worst finding leaves."""
    return min((judgement.factor for judgement in judgements), default=1.0)


def _temperature(condition: UnitCondition, limits: Limits, now_ns: int, max_age_ns: int) -> Judgement | None:
    reading = condition.temperature_c
    celsius = None if reading is None else reading.usable(now_ns, max_age_ns)
    if celsius is None:
        return None
    if celsius > limits.warm_c:
        left = (limits.hot_c - celsius) / (limits.hot_c - limits.warm_c)
        return Judgement(Finding.HOT, f"{celsius:.0f} C", max(0.0, left))
    if celsius < limits.cool_c:
        left = (celsius - limits.cold_c) / (limits.cool_c - limits.cold_c)
        return Judgement(Finding.COLD, f"{celsius:.0f} C", max(0.0, left))
    return None


def _voltage(condition: UnitCondition, limits: Limits, now_ns: int, max_age_ns: int) -> Judgement | None:
    reading = condition.voltage_v
    volt = None if reading is None else reading.usable(now_ns, max_age_ns)
    if volt is None or condition.nominal_v is None:
        return None
    part = volt / condition.nominal_v
    if limits.lowest_voltage <= part <= limits.highest_voltage:
        return None
    return Judgement(Finding.VOLTAGE, f"{volt:.1f} V at a nominal {condition.nominal_v:g} V", 0.0)


def _wear(condition: UnitCondition, limits: Limits, now_ns: int, max_age_ns: int) -> Judgement | None:
    reading = condition.state_of_health
    health = None if reading is None else reading.usable(now_ns, max_age_ns)
    if health is None or health >= limits.worn:
        return None
    return Judgement(
        Finding.WORN, f"{health:.0%} of the capacity is left", 1.0 if health >= limits.spent else 0.0
    )
