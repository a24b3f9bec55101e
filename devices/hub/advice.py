"""Advice in plain words from a home's own demand: what to shift, what runs for nothing, what could move to DC.

Each advice has its yearly saving in kWh (and in money where it is about when, not how much), and says what was
seen. Energies in Wh unless named; prices in currency per kWh.

Sources: standby of more than 0.5 W is what EU regulation 2023/826 no longer allows new devices; external power
supplies lose 10 to 15 % at the few tens of watts of electronics (EU 2019/1782, minimum average efficiencies),
a central DC supply about 4 %.
"""

from dataclasses import dataclass
from enum import Enum

from devices.hub.recognition import DeviceKind

DAYS_PER_YEAR = 365.0
HOURS = 24
SHIFTABLE = frozenset({DeviceKind.DISHWASHER, DeviceKind.WASHING_MACHINE, DeviceKind.CAR})
ELECTRONIC = frozenset(
    {
        DeviceKind.LAPTOP,
        DeviceKind.MONITOR,
        DeviceKind.PHONE,
        DeviceKind.TABLET,
        DeviceKind.NETWORK,
        DeviceKind.LIGHT,
    }
)
MUST_RUN = frozenset({DeviceKind.FRIDGE, DeviceKind.NETWORK})
NIGHT = range(1, 5)
"""Hours in which most people sleep: what draws steadily then, and hardly more by day, mostly runs for nothing."""
IDLE_W = 0.5
ADAPTER_EFFICIENCY = 0.87
CENTRAL_EFFICIENCY = 0.96
LEAST_KWH = 2.0
"""Advice about less than this per year is not worth reading."""


class Topic(Enum):
    """What an advice is about."""

    SHIFT = "shift"
    FOR_NOTHING = "runs for nothing"
    TO_DC = "could move to DC"


@dataclass(frozen=True, slots=True)
class DayOfUse:
    """A circuit's or socket's usual day: kind, mean power of each of the 24 hours, and whether it is DC already."""

    name: str
    kind: DeviceKind
    mean_w: tuple[float, ...]
    direct_current: bool = False


@dataclass(frozen=True, slots=True)
class Advice:
    """One advice: about what, which socket, in words, and what it saves a year (kWh; money where known)."""

    topic: Topic
    name: str
    text: str
    saves_kwh: float
    saves_money: float


def advise(uses: tuple[DayOfUse, ...], price: tuple[float, ...]) -> tuple[Advice, ...]:
    """All advice for a home, greatest saving first. `price`: of each of the 24 hours (ValueError if not 24)."""
    if len(price) != HOURS or any(len(use.mean_w) != HOURS for use in uses):
        raise ValueError("a day has 24 hours of power and of prices")
    found: list[Advice] = []
    for use in uses:
        found += _shift(use, price) + _for_nothing(use, price) + _to_dc(use, price)
    return tuple(sorted(found, key=lambda advice: (-advice.saves_money, advice.name, advice.topic.value)))


def _shift(use: DayOfUse, price: tuple[float, ...]) -> list[Advice]:
    """Move the block of hours in which it runs to where the same block costs least."""
    if use.kind not in SHIFTABLE or sum(use.mean_w) <= 0:
        return []
    costs = [
        sum(use.mean_w[hour] * price[(hour + later) % HOURS] for hour in range(HOURS)) / 1000
        for later in range(HOURS)
    ]
    later = min(range(HOURS), key=lambda each: (costs[each], each))
    saved = (costs[0] - costs[later]) * DAYS_PER_YEAR
    if saved <= 0 or costs[0] - costs[later] < 0.05 * abs(costs[0]):
        return []
    starts = max(range(HOURS), key=lambda hour: (use.mean_w[hour] - use.mean_w[hour - 1], -hour))
    text = (
        f"Start the {use.kind.value} on {use.name} around {(starts + later) % HOURS}:00 instead of "
        f"{starts}:00: the same energy is cheaper then."
    )
    return [Advice(Topic.SHIFT, use.name, text, 0.0, saved)]


def _for_nothing(use: DayOfUse, price: tuple[float, ...]) -> list[Advice]:
    """What is drawn at night all the same, if the device has no reason to run then."""
    night_w = min(use.mean_w[hour] for hour in NIGHT)
    saved_kwh = (night_w - IDLE_W) * HOURS * DAYS_PER_YEAR / 1000
    if use.kind in MUST_RUN or use.kind is DeviceKind.CAR or saved_kwh < LEAST_KWH:
        return []
    what = "What is plugged in there" if use.kind is DeviceKind.UNKNOWN else f"The {use.kind.value}"
    text = (
        f"{what} on {use.name} draws {night_w:.1f} W even at night. Switched off when nobody uses it, that is "
        f"{saved_kwh:.0f} kWh a year."
    )
    return [Advice(Topic.FOR_NOTHING, use.name, text, saved_kwh, saved_kwh * sum(price) / HOURS)]


def _to_dc(use: DayOfUse, price: tuple[float, ...]) -> list[Advice]:
    """Electronics behind a power supply of their own, which a DC socket would spare."""
    drawn_kwh = sum(use.mean_w) * DAYS_PER_YEAR / 1000
    saved_kwh = drawn_kwh * (1 - ADAPTER_EFFICIENCY / CENTRAL_EFFICIENCY)
    if use.direct_current or use.kind not in ELECTRONIC or saved_kwh < LEAST_KWH:
        return []
    text = (
        f"The {use.kind.value} on {use.name} runs on direct current behind its own power supply. On a DC socket "
        f"it would draw about {saved_kwh:.0f} kWh less a year."
    )
    return [Advice(Topic.TO_DC, use.name, text, saved_kwh, saved_kwh * sum(price) / HOURS)]
