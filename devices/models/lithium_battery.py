"""A lithium-ion battery: a home battery or a rack's battery backup unit. W and Wh, discharging positive.

Limits: C-rate, taper towards full (constant voltage), temperature. Losses: conversion each way, standby. The
cells warm by their losses, and age with time and with cycles.

Sources. Ageing, LFP cell Sony/Murata US26650FTC1: calendar from Naumann et al., J. Energy Storage 17 (2018)
153-169; cycles from Naumann et al., J. Power Sources 451 (2020) 227666; the constants as both print them (and
as the simulator SimSES uses them). Temperature limits: that cell's product specification (charge 0 to 45 C,
discharge -20 to 60 C). Efficiency 95 % each way and some 10 W of standby: the better AC-coupled home systems
in HTW Berlin's yearly Energy Storage Inspection.
"""

import math
from dataclasses import dataclass, replace

from devices.der import Nameplate
from devices.image import DerKind
from devices.limits import PowerRange
from devices.models.model import SECONDS_PER_HOUR, Flow, Status, Surroundings, energy_wh, power_w

KELVIN = 273.15
GAS_CONSTANT = 8.3144598
REFERENCE_K = 298.15
CALENDAR_PER_ROOT_S = 1.2571e-5
ACTIVATION_J_MOL = 17_126.0
END_OF_LIFE = 0.8
"""Part of the capacity at which a battery is usually retired (IEC 62620 tests to 60 %, warranties to 70-80 %)."""


@dataclass(frozen=True, slots=True)
class LithiumBattery:
    """Parameters. States of charge are parts of what is left of the capacity.

    `taper_from`: state of charge from which charging falls linearly to `taper_to` of `charge_w` at full.
    `derating_k`: over so many kelvin inside a temperature limit the power falls to nothing.
    `ageing`: how much faster than the cells of the sources these age; 0 does not age.
    """

    capacity_wh: float
    charge_w: float
    discharge_w: float
    charge_efficiency: float = 0.95
    discharge_efficiency: float = 0.95
    initial_state_of_charge: float = 0.5
    standby_w: float = 10.0
    ramp_w_per_s: float | None = None
    taper_from: float = 0.9
    taper_to: float = 0.05
    charge_from_c: float = 0.0
    charge_to_c: float = 45.0
    discharge_from_c: float = -20.0
    discharge_to_c: float = 60.0
    derating_k: float = 5.0
    heat_capacity_j_k: float = 60_000.0
    thermal_resistance_k_w: float = 0.05
    ageing: float = 1.0
    nominal_v: float = 51.2
    resistance_ohm: float = 0.01
    step_s: float = 10.0

    @property
    def nameplate(self) -> Nameplate:
        """What the battery is built for."""
        return Nameplate(
            kind=DerKind.BATTERY,
            minimum_w=-self.charge_w,
            maximum_w=self.discharge_w,
            capacity_wh=self.capacity_wh,
            charge_efficiency=self.charge_efficiency,
            discharge_efficiency=self.discharge_efficiency,
            ramp_w_per_s=self.ramp_w_per_s,
            response_s=0.0,
        )

    def begin(self, stored_wh: float | None) -> "BatteryState":
        """A new battery at 20 C that holds this energy, or its initial state of charge."""
        held_wh = self.initial_state_of_charge * self.capacity_wh if stored_wh is None else stored_wh
        held_wh = min(max(held_wh, 0.0), self.capacity_wh)
        return BatteryState(stored_wh=held_wh, turned_at=held_wh / self.capacity_wh)

    def held_wh(self, state: "BatteryState") -> float:
        """What the cells hold."""
        return state.stored_wh

    def status(self, state: "BatteryState", around: Surroundings) -> Status:
        """Charge, temperature, health, and the powers that the battery management admits."""
        usable_wh = self._usable_wh(state)
        ampere = state.power_w / self.open_circuit_v(state)
        return Status(
            possible=self._admitted(state),
            stored_wh=state.stored_wh,
            state_of_charge=min(1.0, state.stored_wh / usable_wh),
            temperature_c=state.temperature_c,
            state_of_health=state.health,
            volt=self.open_circuit_v(state) - self.resistance_ohm * ampere,
            ampere=ampere,
            nominal_v=self.nominal_v,
        )

    def open_circuit_v(self, state: "BatteryState") -> float:
        """Voltage at rest: nearly flat for iron phosphate, 5 % either way from empty to full."""
        return self.nominal_v * (0.95 + 0.1 * min(1.0, state.stored_wh / self._usable_wh(state)))

    def step(
        self, state: "BatteryState", wish_w: float, around: Surroundings, dt_s: float
    ) -> tuple["BatteryState", Flow]:
        """Standby is drawn from the cells; the wish is followed within what the management admits."""
        standby_wh = min(energy_wh(self.standby_w, dt_s), state.stored_wh)
        held_wh = state.stored_wh - standby_wh
        target_w = self._admitted(state).clip(wish_w)
        mean_w, end_w = ramped(state.power_w, target_w, self.ramp_w_per_s, dt_s)
        given_wh, held_wh = self._exchange(energy_wh(mean_w, dt_s), held_wh, self._usable_wh(state))
        moved_w = power_w(given_wh, dt_s)
        aged = self._aged(replace(state, power_w=end_w if moved_w == mean_w else moved_w), held_wh, dt_s)
        kept_wh = min(held_wh, self._usable_wh(aged))
        loss_wh = max(0.0, state.stored_wh - kept_wh - given_wh)
        temperature_c = self._warmed(state.temperature_c, power_w(loss_wh, dt_s), around.ambient_c, dt_s)
        after = replace(aged, stored_wh=kept_wh, temperature_c=temperature_c)
        return after, Flow(terminal_w=moved_w, loss_w=power_w(loss_wh, dt_s))

    def _usable_wh(self, state: "BatteryState") -> float:
        return self.capacity_wh * state.health

    def _admitted(self, state: "BatteryState") -> PowerRange:
        """C-rate by the nameplate, taper towards full, temperature; nothing into full, nothing out of empty."""
        room = 1.0 - min(1.0, state.stored_wh / self._usable_wh(state))
        taper = 1.0
        if room <= 0:
            taper = 0.0
        elif room < 1 - self.taper_from:
            taper = self.taper_to + (1 - self.taper_to) * room / (1 - self.taper_from)
        charge = taper * self._warmth(state.temperature_c, self.charge_from_c, self.charge_to_c)
        discharge = self._warmth(state.temperature_c, self.discharge_from_c, self.discharge_to_c)
        if state.stored_wh <= 0:
            discharge = 0.0
        return PowerRange(-self.charge_w * charge, self.discharge_w * discharge)

    def _warmth(self, temperature_c: float, lowest_c: float, highest_c: float) -> float:
        """1 well inside two temperatures, 0 at and beyond them, linear between."""
        inside_k = min(temperature_c - lowest_c, highest_c - temperature_c)
        return min(1.0, max(0.0, inside_k / self.derating_k))

    def _exchange(self, wanted_wh: float, held_wh: float, usable_wh: float) -> tuple[float, float]:
        """Energy given at the terminals and what is held then; full and empty end it."""
        if wanted_wh > 0:
            most_wh = held_wh * self.discharge_efficiency
            if wanted_wh >= most_wh:
                return most_wh, 0.0
            return wanted_wh, held_wh - wanted_wh / self.discharge_efficiency
        room_wh = max(0.0, usable_wh - held_wh)
        if -wanted_wh * self.charge_efficiency >= room_wh:
            return -room_wh / self.charge_efficiency, max(held_wh, usable_wh)
        return wanted_wh, held_wh - wanted_wh * self.charge_efficiency

    def _warmed(self, temperature_c: float, heat_w: float, ambient_c: float, dt_s: float) -> float:
        """One thermal mass that loses heat to the air: the exact solution for constant heat."""
        settled_c = ambient_c + heat_w * self.thermal_resistance_k_w
        decay = math.exp(-dt_s / (self.thermal_resistance_k_w * self.heat_capacity_j_k))
        return settled_c + (temperature_c - settled_c) * decay

    def _aged(self, state: "BatteryState", held_wh: float, dt_s: float) -> "BatteryState":
        """Ageing grows with the root of time and of cycles; each step continues on its root."""
        if self.ageing == 0:
            return state
        before, after = state.stored_wh / self.capacity_wh, held_wh / self.capacity_wh
        moved = after - before
        turned_at = state.turned_at
        if moved * (before - turned_at) < 0:
            turned_at = before
        calendar = self.ageing * calendar_rate(state.temperature_c, min(1.0, before))
        rate_c = abs(moved) * SECONDS_PER_HOUR / dt_s
        cycle = self.ageing * cycle_rate(rate_c, min(1.0, abs(after - turned_at)))
        return replace(
            state,
            calendar_loss=math.sqrt(state.calendar_loss**2 + calendar**2 * dt_s),
            cycle_loss=math.sqrt(state.cycle_loss**2 + cycle**2 * abs(moved) / 2),
            turned_at=turned_at,
            cycles=state.cycles + abs(moved) / 2,
        )


@dataclass(frozen=True, slots=True)
class BatteryState:
    """Stored energy, power at the end of the step, cell temperature, and what ageing took (parts of the
    capacity). `turned_at`: the part stored when the direction changed last, from which the depth of the
    running half cycle counts; `cycles`: equivalent full ones.
    """

    stored_wh: float
    turned_at: float
    power_w: float = 0.0
    temperature_c: float = 20.0
    calendar_loss: float = 0.0
    cycle_loss: float = 0.0
    cycles: float = 0.0

    def with_stored(self, stored_wh: float) -> "BatteryState":
        """The same battery with another energy."""
        return replace(self, stored_wh=stored_wh)

    @property
    def health(self) -> float:
        """Part of the capacity that is left, above 0."""
        return max(0.01, 1.0 - self.calendar_loss - self.cycle_loss)


def calendar_rate(temperature_c: float, state_of_charge: float) -> float:
    """Part of the capacity lost by the first second, to be multiplied by the root of seconds: Naumann 2018."""
    kelvin = temperature_c + KELVIN
    warmth = math.exp(-ACTIVATION_J_MOL / GAS_CONSTANT * (1 / kelvin - 1 / REFERENCE_K))
    return CALENDAR_PER_ROOT_S * warmth * (2.8575 * (state_of_charge - 0.5) ** 3 + 0.60225)


def cycle_rate(rate_c: float, depth: float) -> float:
    """Part of the capacity lost by the first equivalent full cycle, times the root of cycles: Naumann 2020."""
    return (0.0630 * rate_c + 0.0971) * (4.0253 * (depth - 0.6) ** 3 + 1.0923) / 100


def ramped(from_w: float, to_w: float, rate_w_per_s: float | None, dt_s: float) -> tuple[float, float]:
    """Mean and last power while a power moves to another at a limited rate; at once where there is none."""
    if rate_w_per_s is None or from_w == to_w:
        return to_w, to_w
    ramp_s = abs(to_w - from_w) / rate_w_per_s
    if ramp_s <= dt_s:
        return to_w + (from_w - to_w) / 2 * ramp_s / dt_s, to_w
    end_w = from_w + math.copysign(rate_w_per_s * dt_s, to_w - from_w)
    return (from_w + end_w) / 2, end_w
