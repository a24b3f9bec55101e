"""A server rack's power unit with a storage module of 10 to 100 Wh, and the bus on which racks help each other.

W and Wh, discharging positive. Two thresholds: below the low one the module asks for energy; above the high
one, and while its own load is low, it offers some; between them it keeps to itself. So it looks every 10 ms.

Sources: a module of this size behind each power shelf, and a conversion efficiency of 97.5 % at half load:
Open Compute Project, Open Rack V3 power shelf and battery backup unit specifications (2022); capacitors and
high-rate cells give and take tens of C, so charge and discharge follow within one step.
"""

from dataclasses import dataclass

from devices.der import Nameplate
from devices.image import DerKind
from devices.limits import PowerRange
from devices.models.daily_use import DailyUse
from devices.models.model import Flow, Status, Surroundings, energy_wh, power_w


@dataclass(frozen=True, slots=True)
class RackPowerUnit:
    """Parameters. `low` and `high` are states of charge; `low_load_w`: the load below which it may give.

    `use` is the rack's own load, drawn through the shelf, whatever the setpoint.
    """

    capacity_wh: float
    charge_w: float
    discharge_w: float
    use: DailyUse
    low: float = 0.4
    high: float = 0.8
    low_load_w: float = 0.0
    shelf_efficiency: float = 0.975
    charge_efficiency: float = 0.97
    discharge_efficiency: float = 0.97
    initial_state_of_charge: float = 0.6
    standby_w: float = 0.5
    step_s: float = 0.01

    @property
    def nameplate(self) -> Nameplate:
        """What the module is built for."""
        return Nameplate(
            kind=DerKind.BATTERY,
            minimum_w=-self.charge_w,
            maximum_w=self.discharge_w,
            capacity_wh=self.capacity_wh,
            charge_efficiency=self.charge_efficiency,
            discharge_efficiency=self.discharge_efficiency,
            ramp_w_per_s=None,
            response_s=self.step_s,
        )

    def begin(self, stored_wh: float | None) -> "RackState":
        """A module that holds this energy, or its initial state of charge."""
        held_wh = self.initial_state_of_charge * self.capacity_wh if stored_wh is None else stored_wh
        return RackState(min(max(held_wh, 0.0), self.capacity_wh))

    def held_wh(self, state: "RackState") -> float:
        """What the module holds."""
        return state.stored_wh

    def status(self, state: "RackState", around: Surroundings) -> Status:
        """It can be charged until full, and gives only what it offers."""
        return Status(
            possible=self._admitted(state, around),
            stored_wh=state.stored_wh,
            state_of_charge=state.stored_wh / self.capacity_wh,
        )

    def asks_w(self, state: "RackState") -> float:
        """The power it asks for: all it can take while below the low threshold, else nothing."""
        return self.charge_w if state.stored_wh < self.low * self.capacity_wh else 0.0

    def offers_w(self, state: "RackState", around: Surroundings) -> float:
        """The power it offers: while above the high threshold, and its own load is low."""
        rich = state.stored_wh > self.high * self.capacity_wh
        idle = self.use.at(around.cell_ns) <= self.low_load_w
        return self.discharge_w if rich and idle else 0.0

    def step(
        self, state: "RackState", wish_w: float, around: Surroundings, dt_s: float
    ) -> tuple["RackState", Flow]:
        """Follow the wish within thresholds and energy; without mains the module carries the rack."""
        standby_wh = min(energy_wh(self.standby_w, dt_s), state.stored_wh)
        held_wh = state.stored_wh - standby_wh
        load_w = self.use.at(around.cell_ns)
        if not around.mains:
            served_wh = min(
                energy_wh(min(load_w, self.discharge_w), dt_s), held_wh * self.discharge_efficiency
            )
            after_wh = max(0.0, held_wh - served_wh / self.discharge_efficiency)
            loss_w = max(0.0, power_w(state.stored_wh - after_wh - served_wh, dt_s))
            return RackState(after_wh), Flow(0.0, useful_w=power_w(served_wh, dt_s), loss_w=loss_w)
        given_wh = energy_wh(self._admitted(state, around).clip(wish_w), dt_s)
        if given_wh > 0:
            # Giving ends at the high threshold, so that helping others never makes a rack ask itself.
            spare_wh = max(0.0, held_wh - self.high * self.capacity_wh)
            given_wh = min(given_wh, spare_wh * self.discharge_efficiency)
            after_wh = held_wh - given_wh / self.discharge_efficiency
        else:
            room_wh = self.capacity_wh - held_wh
            given_wh = -min(-given_wh, room_wh / self.charge_efficiency)
            after_wh = min(self.capacity_wh, held_wh - given_wh * self.charge_efficiency)
        drawn_w = load_w / self.shelf_efficiency
        store_loss_w = max(0.0, power_w(state.stored_wh - after_wh - given_wh, dt_s))
        return RackState(after_wh), Flow(
            terminal_w=power_w(given_wh, dt_s),
            attached_w=-drawn_w,
            useful_w=load_w,
            loss_w=store_loss_w + drawn_w - load_w,
        )

    def _admitted(self, state: "RackState", around: Surroundings) -> PowerRange:
        if not around.mains:
            return PowerRange(0.0, 0.0)
        full = state.stored_wh >= self.capacity_wh
        return PowerRange(0.0 if full else -self.charge_w, self.offers_w(state, around))


@dataclass(frozen=True, slots=True)
class RackState:
    """What the module holds."""

    stored_wh: float


def share(asked_w: tuple[float, ...], offered_w: tuple[float, ...]) -> tuple[float, ...]:
    """What each rack on a common bus gives (positive) or takes: as much as is both asked and offered.

    Each takes or gives in proportion to what it asks or offers, so no rack's module is used up for one other.
    """
    moved_w = min(sum(asked_w), sum(offered_w))
    taking = moved_w / sum(asked_w) if moved_w > 0 else 0.0
    giving = moved_w / sum(offered_w) if moved_w > 0 else 0.0
    return tuple(offered * giving - asked * taking for asked, offered in zip(asked_w, offered_w, strict=True))
