"""The dispatch stack: from one frozen set of inputs to one power, through layers that only ever narrow.

W, injection positive. Power here is the sum over the batteries unless it says connection. A layer names the
powers it allows; what all layers so far allow shrinks from layer to layer; a wish is then clipped into it.
The same inputs give the same decision, always: no clock, no memory.
"""

from dataclasses import dataclass
from enum import Enum

from devices.limits import PowerRange, narrow
from devices.power.allocation import PvInput, Setpoint, curtail
from devices.power.preparing import Preparing, prepared_w
from devices.power.reserve import BatteryInput, protected, reserved
from devices.power.service_rights import admitted, reachable, shared
from devices.response.fast_response import (
    NO_RESPONSE,
    ResponseInput,
    active_limit,
    armed_offset_w,
    armed_range,
    available,
    droop,
    recovery_w,
)

ROUNDING_W = 1e-3
"""Sums of floats may differ in their last digits; a milliwatt beyond a limit is no violation of it."""


class Layer(Enum):
    """The layers of the stack, in order; limits first, then wishes, then the fast response."""

    PROTECTION = "protection"
    RESERVE = "reserve"
    ISLANDING = "islanding"
    ARMED_SERVICES = "armed-services"
    CONNECTION = "connection"
    POSITION = "position"
    SELF_CONSUMPTION = "self-consumption"
    READINESS = "readiness"
    SAFE_STATE = "safe-state"
    FAST_RESPONSE = "fast-response"


@dataclass(frozen=True, slots=True)
class FollowPosition:
    """Layer 6: the net power at the connection that meets what is left of the position in what is left of its
    time.
    """

    connection_w: float


@dataclass(frozen=True, slots=True)
class NetToZero:
    """Layer 7: self-consumption, no power at the connection."""


@dataclass(frozen=True, slots=True)
class SafeState:
    """Nobody may use the hardware: the batteries take their reversion power."""


Wish = FollowPosition | NetToZero | SafeState


@dataclass(frozen=True, slots=True)
class DispatchInput:
    """Everything one cycle decides from.

    `locked` is what the batteries' interlock says: emergency stop or standby. `curtailed` forbids PV to
    inject at all. `load` is what the loads draw: one power while it is measured, all that the nameplate
    admits while it is not. `connection` is what the connection may carry, its own limits and the lease's
    together. `horizon_s` is how long a command may act if control dies, in cell time. `batteries_w` is what
    the batteries are measured to give; None if not known. `response` is what is armed and mandatory, and what
    the grid measures. `island` is what an island, a black start or a dead bus lets the batteries do; None while
    the node is on the public grid. `preparing` is what a node that expects trouble adds to its wish.
    """

    locked: bool
    curtailed: bool
    batteries: tuple[BatteryInput, ...]
    pv: tuple[PvInput, ...]
    load: PowerRange
    batteries_w: float | None
    connection: PowerRange
    wish: Wish
    horizon_s: float
    response: ResponseInput = NO_RESPONSE
    island: PowerRange | None = None
    preparing: Preparing | None = None


@dataclass(frozen=True, slots=True)
class LayerResult:
    """What a layer allows by itself, what is left after it, and whether it contradicted those above."""

    layer: Layer
    allowed: PowerRange
    left: PowerRange
    conflict: bool


@dataclass(frozen=True, slots=True)
class Decision:
    """One cycle's outcome: the batteries' power, the layer that decided it, every layer's range, and the
    setpoints.

    `limit_held` is false when no setpoint keeps the connection within its limits. `offset_w` is what the fast
    response asked for on top of the wish, before it was clipped, and `response_w` what is left of it: power that
    no position is responsible for. `armed_available` is false when not all that is armed could be delivered and
    sustained.
    """

    power_w: float
    binding: Layer
    layers: tuple[LayerResult, ...]
    setpoints: tuple[Setpoint, ...]
    limit_held: bool
    offset_w: float
    response_w: float
    armed_available: bool


def dispatch(inputs: DispatchInput) -> Decision:
    """Run the stack once."""
    ranges = tuple(_battery_range(battery, inputs) for battery in inputs.batteries)
    layers = _limits(inputs, ranges)
    wish_layer, wish_w = _wish(inputs)
    followed_w = layers[-1].left.clip(wish_w)
    droop_w = _droop_w(inputs)
    offset_w = armed_offset_w(inputs.response) + droop_w
    without_arming = _stack(tuple(layer for layer in layers if layer.layer is not Layer.ARMED_SERVICES))[-1]
    drooped_w = without_arming.left.clip(followed_w + droop_w)
    reached = reachable(drooped_w, inputs.batteries, ranges)
    power_w = drooped_w
    if armed_offset_w(inputs.response):
        power_w = narrow(without_arming.left, reached)[0].clip(followed_w + offset_w)
    shares = shared(power_w, drooped_w, inputs.batteries, ranges)
    caps = _caps(inputs, power_w)
    return Decision(
        power_w=power_w,
        binding=Layer.FAST_RESPONSE if power_w != followed_w else _binding(layers, wish_w, wish_layer),
        layers=layers,
        setpoints=shares + caps,
        limit_held=_limit_held(inputs, power_w, caps),
        offset_w=offset_w,
        response_w=power_w - followed_w if offset_w else 0.0,
        armed_available=available(
            narrow(without_arming.left, reachable(followed_w, inputs.batteries, ranges))[0],
            inputs.response,
            admitted(inputs.batteries),
            followed_w,
        ),
    )


def _battery_range(battery: BatteryInput, inputs: DispatchInput) -> PowerRange:
    """Layers 1 and 2 for one battery; both always admit zero, so they never contradict each other."""
    return narrow(_protection(battery, inputs), reserved(battery, inputs.horizon_s))[0]


def _protection(battery: BatteryInput, inputs: DispatchInput) -> PowerRange:
    return PowerRange(0.0, 0.0) if inputs.locked else protected(battery, inputs.horizon_s)


def _limits(inputs: DispatchInput, ranges: tuple[PowerRange, ...]) -> tuple[LayerResult, ...]:
    """Layers 1 to 5. Layer 2 is summed over what each single battery may do, so that no sum hides an empty
    one.
    """
    hardware = PowerRange(
        sum(battery.minimum_w for battery in inputs.batteries),
        sum(battery.maximum_w for battery in inputs.batteries),
    )
    allowed = (
        (Layer.PROTECTION, _sum(tuple(_protection(battery, inputs) for battery in inputs.batteries))),
        (Layer.RESERVE, _sum(ranges)),
        (Layer.ISLANDING, _islanding(inputs, hardware)),
        (Layer.CONNECTION, _connection(inputs)),
    )
    *higher, connection = (LayerResult(layer, range_, range_, False) for layer, range_ in allowed)
    withheld = _armed_services(inputs, hardware, _stack((*higher, connection))[-1].left)
    armed = LayerResult(Layer.ARMED_SERVICES, withheld, withheld, False)
    return _stack((*higher, armed, connection))


def _stack(layers: tuple[LayerResult, ...]) -> tuple[LayerResult, ...]:
    """Narrow layer by layer; the first layer stands as it is."""
    left = layers[0].allowed
    results: list[LayerResult] = []
    for layer in layers:
        left, conflict = narrow(left, layer.allowed)
        results.append(LayerResult(layer.layer, layer.allowed, left, conflict))
    return tuple(results)


def _sum(ranges: tuple[PowerRange, ...]) -> PowerRange:
    return PowerRange(sum(each.minimum_w for each in ranges), sum(each.maximum_w for each in ranges))


def _islanding(inputs: DispatchInput, hardware: PowerRange) -> PowerRange:
    """Layer 3: what the island allows; everything while there is none. Rest is always among it."""
    if inputs.island is None:
        return hardware
    return PowerRange(min(inputs.island.minimum_w, 0.0), max(inputs.island.maximum_w, 0.0))


def _armed_services(inputs: DispatchInput, hardware: PowerRange, usable: PowerRange) -> PowerRange:
    """Layer 4: what is armed stays free, out of what the other limits leave usable."""
    if not inputs.response.armed:
        return hardware
    return armed_range(usable, inputs.response, admitted(inputs.batteries), inputs.horizon_s)


def _droop_w(inputs: DispatchInput) -> float:
    """What mandatory droops ask, per unit of what the batteries are built for."""
    return droop(inputs.response) * sum(battery.nameplate.maximum_w for battery in inputs.batteries)


def _caps(inputs: DispatchInput, power_w: float) -> tuple[Setpoint, ...]:
    """The most that each PV system may inject: by room, and by what frequency and voltage ask of it."""
    falling = min(0.0, droop(inputs.response))
    limit = active_limit(inputs.response)
    caps = curtail(inputs.pv, _room_w(inputs, power_w))
    return tuple(
        Setpoint(
            cap.name,
            min(cap.power_w, limit * pv.maximum_w)
            if falling == 0
            else min(cap.power_w, limit * pv.maximum_w, max(0.0, pv.most_w + falling * pv.maximum_w)),
        )
        for pv, cap in zip(inputs.pv, caps, strict=True)
    )


def _connection(inputs: DispatchInput) -> PowerRange:
    """Layer 5: what batteries may do so that the connection stays within its limits; what is unknown counts
    worst.

    All available sun counts as injected: the batteries take the surplus before PV is curtailed. When what is
    unknown is wider than the limits, nothing can be promised, and the powers nearest to rest are allowed.
    """
    most_w = inputs.load.maximum_w + sum(pv.most_w for pv in inputs.pv)
    least_w = inputs.load.minimum_w + sum(pv.available_w or 0.0 for pv in inputs.pv)
    lowest_w = inputs.connection.minimum_w - least_w
    highest_w = min(
        inputs.connection.maximum_w - most_w,
        active_limit(inputs.response) * sum(battery.nameplate.maximum_w for battery in inputs.batteries),
    )
    if lowest_w <= highest_w:
        return PowerRange(lowest_w, highest_w)
    rest_w = PowerRange(highest_w, lowest_w).clip(0.0)
    return PowerRange(rest_w, rest_w)


def _wish(inputs: DispatchInput) -> tuple[Layer, float]:
    """Layers 6 and 7. A position claims all power at the connection, so beside it nothing is left for layer
    7, where units that are armed recover their state of charge.
    """
    safe_w = sum(battery.reversion_w for battery in inputs.batteries)
    if isinstance(inputs.wish, SafeState):
        return Layer.SAFE_STATE, safe_w
    others_w = _others_w(inputs)
    if others_w is None:
        return Layer.SAFE_STATE, safe_w
    follows = isinstance(inputs.wish, FollowPosition)
    if isinstance(inputs.wish, FollowPosition):
        layer, wish_w = Layer.POSITION, inputs.wish.connection_w - others_w
    else:
        recovered_w = recovery_w(inputs.response, admitted(inputs.batteries), inputs.horizon_s)
        layer, wish_w = Layer.SELF_CONSUMPTION, recovered_w - others_w
    if inputs.preparing is None or (follows and not inputs.preparing.before_position):
        return layer, wish_w
    ready_w = prepared_w(wish_w, others_w, inputs.preparing, inputs.batteries, inputs.horizon_s)
    # What services deliver on the grid's own measurement is not taken back meanwhile.
    undone = (ready_w - wish_w) * (armed_offset_w(inputs.response) + _droop_w(inputs)) < 0
    return (layer, wish_w) if undone or ready_w == wish_w else (Layer.READINESS, ready_w)


def _others_w(inputs: DispatchInput) -> float | None:
    """What everything but the batteries would give; None while some of it is unknown."""
    if inputs.load.minimum_w != inputs.load.maximum_w:
        return None
    total_w = inputs.load.maximum_w
    for pv in inputs.pv:
        if pv.available_w is None:
            return None
        total_w += pv.available_w
    return total_w


def _room_w(inputs: DispatchInput, power_w: float) -> float:
    """What PV may inject: what the export limit leaves. Only charging that is measured makes room for it."""
    if inputs.curtailed:
        return 0.0
    built_w = sum(battery.nameplate.maximum_w for battery in inputs.batteries)
    batteries_w = built_w if inputs.batteries_w is None else max(power_w, inputs.batteries_w)
    return max(0.0, inputs.connection.maximum_w - inputs.load.maximum_w - batteries_w)


def _limit_held(inputs: DispatchInput, power_w: float, caps: tuple[Setpoint, ...]) -> bool:
    """Whether the setpoints, once reached, keep the connection in its limits, the unknown at its worst."""
    highest_w = inputs.load.maximum_w + power_w
    lowest_w = inputs.load.minimum_w + power_w
    for pv, cap in zip(inputs.pv, caps, strict=True):
        highest_w += min(pv.most_w, cap.power_w)
        lowest_w += min(pv.available_w or 0.0, cap.power_w)
    return (
        highest_w <= inputs.connection.maximum_w + ROUNDING_W
        and lowest_w >= inputs.connection.minimum_w - ROUNDING_W
    )


def _binding(layers: tuple[LayerResult, ...], wish_w: float, wish_layer: Layer) -> Layer:
    """The first layer after which the wish could no longer be had in full, or else the wish itself."""
    final_w = layers[-1].left.clip(wish_w)
    if final_w == wish_w:
        return wish_layer
    return next(layer.layer for layer in layers if layer.left.clip(wish_w) == final_w)
