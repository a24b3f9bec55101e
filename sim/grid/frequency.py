"""Frequency after a loss of infeed: swing equation, load damping and governor, with a fleet that answers or without.

The same model as the closed form of `sim.grid.system`, integrated by the classical Runge-Kutta method, so that the
nonlinear answer of a fleet can join in. Hz, MW, seconds; injection positive.
"""

from dataclasses import dataclass

import numpy as np

from sim.grid.swarm import Fleet
from sim.grid.system import Floats, GridSystem

ROCOF_WINDOW_S = 0.5
"""Over how long protection measures the rate of change (ENTSO-E guidance on RoCoF withstand: 500 ms)."""


@dataclass(frozen=True, slots=True)
class FrequencyRun:
    """One run: times, frequency and the fleet's power, from the moment of the loss."""

    time_s: Floats
    frequency_hz: Floats
    fleet_mw: Floats

    @property
    def nadir_hz(self) -> float:
        """The lowest frequency."""
        return float(self.frequency_hz.min())

    @property
    def nadir_s(self) -> float:
        """When it was lowest."""
        return float(self.time_s[int(self.frequency_hz.argmin())])

    @property
    def end_hz(self) -> float:
        """The mean over the last tenth."""
        return float(self.frequency_hz[-max(1, self.frequency_hz.size // 10) :].mean())

    @property
    def worst_rocof_hz_per_s(self) -> float:
        """The steepest fall over half a second; negative."""
        steps = max(1, round(ROCOF_WINDOW_S / float(self.time_s[1] - self.time_s[0])))
        return float((self.frequency_hz[steps:] - self.frequency_hz[:-steps]).min() / ROCOF_WINDOW_S)


def simulate(
    system: GridSystem, loss_mw: float, duration_s: float, step_s: float, fleet: Fleet | None = None
) -> FrequencyRun:
    """Frequency for so long after `loss_mw` of infeed is lost at time 0.

    The fleet's power is held within a step; everything else is integrated.
    """
    steps = round(duration_s / step_s)
    frequency_hz = np.empty(steps + 1)
    fleet_mw = np.zeros(steps + 1)
    frequency_hz[0] = system.nominal_hz
    deviation = reheated = 0.0
    power_mw = 0.0
    for index in range(steps):
        if fleet is not None:
            power_mw = fleet.step(index, frequency_hz)
        fleet_mw[index] = power_mw
        surplus = (power_mw - loss_mw) / system.base_mw
        deviation, reheated = _advance(system, deviation, reheated, surplus, step_s)
        frequency_hz[index + 1] = system.nominal_hz * (1 + deviation)
    fleet_mw[steps] = power_mw
    return FrequencyRun(np.arange(steps + 1, dtype=np.float64) * step_s, frequency_hz, fleet_mw)


def _advance(
    system: GridSystem, deviation: float, reheated: float, surplus: float, step_s: float
) -> tuple[float, float]:
    """One step of Runge-Kutta of fourth order."""

    def slopes(speed: float, steam: float) -> tuple[float, float]:
        """Rates of change of the per unit deviation and of the reheated steam."""
        asked = -speed * system.gain / system.droop
        mechanical = asked * system.high_pressure + steam * (1 - system.high_pressure)
        accelerating = surplus + mechanical - system.damping * speed
        return accelerating / (2 * system.inertia_s), (asked - steam) / system.reheat_s

    first = slopes(deviation, reheated)
    second = slopes(deviation + first[0] * step_s / 2, reheated + first[1] * step_s / 2)
    third = slopes(deviation + second[0] * step_s / 2, reheated + second[1] * step_s / 2)
    fourth = slopes(deviation + third[0] * step_s, reheated + third[1] * step_s)
    return (
        deviation + (first[0] + 2 * second[0] + 2 * third[0] + fourth[0]) * step_s / 6,
        reheated + (first[1] + 2 * second[1] + 2 * third[1] + fourth[1]) * step_s / 6,
    )
