"""Which batteries services of the dso may use, where an owner has excepted one. W, injection positive.

A battery that services may not use does what the wish and the mandatory droops make of it, and backs nothing. Mandatory
droops are no service: a connection rule asks for them from everybody.
"""

from devices.limits import PowerRange
from devices.power.allocation import Setpoint, distribute
from devices.power.reserve import BatteryInput


def admitted(batteries: tuple[BatteryInput, ...]) -> tuple[BatteryInput, ...]:
    """The batteries that services may use."""
    return tuple(battery for battery in batteries if battery.for_services)


def reachable(
    power_w: float, batteries: tuple[BatteryInput, ...], ranges: tuple[PowerRange, ...]
) -> PowerRange:
    """The powers that services can reach from `power_w`: the others stay at their part of it."""
    kept_w = sum(part.power_w for part in _kept(power_w, batteries, ranges))
    free = [each for battery, each in zip(batteries, ranges, strict=True) if battery.for_services]
    return PowerRange(
        kept_w + sum(each.minimum_w for each in free), kept_w + sum(each.maximum_w for each in free)
    )


def shared(
    power_w: float,
    without_services_w: float,
    batteries: tuple[BatteryInput, ...],
    ranges: tuple[PowerRange, ...],
) -> tuple[Setpoint, ...]:
    """Split a power that services have changed from `without_services_w`, of which the others keep their part."""
    names = tuple(battery.name for battery in batteries)
    if len(admitted(batteries)) == len(batteries) or power_w == without_services_w:
        return distribute(power_w, names, ranges)
    kept = {part.name: part for part in _kept(without_services_w, batteries, ranges)}
    free = tuple((name, each) for name, each in zip(names, ranges, strict=True) if name not in kept)
    rest_w = power_w - sum(part.power_w for part in kept.values())
    given = distribute(rest_w, tuple(name for name, _ in free), tuple(each for _, each in free))
    parts = kept | {part.name: part for part in given}
    return tuple(parts[name] for name in names)


def _kept(
    power_w: float, batteries: tuple[BatteryInput, ...], ranges: tuple[PowerRange, ...]
) -> tuple[Setpoint, ...]:
    parts = distribute(power_w, tuple(battery.name for battery in batteries), ranges)
    return tuple(part for battery, part in zip(batteries, parts, strict=True) if not battery.for_services)
