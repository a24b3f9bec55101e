"""A heat pump with a water store and a thermostat. W and Wh, withdrawal negative.

A setpoint is the most it may draw. The thermostat turns the pump on below its lower and off above its upper
temperature; between the comfort limit and that, heating can wait.

Sources: coefficient of performance as a part of Carnot's, 0.45 for air to water: EN 14511 data sheets; a water
store as one mixed volume with a standing loss by its energy label (EU 812/2013): Duffie and Beckman, Solar
Engineering of Thermal Processes, section 8.3; water holds 1.163 Wh per litre and kelvin.
"""

from dataclasses import dataclass

from devices.der import Nameplate
from devices.limits import PowerRange
from devices.models.daily_use import DailyUse
from devices.models.flexible_nameplate import flexible
from devices.models.model import Flow, Status, Surroundings, energy_wh, power_w

WH_PER_LITRE_K = 1.163
KELVIN = 273.15
LARGEST_COP = 7.0
"""Real compressors do not follow Carnot to small temperature lifts."""


@dataclass(frozen=True, slots=True)
class HeatPump:
    """Parameters. `use`: heat drawn from the store, W. Temperatures in C, of the store.

    `lowest_part`: the least part of `electric_w` that an inverter-driven compressor runs at; 1 only switches.
    `comfort_c`: below this, heating cannot wait. The store stands in a room at `room_c`.
    """

    electric_w: float
    litres: float
    use: DailyUse
    from_c: float = 45.0
    to_c: float = 55.0
    comfort_c: float = 42.0
    lowest_part: float = 0.3
    carnot_part: float = 0.45
    loss_w_per_k: float = 2.0
    room_c: float = 18.0
    initial_c: float = 50.0
    standby_w: float = 5.0
    step_s: float = 10.0

    @property
    def nameplate(self) -> Nameplate:
        """What the pump draws at most."""
        return flexible(self.electric_w + self.standby_w)

    @property
    def wh_per_k(self) -> float:
        """Heat capacity of the store."""
        return self.litres * WH_PER_LITRE_K

    def begin(self, stored_wh: float | None) -> "HeatState":
        """The store holds this heat above room temperature, or is at its initial temperature."""
        if stored_wh is None:
            return HeatState(self.initial_c)
        return HeatState(min(self.room_c + max(stored_wh, 0.0) / self.wh_per_k, self.to_c))

    def held_wh(self, state: "HeatState") -> float:
        """Heat above room temperature; below zero when draws cooled it further."""
        return (state.store_c - self.room_c) * self.wh_per_k

    def performance(self, store_c: float, ambient_c: float) -> float:
        """Heat given per electricity drawn, at least 1."""
        lift_k = max(1.0, store_c - ambient_c)
        return max(1.0, min(LARGEST_COP, self.carnot_part * (store_c + KELVIN) / lift_k))

    def status(self, state: "HeatState", around: Surroundings) -> Status:
        """What the thermostat wants, whether that can wait, and the store as stored energy."""
        wanted_w = self.electric_w + self.standby_w if self._calls(state) else self.standby_w
        cold = state.store_c < self.comfort_c
        return Status(
            possible=PowerRange(-wanted_w, -wanted_w if cold else -self.standby_w),
            stored_wh=max(0.0, self.held_wh(state)),
            state_of_charge=min(1.0, max(0.0, (state.store_c - self.room_c) / (self.to_c - self.room_c))),
            temperature_c=state.store_c,
        )

    def step(
        self, state: "HeatState", wish_w: float, around: Surroundings, dt_s: float
    ) -> tuple["HeatState", Flow]:
        """Run within the limit, draw the used heat, lose some; the store's heat is exactly the difference."""
        allowed_w = max(0.0, -wish_w) if around.mains else 0.0
        standby_w = min(self.standby_w, allowed_w)
        calling = self._calls(state)
        pump_w = min(self.electric_w, allowed_w - standby_w) if calling else 0.0
        if pump_w < self.lowest_part * self.electric_w:
            pump_w = 0.0
        performance = self.performance(state.store_c, around.ambient_c)
        room_wh = max(0.0, (self.to_c + 1.0 - state.store_c) * self.wh_per_k)
        pump_w = min(pump_w, power_w(room_wh, dt_s) / performance)
        lost_w = max(0.0, self.loss_w_per_k * (state.store_c - self.room_c))
        available_wh = max(0.0, (state.store_c - self.room_c) * self.wh_per_k - energy_wh(lost_w, dt_s))
        used_w = min(self.use.at(around.cell_ns), power_w(available_wh, dt_s))
        heat_w = pump_w * performance
        store_c = state.store_c + energy_wh(heat_w - used_w - lost_w, dt_s) / self.wh_per_k
        flow = Flow(
            terminal_w=-pump_w - standby_w,
            source_w=heat_w - pump_w,
            useful_w=used_w,
            loss_w=lost_w + standby_w,
        )
        return HeatState(store_c, calling and store_c < self.to_c), flow

    def _calls(self, state: "HeatState") -> bool:
        """The thermostat: on below the lower, off above the upper temperature, else as it was."""
        return state.store_c < self.from_c or (state.calling and state.store_c < self.to_c)


@dataclass(frozen=True, slots=True)
class HeatState:
    """The store's temperature, and whether the thermostat calls for heat."""

    store_c: float
    calling: bool = False
