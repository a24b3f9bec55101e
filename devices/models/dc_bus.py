"""A DC bus that several battery assemblies share, each behind its own converter, and one inverter to the mains.

W and Wh, discharging positive. Each assembly takes a share in proportion to what it can take or give now, so
one that is full, empty or hot holds none of the others back.

Sources: the arrangement with one DC/DC converter per assembly, and efficiencies of 98 % (DC/DC) and 97 %
(inverter): Dragicevic et al., "DC Microgrids - Part II", IEEE Trans. Power Electronics 31 (2016) 3528-3549.
"""

from dataclasses import dataclass

from devices.der import Nameplate
from devices.image import DerKind
from devices.limits import PowerRange
from devices.models.lithium_battery import BatteryState, LithiumBattery
from devices.models.model import Flow, Status, Surroundings, energy_wh, power_w


@dataclass(frozen=True, slots=True)
class DcBus:
    """Parameters. `assemblies` share the bus; `inverter_w` is the inverter's rating at the mains, both ways.

    `idle_w`: what the inverter draws from the bus as long as it runs.
    """

    assemblies: tuple[LithiumBattery, ...]
    inverter_w: float
    converter_efficiency: float = 0.98
    inverter_efficiency: float = 0.97
    idle_w: float = 10.0
    step_s: float = 10.0

    @property
    def path_efficiency(self) -> float:
        """From a battery's terminals to the mains."""
        return self.converter_efficiency * self.inverter_efficiency

    @property
    def nameplate(self) -> Nameplate:
        """All assemblies as one, seen from the mains; the efficiencies are those of the worst assembly."""
        path = self.path_efficiency
        return Nameplate(
            kind=DerKind.BATTERY,
            minimum_w=-min(self.inverter_w, sum(each.charge_w for each in self.assemblies) / path),
            maximum_w=min(self.inverter_w, sum(each.discharge_w for each in self.assemblies) * path),
            capacity_wh=sum(each.capacity_wh for each in self.assemblies),
            charge_efficiency=min(each.charge_efficiency for each in self.assemblies) * path,
            discharge_efficiency=min(each.discharge_efficiency for each in self.assemblies) * path,
            ramp_w_per_s=None,
            response_s=0.0,
        )

    def begin(self, stored_wh: float | None) -> tuple[BatteryState, ...]:
        """Assemblies with equal states of charge that hold this energy, or their initial ones."""
        if stored_wh is None:
            return tuple(each.begin(None) for each in self.assemblies)
        part = stored_wh / sum(each.capacity_wh for each in self.assemblies)
        return tuple(each.begin(part * each.capacity_wh) for each in self.assemblies)

    def held_wh(self, state: tuple[BatteryState, ...]) -> float:
        """What all assemblies hold."""
        return sum(each.stored_wh for each in state)

    def status(self, state: tuple[BatteryState, ...], around: Surroundings) -> Status:
        """The whole: energy, worst health, highest temperature."""
        single = self._each(state, around)
        usable_wh = sum(
            each.capacity_wh * one.health for each, one in zip(self.assemblies, state, strict=True)
        )
        return Status(
            possible=self._possible(single),
            stored_wh=self.held_wh(state),
            state_of_charge=min(1.0, self.held_wh(state) / usable_wh),
            temperature_c=max(one.temperature_c for one in state),
            state_of_health=min(one.health for one in state),
        )

    def step(
        self, state: tuple[BatteryState, ...], wish_w: float, around: Surroundings, dt_s: float
    ) -> tuple[tuple[BatteryState, ...], Flow]:
        """Share the wish, step each assembly, and add up what really flows through the converters.

        The inverter's own idling is carried by the assemblies, so at rest nothing passes the terminals.
        """
        possible = self._each(state, around)
        target_w = self._possible(possible).clip(wish_w)
        at_batteries_w = target_w / self.path_efficiency if target_w > 0 else target_w * self.path_efficiency
        headroom = [one.maximum_w if target_w > 0 else one.minimum_w for one in possible]
        part = at_batteries_w / sum(headroom) if target_w != 0 else 0.0
        stepped = [
            each.step(one, part * room_w, around, dt_s)
            for each, one, room_w in zip(self.assemblies, state, headroom, strict=True)
        ]
        moved_w = sum(flow.terminal_w for _, flow in stepped)
        idle_w = power_w(min(energy_wh(self.idle_w, dt_s), sum(one.stored_wh for one, _ in stepped)), dt_s)
        after = _drained(tuple(one for one, _ in stepped), energy_wh(idle_w, dt_s))
        given_w = moved_w * self.path_efficiency if moved_w > 0 else moved_w / self.path_efficiency
        loss_w = sum(flow.loss_w for _, flow in stepped) + (moved_w - given_w) + idle_w
        return after, Flow(terminal_w=given_w, loss_w=loss_w)

    def _each(self, state: tuple[BatteryState, ...], around: Surroundings) -> list[PowerRange]:
        return [each.status(one, around).possible for each, one in zip(self.assemblies, state, strict=True)]

    def _possible(self, each: list[PowerRange]) -> PowerRange:
        path = self.path_efficiency
        return PowerRange(
            max(self.nameplate.minimum_w, sum(one.minimum_w for one in each) / path),
            min(self.nameplate.maximum_w, sum(one.maximum_w for one in each) * path),
        )


def _drained(state: tuple[BatteryState, ...], drained_wh: float) -> tuple[BatteryState, ...]:
    """Take energy from all assemblies in proportion to what they hold."""
    held_wh = sum(one.stored_wh for one in state)
    kept = 1.0 - drained_wh / held_wh if held_wh > 0 else 1.0
    return tuple(one.with_stored(one.stored_wh * kept) for one in state)
