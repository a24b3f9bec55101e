"""A flywheel: E = 1/2 I w^2 in a usable band of speeds. W and Wh, discharging positive.

The power electronics follow as a first-order lag well below a millisecond, integrated exactly, so a step may
be any length. Drag (windage and eddy currents) grows with the square of the speed, so stored energy decays
exponentially; the magnetic bearings draw a constant power from the rotor besides.

Sources: E = 1/2 I w^2 and the band of speeds: Pena-Alzola et al., "Review of flywheel based energy storage
systems", POWERENG 2011; 5-10 kWh composite rotors around 16,000 rpm with a band of about 1:2 and some 2 % of
the rated power as standby loss: Beacon Power's published figures, in Amiryar and Pullen, Applied Sciences 7
(2017) 286; magnetic bearings and vacuum: the same review.
"""

import math
from dataclasses import dataclass

from devices.der import Nameplate
from devices.image import DerKind
from devices.limits import PowerRange
from devices.models.model import SECONDS_PER_HOUR, Flow, Status, Surroundings, energy_wh, power_w

RADIANS_PER_S_PER_RPM = math.tau / 60


@dataclass(frozen=True, slots=True)
class Flywheel:
    """Parameters. The energy of the usable band is its capacity; below the band nothing is given.

    `drag_w_s2`: windage power = drag x w^2. `lag_s`: time constant of the power electronics.
    """

    inertia_kg_m2: float = 19.2
    highest_rpm: float = 16_000.0
    lowest_rpm: float = 8_000.0
    charge_w: float = 100_000.0
    discharge_w: float = 100_000.0
    charge_efficiency: float = 0.96
    discharge_efficiency: float = 0.96
    drag_w_s2: float = 3.6e-4
    bearings_w: float = 100.0
    lag_s: float = 0.0005
    initial_state_of_charge: float = 0.5
    step_s: float = 10.0

    @property
    def highest_wh(self) -> float:
        """The rotor's energy at the highest speed."""
        return self.energy_wh(self.highest_rpm * RADIANS_PER_S_PER_RPM)

    @property
    def lowest_wh(self) -> float:
        """The rotor's energy at the bottom of the band."""
        return self.energy_wh(self.lowest_rpm * RADIANS_PER_S_PER_RPM)

    @property
    def nameplate(self) -> Nameplate:
        """What the flywheel is built for."""
        return Nameplate(
            kind=DerKind.BATTERY,
            minimum_w=-self.charge_w,
            maximum_w=self.discharge_w,
            capacity_wh=self.highest_wh - self.lowest_wh,
            charge_efficiency=self.charge_efficiency,
            discharge_efficiency=self.discharge_efficiency,
            ramp_w_per_s=None,
            response_s=5 * self.lag_s,
        )

    def energy_wh(self, speed_rad_s: float) -> float:
        """1/2 I w^2."""
        return 0.5 * self.inertia_kg_m2 * speed_rad_s**2 / SECONDS_PER_HOUR

    def speed_rad_s(self, rotor_wh: float) -> float:
        """The speed at which the rotor holds an energy."""
        return math.sqrt(2 * rotor_wh * SECONDS_PER_HOUR / self.inertia_kg_m2)

    def begin(self, stored_wh: float | None) -> "FlywheelState":
        """A rotor with this energy above the band's bottom, or its initial state of charge."""
        band_wh = self.highest_wh - self.lowest_wh
        usable_wh = self.initial_state_of_charge * band_wh if stored_wh is None else stored_wh
        return FlywheelState(self.lowest_wh + min(max(usable_wh, 0.0), band_wh), 0.0)

    def held_wh(self, state: "FlywheelState") -> float:
        """All of the rotor's energy, below the band, too."""
        return state.rotor_wh

    def status(self, state: "FlywheelState", around: Surroundings) -> Status:
        """Usable energy, and the powers the band admits."""
        usable_wh = max(0.0, state.rotor_wh - self.lowest_wh)
        return Status(
            possible=self._admitted(state),
            stored_wh=usable_wh,
            state_of_charge=min(1.0, usable_wh / (self.highest_wh - self.lowest_wh)),
        )

    def step(
        self, state: "FlywheelState", wish_w: float, around: Surroundings, dt_s: float
    ) -> tuple["FlywheelState", Flow]:
        """The lag's exact mean power, then the rotor's exact decay under that constant power."""
        target_w = self._admitted(state).clip(wish_w)
        fading = math.exp(-dt_s / self.lag_s)
        mean_w = target_w + (state.power_w - target_w) * self.lag_s / dt_s * (1 - fading)
        end_w = target_w + (state.power_w - target_w) * fading
        decay_per_s = 2 * self.drag_w_s2 / self.inertia_kg_m2
        kept = math.exp(-decay_per_s * dt_s)
        acting_s = -math.expm1(-decay_per_s * dt_s) / decay_per_s if decay_per_s > 0 else dt_s

        def rotor_wh(driven_w: float) -> float:
            return state.rotor_wh * kept + (driven_w - self.bearings_w) * acting_s / SECONDS_PER_HOUR

        def driving_w(target_wh: float) -> float:
            lacking_wh = target_wh - state.rotor_wh * kept
            return lacking_wh * SECONDS_PER_HOUR / acting_s + self.bearings_w

        given_w = mean_w
        if mean_w > 0:
            most_w = -min(0.0, driving_w(self.lowest_wh)) * self.discharge_efficiency
            given_w = min(mean_w, most_w)
            after_wh = rotor_wh(-given_w / self.discharge_efficiency)
        else:
            most_w = max(0.0, driving_w(self.highest_wh)) / self.charge_efficiency
            given_w = -min(-mean_w, most_w)
            after_wh = rotor_wh(-given_w * self.charge_efficiency)
        after_wh = max(0.0, after_wh)
        loss_w = max(0.0, power_w(state.rotor_wh - after_wh - energy_wh(given_w, dt_s), dt_s))
        return FlywheelState(after_wh, end_w if given_w == mean_w else given_w), Flow(given_w, loss_w=loss_w)

    def _admitted(self, state: "FlywheelState") -> PowerRange:
        return PowerRange(
            -self.charge_w if state.rotor_wh < self.highest_wh else 0.0,
            self.discharge_w if state.rotor_wh > self.lowest_wh else 0.0,
        )


@dataclass(frozen=True, slots=True)
class FlywheelState:
    """The rotor's energy and the electronics' power at the end of the step."""

    rotor_wh: float
    power_w: float
