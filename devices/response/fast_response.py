"""The fast response: what armed services withhold, what they and mandatory droops add. W, injection positive.

Only the node's own measurement of frequency and voltage drives it: no message and no agreement is in the loop.
What is not measured asks for nothing. Everything is a pure function of one cycle's inputs.
"""

from dataclasses import dataclass

from devices.errors import ServiceError
from devices.limits import PowerRange
from devices.power.reserve import SECONDS_PER_HOUR, BatteryInput
from devices.response.response_curve import Effect, Quantity, ResponseCurve, response

RECOVERY_PART = 0.2
"""Part of the armed power at which an energy-limited unit recovers: slow against any service, so that what is
sold is never in question, and within a quarter of an hour's worth of energy in 75 minutes."""


@dataclass(frozen=True, slots=True)
class Arming:
    """A service that may use headroom: up (injecting more) and down in W, both at least 0."""

    curve: ResponseCurve
    up_w: float
    down_w: float


@dataclass(frozen=True, slots=True)
class Activation:
    """The node's share of a request: so much more power, in W, of what is armed for a service."""

    request: str
    service: str
    power_w: float


@dataclass(frozen=True, slots=True)
class ResponseInput:
    """What the node measures of the grid (None: not known), what is armed now, which droops always hold, and what
    requests activate of what is armed.
    """

    frequency_hz: float | None
    voltage_pu: float | None
    armed: tuple[Arming, ...]
    mandatory: tuple[ResponseCurve, ...]
    activations: tuple[Activation, ...] = ()


NO_RESPONSE = ResponseInput(None, None, (), ())


def strength(curve: ResponseCurve, inputs: ResponseInput) -> float | None:
    """The curve's value at what is measured; None while that is unknown or not plausible."""
    if curve.quantity is Quantity.REQUEST:
        return 0.0
    x = inputs.frequency_hz if curve.quantity is Quantity.FREQUENCY else inputs.voltage_pu
    if x is None:
        return None
    try:
        return response(curve, x)
    except ServiceError:
        return None


def droop(inputs: ResponseInput) -> float:
    """What the mandatory droops ask together, per unit of nameplate, from -1 to 1."""
    total = sum(strength(curve, inputs) or 0.0 for curve in _of(inputs.mandatory, Effect.ACTIVE_POWER))
    return min(max(total, -1.0), 1.0)


def active_limit(inputs: ResponseInput) -> float:
    """The most active power that voltage lets units inject, per unit of nameplate; 1 while it is unknown."""
    limits = (strength(curve, inputs) for curve in _of(inputs.mandatory, Effect.ACTIVE_POWER_LIMIT))
    return min((limit for limit in limits if limit is not None), default=1.0)


def armed_offset_w(inputs: ResponseInput) -> float:
    """What the armed services ask together: never more than is armed in either direction."""
    return sum(asked_w(each, inputs) for each in inputs.armed)


def asked_w(each: Arming, inputs: ResponseInput) -> float:
    """What one armed service asks, by its curve and by requests: never more than is armed for it."""
    if each.curve.effect is not Effect.ACTIVE_POWER:
        return 0.0
    value = strength(each.curve, inputs) or 0.0
    curve_w = value * (each.up_w if value > 0 else each.down_w)
    called_w = sum(call.power_w for call in inputs.activations if call.service == each.curve.name)
    return PowerRange(-each.down_w, each.up_w).clip(curve_w + called_w)


def armed_range(
    usable: PowerRange, inputs: ResponseInput, batteries: tuple[BatteryInput, ...], horizon_s: float
) -> PowerRange:
    """What armed services leave of the power that layers 1 to 3 and the connection let batteries use.

    Withheld are the armed power and, of the energy, what the services must be able to sustain. Withholding never
    forces a battery to move: the power nearest to rest is always left.
    """
    rest_w = usable.clip(0.0)
    up_w, down_w = sum(each.up_w for each in inputs.armed), sum(each.down_w for each in inputs.armed)
    lowest_w, highest_w = usable.minimum_w, usable.maximum_w
    if up_w > 0:
        highest_w = min(highest_w - up_w, _holdable_w(_backing_up_wh(batteries), _up_wh(inputs), horizon_s))
    if down_w > 0:
        lowest_w = max(
            lowest_w + down_w, -_holdable_w(_backing_down_wh(batteries), _down_wh(inputs), horizon_s)
        )
    return PowerRange(min(lowest_w, rest_w), max(highest_w, rest_w))


def available(
    usable: PowerRange, inputs: ResponseInput, batteries: tuple[BatteryInput, ...], power_w: float
) -> bool:
    """Whether all that is armed could be delivered from `power_w`, and sustained as long as the services say."""
    up_w, down_w = sum(each.up_w for each in inputs.armed), sum(each.down_w for each in inputs.armed)
    above_wh, room_wh = _backing_up_wh(batteries), _backing_down_wh(batteries)
    if above_wh is None or room_wh is None:
        return up_w == down_w == 0
    slack_w = 1e-6 * max(1.0, abs(usable.minimum_w), abs(usable.maximum_w))
    return (
        usable.maximum_w - power_w >= up_w - slack_w
        and power_w - usable.minimum_w >= down_w - slack_w
        and above_wh >= _up_wh(inputs)
        and room_wh >= _down_wh(inputs)
    )


def recovery_w(inputs: ResponseInput, batteries: tuple[BatteryInput, ...], horizon_s: float) -> float:
    """The power with which an energy-limited unit goes back to where it can sustain its services both ways.

    Slow, and only while no armed service asks for the opposite: recovery never undoes a response.
    """
    above_wh, room_wh = _above_reserve_wh(batteries), _room_wh(batteries)
    if not inputs.armed or above_wh is None or room_wh is None:
        return 0.0
    short_up_wh = max(0.0, _up_wh(inputs) - above_wh)
    short_down_wh = max(0.0, _down_wh(inputs) - room_wh)
    missing_wh = short_down_wh - short_up_wh
    fastest_w = RECOVERY_PART * sum(max(each.up_w, each.down_w) for each in inputs.armed)
    wanted_w = min(abs(missing_wh) * SECONDS_PER_HOUR / horizon_s, fastest_w)
    wanted_w = wanted_w if missing_wh > 0 else -wanted_w
    undone = armed_offset_w(inputs) * wanted_w < 0 or droop(inputs) * wanted_w < 0
    return 0.0 if undone else wanted_w


def _of(curves: tuple[ResponseCurve, ...], effect: Effect) -> tuple[ResponseCurve, ...]:
    return tuple(curve for curve in curves if curve.effect is effect)


def _up_wh(inputs: ResponseInput) -> float:
    return sum(each.up_w * each.curve.duration_s for each in inputs.armed) / SECONDS_PER_HOUR


def _down_wh(inputs: ResponseInput) -> float:
    return sum(each.down_w * each.curve.duration_s for each in inputs.armed) / SECONDS_PER_HOUR


def _above_reserve_wh(batteries: tuple[BatteryInput, ...]) -> float | None:
    return _sum(tuple(battery.dischargeable_wh(battery.floor_wh) for battery in batteries))


def _room_wh(batteries: tuple[BatteryInput, ...]) -> float | None:
    return _sum(tuple(battery.chargeable_wh for battery in batteries))


def _backing_up_wh(batteries: tuple[BatteryInput, ...]) -> float | None:
    """What can be given: a battery that must not discharge backs nothing, be it full."""
    return _above_reserve_wh(tuple(battery for battery in batteries if battery.maximum_w > 0))


def _backing_down_wh(batteries: tuple[BatteryInput, ...]) -> float | None:
    """What can be taken: a battery that must not charge backs nothing, be it empty."""
    return _room_wh(tuple(battery for battery in batteries if battery.minimum_w < 0))


def _sum(values: tuple[float | None, ...]) -> float | None:
    known = tuple(value for value in values if value is not None)
    return sum(known) if len(known) == len(values) else None


def _holdable_w(stored_wh: float | None, withheld_wh: float, horizon_s: float) -> float:
    """The power that for a whole horizon takes nothing of what is withheld; none while the energy is unknown."""
    if stored_wh is None:
        return 0.0
    return max(0.0, stored_wh - withheld_wh) * SECONDS_PER_HOUR / horizon_s
