"""What a control cycle says of every alarm: raised or not, and why. The board remembers which of them stand."""

from collections.abc import Iterator
from typing import TypeAlias

from devices.circuit_protection import Cause
from devices.dispatch.circuit_guard import CircuitGuard
from devices.dispatch.cycle_record import CycleRecord, ReadBack
from devices.dispatch.settling import Settling
from devices.health.monitor import HealthMonitor
from devices.health.rules import Finding
from devices.image import DeviceImage, ProcessImage, Supply
from devices.messages.control_messages import AlarmCode
from devices.response.fast_response import strength

Condition: TypeAlias = tuple[AlarmCode, str | None, str, bool]
"""Code, device (None: the site), text for people, and whether it is raised."""


def device_conditions(
    record: CycleRecord, image: ProcessImage, settling: Settling, age_ns: int
) -> Iterator[Condition]:
    """What the cycle knows of each device; a reading older than `age_ns` is unknown."""
    now_ns = record.time.real_ns
    for device in image.devices:
        unknown = device.power_w.usable(now_ns, age_ns) is None
        yield AlarmCode.POWER_UNKNOWN, device.name, "no good reading", unknown
        yield from _supply(device)
    for battery in record.inputs.batteries:
        text = "no state of charge: the battery rests"
        yield AlarmCode.STATE_OF_CHARGE_UNKNOWN, battery.name, text, battery.stored_wh is None
    for each in record.read_back:
        overdue = settling.overdue(each.name, now_ns)
        yield AlarmCode.SETPOINT_NOT_REACHED, each.name, _shown(each), overdue


def standing_conditions(guard: CircuitGuard, health: HealthMonitor) -> Iterator[Condition]:
    """What the circuits' protection and the units' health remember; an empty text clears."""
    for cause in Cause:
        for name, text in guard.standing(cause).items():
            yield AlarmCode(f"circuit-{cause.value}"), name, text, bool(text)
    for finding in Finding:
        for name, text in health.standing(finding).items():
            yield AlarmCode(f"unit-{finding.value}"), name, text, bool(text)


def site_conditions(record: CycleRecord, image: ProcessImage, age_ns: int) -> Iterator[Condition]:
    """What the cycle knows of the whole site."""
    now_ns, response = record.time.real_ns, record.inputs.response
    known = all(device.power_w.usable(now_ns, age_ns) is not None for device in image.devices)
    beyond = known and not record.decision.limit_held
    yield AlarmCode.LIMIT_NOT_HELD, None, "no setpoint keeps the connection's limits", beyond
    curves = (*response.mandatory, *(each.curve for each in response.armed))
    blind = [curve.name for curve in curves if strength(curve, response) is None]
    text = f"{', '.join(blind)}: nothing good measures the grid, so there is no response"
    yield AlarmCode.GRID_UNKNOWN, None, text, bool(blind)
    short = bool(response.armed) and not record.decision.armed_available
    yield AlarmCode.ARMED_NOT_AVAILABLE, None, "not all that is armed could be delivered and sustained", short


def _supply(device: DeviceImage) -> Iterator[Condition]:
    """Tell of a UPS that runs on its battery; while it is silent, what was told last stands."""
    if device.supply is None or device.supply is Supply.UNKNOWN:
        return
    left_s = None if device.runtime_s is None else device.runtime_s.value
    text = f"{'an unknown time' if left_s is None else f'{left_s / 60:.0f} min'} left on battery"
    low = device.supply is Supply.LOW_BATTERY
    yield AlarmCode.UPS_ON_BATTERY, device.name, text, low or device.supply is Supply.BATTERY
    yield AlarmCode.UPS_LOW_BATTERY, device.name, text, low


def _shown(read_back: ReadBack) -> str:
    return f"told {read_back.told_w} W, reads back {read_back.setpoint_w} W, gives {read_back.power_w} W"
