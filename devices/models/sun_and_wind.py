"""Solar arrays and wind turbines, which take a limit. W, injection positive.

Sources. Sun: clear-sky irradiance on a horizontal plane, Haurwitz, J. Meteorology 2 (1945) 154, with the
constants of Sandia report SAND2012-2389; the sun's height from declination and hour angle, Cooper, Solar
Energy 12 (1969) 333. Cell temperature: NOCT model of IEC 61215. Power: -0.35 %/K and 97 % inverter efficiency
are those of data sheets of monocrystalline modules and string inverters. Wind: a cubic power curve between
cut-in and rated speed, as curves measured by IEC 61400-12-1 are usually approximated.
"""

import math
from dataclasses import dataclass
from functools import lru_cache

from devices.der import Nameplate
from devices.image import DerKind
from devices.limits import PowerRange
from devices.models.daily_use import hour_of_day
from devices.models.model import Flow, Status, Surroundings

NS_PER_DAY = 86_400_000_000_000
DAYS_PER_YEAR = 365.2425
STANDARD_W_M2 = 1000.0
STANDARD_C = 25.0


@dataclass(frozen=True, slots=True)
class SolarArray:
    """Parameters. `peak_w` at standard test conditions; `inverter_w` is the AC rating; horizontal modules.

    `other_losses`: soiling, wiring, mismatch.
    """

    peak_w: float
    inverter_w: float
    inverter_efficiency: float = 0.97
    other_losses: float = 0.05
    per_kelvin: float = -0.0035
    noct_c: float = 45.0
    step_s: float = 60.0

    @property
    def nameplate(self) -> Nameplate:
        """What the inverter is built for."""
        return _generation(self.inverter_w)

    def begin(self, stored_wh: float | None) -> None:
        """An array has no state."""

    def held_wh(self, state: None) -> float:
        """It stores nothing."""
        return 0.0

    def array_w(self, around: Surroundings) -> float:
        """DC power that the modules could give."""
        cell_c = around.ambient_c + (self.noct_c - 20.0) * around.irradiance_w_m2 / 800.0
        warmth = max(0.0, 1.0 + self.per_kelvin * (cell_c - STANDARD_C))
        return self.peak_w * around.irradiance_w_m2 / STANDARD_W_M2 * warmth * (1 - self.other_losses)

    def status(self, state: None, around: Surroundings) -> Status:
        """From nothing to all the sun gives, at most the inverter's rating."""
        sun_w = min(self.inverter_w, self.array_w(around) * self.inverter_efficiency)
        return Status(possible=PowerRange(0.0, sun_w))

    def step(self, state: None, wish_w: float, around: Surroundings, dt_s: float) -> tuple[None, Flow]:
        """Curtailed power is never taken from the sun: modules simply stay warmer."""
        given_w = self.status(state, around).possible.clip(wish_w)
        drawn_w = given_w / self.inverter_efficiency
        return None, Flow(terminal_w=given_w, source_w=drawn_w, loss_w=drawn_w - given_w)


@dataclass(frozen=True, slots=True)
class WindTurbine:
    """Parameters. Speeds in m/s at the hub; electrical efficiency of generator and inverter together."""

    rated_w: float
    cut_in_m_s: float = 3.0
    rated_m_s: float = 11.0
    cut_out_m_s: float = 25.0
    efficiency: float = 0.92
    step_s: float = 10.0

    @property
    def nameplate(self) -> Nameplate:
        """What the turbine is built for."""
        return _generation(self.rated_w)

    def begin(self, stored_wh: float | None) -> None:
        """A turbine has no state here: the rotor's energy is small against a step's."""

    def held_wh(self, state: None) -> float:
        """It stores nothing."""
        return 0.0

    def curve_w(self, wind_m_s: float) -> float:
        """The power curve: nothing below cut-in and from cut-out on, cubic between cut-in and rated."""
        if not self.cut_in_m_s <= wind_m_s < self.cut_out_m_s:
            return 0.0
        if wind_m_s >= self.rated_m_s:
            return self.rated_w
        low = self.cut_in_m_s**3
        return self.rated_w * (wind_m_s**3 - low) / (self.rated_m_s**3 - low)

    def status(self, state: None, around: Surroundings) -> Status:
        """From nothing to all the wind gives."""
        return Status(possible=PowerRange(0.0, self.curve_w(around.wind_m_s)))

    def step(self, state: None, wish_w: float, around: Surroundings, dt_s: float) -> tuple[None, Flow]:
        """The blades' pitch leaves curtailed power in the wind."""
        given_w = self.status(state, around).possible.clip(wish_w)
        taken_w = given_w / self.efficiency
        return None, Flow(terminal_w=given_w, source_w=taken_w, loss_w=taken_w - given_w)


@lru_cache(maxsize=4096)
def clear_sky_w_m2(cell_ns: int, latitude_deg: float, longitude_deg: float) -> float:
    """Irradiance of a clear sky on a horizontal plane at a moment of cell time (unix, UTC)."""
    day_of_year = cell_ns / NS_PER_DAY % DAYS_PER_YEAR + 1.0
    declination = math.radians(23.45) * math.sin(math.tau * (284 + day_of_year) / 365)
    hour_angle = math.radians(15 * (hour_of_day(cell_ns) - 12) + longitude_deg)
    latitude = math.radians(latitude_deg)
    height = math.sin(latitude) * math.sin(declination) + math.cos(latitude) * math.cos(
        declination
    ) * math.cos(hour_angle)
    return 1098.0 * height * math.exp(-0.059 / height) if height > 0 else 0.0


def _generation(rated_w: float) -> Nameplate:
    return Nameplate(
        kind=DerKind.PV,
        minimum_w=0.0,
        maximum_w=rated_w,
        capacity_wh=None,
        charge_efficiency=1.0,
        discharge_efficiency=1.0,
        ramp_w_per_s=None,
        response_s=0.0,
    )
