"""An EV charger: the car plugs in every day, is to have its charge by a deadline, and may wait until then.

W and Wh, withdrawal negative. A setpoint is the most it may draw; below the minimum current the car pauses.

Sources. IEC 61851-1: the pilot signal allows 6 A at least and stops charging below that; 230 V per phase.
On-board charger and battery about 90 % efficient together: measured by Apostolaki-Iosifidou et al., Energy 127
(2017) 730-742, at above half power. Above `taper_from` the car itself lowers its power, as cells do at constant
voltage.
"""

from dataclasses import dataclass

from devices.der import Nameplate
from devices.limits import PowerRange
from devices.models.daily_use import hour_of_day, hours_until, within
from devices.models.flexible_nameplate import flexible
from devices.models.model import SECONDS_PER_HOUR, Flow, Status, Surroundings, energy_wh, power_w

VOLT_PER_PHASE = 230.0


@dataclass(frozen=True, slots=True)
class EvCharger:
    """Parameters. Hours of the UTC day; states of charge are the car's.

    The car arrives with `arrival_state_of_charge` and wants `target_state_of_charge` by `departs_h`. One that
    is not `deferrable` cannot wait at all.
    """

    maximum_w: float
    battery_wh: float
    arrives_h: float
    departs_h: float
    arrival_state_of_charge: float = 0.4
    target_state_of_charge: float = 0.9
    minimum_a: float = 6.0
    phases: int = 1
    deferrable: bool = True
    efficiency: float = 0.9
    taper_from: float = 0.85
    step_s: float = 10.0

    @property
    def least_w(self) -> float:
        """Power at the minimum current."""
        return self.minimum_a * self.phases * VOLT_PER_PHASE

    @property
    def nameplate(self) -> Nameplate:
        """What the charger draws at most."""
        return flexible(self.maximum_w)

    def begin(self, stored_wh: float | None) -> "CarState":
        """A car that is there holds this energy, or what it arrives with."""
        return CarState(None if stored_wh is None else min(max(stored_wh, 0.0), self.battery_wh))

    def held_wh(self, state: "CarState") -> float:
        """What the car holds while it is plugged in."""
        return 0.0 if state.car_wh is None else state.car_wh

    def plugged(self, around: Surroundings) -> bool:
        """Whether the car is there."""
        return within(hour_of_day(around.cell_ns), self.arrives_h, self.departs_h)

    def status(self, state: "CarState", around: Surroundings) -> Status:
        """The car's charge; what it would draw, and what it must draw now to be ready in time."""
        if not self.plugged(around):
            return Status(possible=PowerRange(0.0, 0.0))
        car_wh = self._arrived_wh(state)
        wanted_w = self._wanted_w(car_wh)
        hours_left = hours_until(hour_of_day(around.cell_ns), self.departs_h)
        # One step and five minutes early: power comes in steps, and the last of it tapers.
        hours_left -= self.step_s / SECONDS_PER_HOUR + 1 / 12
        lacking_wh = max(0.0, self.target_state_of_charge * self.battery_wh - car_wh) / self.efficiency
        urgent = not self.deferrable or lacking_wh >= wanted_w * hours_left
        needed_w = wanted_w if urgent and lacking_wh > 0 else 0.0
        return Status(
            possible=PowerRange(-wanted_w, -needed_w),
            stored_wh=car_wh,
            state_of_charge=min(1.0, car_wh / self.battery_wh),
        )

    def step(
        self, state: "CarState", wish_w: float, around: Surroundings, dt_s: float
    ) -> tuple["CarState", Flow]:
        """A car that comes brings its energy, one that goes takes it along."""
        if not self.plugged(around):
            return CarState(None), Flow(0.0, useful_w=power_w(self.held_wh(state), dt_s))
        car_wh = self._arrived_wh(state)
        brought_w = power_w(car_wh, dt_s) if state.car_wh is None else 0.0
        drawn_w = min(self._wanted_w(car_wh), max(0.0, -wish_w)) if around.mains else 0.0
        if drawn_w < min(self.least_w, self.maximum_w):
            drawn_w = 0.0
        room_wh = max(0.0, self.target_state_of_charge * self.battery_wh - car_wh)
        drawn_wh = min(energy_wh(drawn_w, dt_s), room_wh / self.efficiency)
        charged_wh = drawn_wh * self.efficiency
        flow = Flow(
            terminal_w=-power_w(drawn_wh, dt_s),
            source_w=brought_w,
            loss_w=power_w(drawn_wh - charged_wh, dt_s),
        )
        return CarState(car_wh + charged_wh), flow

    def _arrived_wh(self, state: "CarState") -> float:
        return self.arrival_state_of_charge * self.battery_wh if state.car_wh is None else state.car_wh

    def _wanted_w(self, car_wh: float) -> float:
        """The car's power: full, tapering towards its target, never below the minimum current."""
        part = car_wh / self.battery_wh
        if part >= self.target_state_of_charge:
            return 0.0
        taper = 1.0 if part < self.taper_from else max(0.0, (1 - part) / (1 - self.taper_from))
        return max(min(self.least_w, self.maximum_w), self.maximum_w * taper)


@dataclass(frozen=True, slots=True)
class CarState:
    """What the car holds; None while it is away or not yet seen."""

    car_wh: float | None
