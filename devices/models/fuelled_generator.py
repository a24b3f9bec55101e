"""Generators that burn fuel: backup engine, combined heat and power, fuel cell. W and Wh, injection positive.

A setpoint is its power. Below the minimum load it stops; otherwise it starts, which takes its start time, and
then follows at its ramp. Fuel and heat are counted in Wh of heating value.

Sources. Backup diesel: started and loaded within 10 s, NFPA 110 type 10; not below 30 % of its rating, or it
carbons up, ISO 8528-1 and manufacturers' guides; 35 % efficiency at full, less at part load: data sheets of
20-50 kVA sets. Heat and power: SenerTec Dachs, 5.5 kW electric and 12.5 kW heat from 20.5 kW of gas. Fuel cell:
Viessmann Vitovalor PT2, 750 W electric (37 %) and 1.1 kW heat (55 %).
"""

from dataclasses import dataclass

from devices.der import Nameplate
from devices.image import DerKind
from devices.limits import PowerRange
from devices.models.lithium_battery import ramped
from devices.models.model import Flow, Status, Surroundings, energy_wh, power_w


@dataclass(frozen=True, slots=True)
class FuelledGenerator:
    """Parameters. `minimum_w` is the least load; `ramp_w_per_s` holds once it runs.

    `efficiency` at full load and `minimum_efficiency` at the minimum load are electric, linear between;
    `heat_efficiency` is what of the fuel becomes useful heat. `tank_wh`: None is a gas main.
    """

    rated_w: float
    minimum_w: float
    start_s: float
    ramp_w_per_s: float
    efficiency: float
    minimum_efficiency: float
    heat_efficiency: float = 0.0
    tank_wh: float | None = None
    step_s: float = 1.0

    @property
    def nameplate(self) -> Nameplate:
        """What the generator is built for."""
        return Nameplate(
            kind=DerKind.GENERATOR,
            minimum_w=0.0,
            maximum_w=self.rated_w,
            capacity_wh=None,
            charge_efficiency=1.0,
            discharge_efficiency=1.0,
            ramp_w_per_s=self.ramp_w_per_s,
            response_s=self.start_s,
        )

    def begin(self, stored_wh: float | None) -> "GeneratorState":
        """Standing still with a full tank, or with the fuel it had when last seen."""
        full_wh = 0.0 if self.tank_wh is None else self.tank_wh
        return GeneratorState(full_wh if stored_wh is None else min(max(stored_wh, 0.0), full_wh))

    def held_wh(self, state: "GeneratorState") -> float:
        """The fuel in the tank."""
        return state.fuel_wh

    def electric_efficiency(self, load_w: float) -> float:
        """Part of the fuel that becomes electricity at a load."""
        span_w = self.rated_w - self.minimum_w
        part = 1.0 if span_w <= 0 else min(1.0, max(0.0, (load_w - self.minimum_w) / span_w))
        return self.minimum_efficiency + (self.efficiency - self.minimum_efficiency) * part

    def status(self, state: "GeneratorState", around: Surroundings) -> Status:
        """Anything up to its rating while there is fuel; the tank as its stored energy."""
        dry = self.tank_wh is not None and state.fuel_wh <= 0
        part = None if self.tank_wh is None else state.fuel_wh / self.tank_wh
        return Status(
            possible=PowerRange(0.0, 0.0 if dry else self.rated_w),
            stored_wh=None if self.tank_wh is None else state.fuel_wh,
            state_of_charge=part,
        )

    def step(
        self, state: "GeneratorState", wish_w: float, around: Surroundings, dt_s: float
    ) -> tuple["GeneratorState", Flow]:
        """Start, ramp from the minimum load, or stop at once; a dry tank ends it."""
        wanted_w = self.status(state, around).possible.clip(wish_w)
        if wanted_w < self.minimum_w or wanted_w <= 0:
            return GeneratorState(state.fuel_wh), Flow(0.0)
        waiting_s = min(max(0.0, self.start_s - state.started_s), dt_s)
        running_s = dt_s - waiting_s
        started_s = min(self.start_s, state.started_s + dt_s)
        if running_s <= 0:
            return GeneratorState(state.fuel_wh, started_s), Flow(0.0)
        from_w = max(state.power_w, self.minimum_w)
        mean_w, end_w = ramped(from_w, wanted_w, self.ramp_w_per_s, running_s)
        efficiency = self.electric_efficiency(mean_w)
        given_wh = energy_wh(mean_w, running_s)
        burnt_wh = given_wh / efficiency
        if self.tank_wh is not None and burnt_wh >= state.fuel_wh:
            given_wh, burnt_wh, started_s, end_w = state.fuel_wh * efficiency, state.fuel_wh, 0.0, 0.0
        heat_wh = min(burnt_wh * self.heat_efficiency, burnt_wh - given_wh)
        flow = Flow(
            terminal_w=power_w(given_wh, dt_s),
            source_w=power_w(burnt_wh, dt_s) if self.tank_wh is None else 0.0,
            useful_w=power_w(heat_wh, dt_s),
            loss_w=max(0.0, power_w(burnt_wh - given_wh - heat_wh, dt_s)),
        )
        fuel_wh = state.fuel_wh if self.tank_wh is None else max(0.0, state.fuel_wh - burnt_wh)
        return GeneratorState(fuel_wh, started_s, end_w), flow


@dataclass(frozen=True, slots=True)
class GeneratorState:
    """Fuel in the tank, how far the start has come in seconds (0: stands still), and its power."""

    fuel_wh: float
    started_s: float = 0.0
    power_w: float = 0.0
