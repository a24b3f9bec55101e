"""How much each flexible load may draw: what the import limit leaves, in the order in which loads matter.

W, withdrawal negative, as in `devices.der.Der`: a setpoint is the most a load may draw. Pure: the same inputs
give the same setpoints.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from devices.configuration.control_config import ControlConfig
from devices.dispatch.dispatch import Decision, DispatchInput
from devices.image import DerKind, ProcessImage
from devices.models.load_circuit import LoadCircuit
from devices.power.allocation import Setpoint
from devices.tier import TIERS, Tier

NS_PER_MS = 1_000_000


@dataclass(frozen=True, slots=True)
class FlexibleInput:
    """What is known of one flexible load, in W, all at most 0.

    `minimum_w` is its nameplate; `drawn_w` what it draws (None: unknown); `wanted_w` what it would like and
    `needed_w` what of that cannot be put off. `rank`: loads of a lower one are served first. One that is not `served`
    is shed: on an island without enough for its tier it may draw nothing.
    """

    name: str
    minimum_w: float
    drawn_w: float | None
    wanted_w: float
    needed_w: float
    rank: int
    served: bool = True


def observe_flexible(
    image: ProcessImage,
    config: ControlConfig,
    off: frozenset[str],
    priorities: Mapping[str, int],
    tiers: int = len(TIERS),
    connected: Collection[str] | None = None,
) -> tuple[FlexibleInput, ...]:
    """Every flexible load but those that a fault keeps `off`. One that says nothing may need all of its nameplate.

    `priorities` are the ranks that somebody gave loads in place of their configured tier; so many `tiers` are served,
    and on an island those of them that are `connected` (None: all).
    """
    devices = {device.name: device for device in image.devices}
    own_tiers = {each.name: each.model.tier for each in config.models if isinstance(each.model, LoadCircuit)}
    plates = {each.name: each.model.nameplate for each in config.models}
    plates |= {each.name: each.nameplate for each in config.hardware}
    found = []
    for name, plate in plates.items():
        if plate.kind is not DerKind.FLEXIBLE or name in off:
            continue
        device = devices[name]
        possible = device.possible
        rank = priorities.get(name, own_tiers.get(name, Tier.NORMAL).rank)
        found.append(
            FlexibleInput(
                name=name,
                minimum_w=plate.minimum_w,
                drawn_w=device.power_w.usable(image.time.real_ns, config.reading_age_ms * NS_PER_MS),
                wanted_w=plate.minimum_w if possible is None else max(plate.minimum_w, possible.minimum_w),
                needed_w=plate.minimum_w if possible is None else max(plate.minimum_w, possible.maximum_w),
                rank=rank,
                served=rank < tiers and (connected is None or name in connected),
            )
        )
    return tuple(found)


def permit(
    flexible: tuple[FlexibleInput, ...], inputs: DispatchInput, decision: Decision
) -> tuple[Setpoint, ...]:
    """A limit for every flexible load; together with everything else they stay within the import limit.

    Served in turn: what cannot be put off, then what is wanted, then the rest of the nameplates, so that a load
    may rise at once while there is room. Within each turn by rank, then by name. What is shed gets nothing.
    """
    left_w = room_w(flexible, inputs, decision)
    granted = {each.name: 0.0 for each in flexible}
    ordered = sorted((each for each in flexible if each.served), key=lambda each: (each.rank, each.name))
    for turn in ("needed_w", "wanted_w", "minimum_w"):
        for each in ordered:
            more_w = min(left_w, max(0.0, granted[each.name] - getattr(each, turn)))
            granted[each.name] -= more_w
            left_w -= more_w
    return tuple(Setpoint(each.name, max(each.minimum_w, granted[each.name])) for each in flexible)


def lowered(permitted: tuple[Setpoint, ...], asleep: tuple[Setpoint, ...]) -> tuple[Setpoint, ...]:
    """The permissions, none above what the hub leaves a peripheral that is in standby."""
    most = {each.name: each.power_w for each in asleep}
    return tuple(
        Setpoint(each.name, max(each.power_w, most.get(each.name, each.power_w))) for each in permitted
    )


def room_w(flexible: tuple[FlexibleInput, ...], inputs: DispatchInput, decision: Decision) -> float:
    """What all flexible loads together may draw, at least 0: the import limit less everything else as it is.

    Generation counts as far as it is measured. Batteries count with the lower of what they give and what they
    are told, so that room is never made by a discharge that has not come yet.
    """
    drawn_w = sum(each.minimum_w if each.drawn_w is None else each.drawn_w for each in flexible)
    must_w = inputs.load.minimum_w - drawn_w
    pv_w = sum(each.available_w or 0.0 for each in inputs.pv)
    batteries_w = min(
        decision.power_w,
        sum(each.nameplate.minimum_w for each in inputs.batteries)
        if inputs.batteries_w is None
        else inputs.batteries_w,
    )
    return max(0.0, must_w + pv_w + batteries_w - inputs.connection.minimum_w)
