"""A power system as one machine: inertia, load damping and a governor with reheat, and its closed-form answer.

The low-order system frequency response model: P. M. Anderson and M. Mirheydar, "A Low-Order System Frequency
Response Model", IEEE Transactions on Power Systems 5(3), 1990. Per unit of the system's base and nominal frequency;
a loss of infeed is a positive number here, and what the system injects against it positive.
"""

import math
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class GridSystem:
    """One synchronous area.

    `base_mw` is the power that everything per unit refers to, `kinetic_mws` the energy in all rotating masses.
    `damping` is the load's (per unit power per per unit frequency). `droop`, `gain` (the share of generation that
    governs), `high_pressure` (the share of its power that follows at once) and `reheat_s` are the governors'.
    """

    nominal_hz: float
    base_mw: float
    kinetic_mws: float
    damping: float
    droop: float
    gain: float
    high_pressure: float
    reheat_s: float

    @property
    def inertia_s(self) -> float:
        """The inertia constant H on the system's base."""
        return self.kinetic_mws / self.base_mw

    def with_kinetic(self, kinetic_mws: float) -> "GridSystem":
        """The same system with other rotating masses."""
        return replace(self, kinetic_mws=kinetic_mws)

    def initial_rocof_hz_per_s(self, loss_mw: float) -> float:
        """The rate of change of frequency in the first moment after a loss; negative."""
        return -loss_mw * self.nominal_hz / (2 * self.kinetic_mws)


@dataclass(frozen=True, slots=True)
class ClosedForm:
    """The answer to a step: a damped sine around its end. Needs an underdamped system (ValueError)."""

    system: GridSystem
    loss_mw: float

    def __post_init__(self) -> None:
        if not self.damping_ratio < 1:
            raise ValueError("the closed form is for a system whose frequency swings")

    @property
    def _stiffness(self) -> float:
        return self.system.damping * self.system.droop + self.system.gain

    @property
    def natural_rad_per_s(self) -> float:
        """The undamped natural frequency (equation 10 of the paper)."""
        system = self.system
        return math.sqrt(self._stiffness / (2 * system.inertia_s * system.droop * system.reheat_s))

    @property
    def damping_ratio(self) -> float:
        """The damping ratio (equation 10)."""
        system = self.system
        brake = (
            2 * system.inertia_s * system.droop
            + (system.damping * system.droop + system.gain * system.high_pressure) * system.reheat_s
        )
        return brake / (2 * self._stiffness) * self.natural_rad_per_s

    @property
    def swing_rad_per_s(self) -> float:
        """The damped frequency of the swing."""
        return self.natural_rad_per_s * math.sqrt(1 - self.damping_ratio**2)

    @property
    def settled_hz(self) -> float:
        """Where frequency settles."""
        part = self.system.droop * self.loss_mw / self.system.base_mw / self._stiffness
        return self.system.nominal_hz * (1 - part)

    @property
    def nadir_s(self) -> float:
        """When frequency is lowest."""
        decay = self.damping_ratio * self.natural_rad_per_s
        angle = math.atan2(self.swing_rad_per_s * self.system.reheat_s, decay * self.system.reheat_s - 1)
        return angle / self.swing_rad_per_s

    @property
    def nadir_hz(self) -> float:
        """The lowest frequency."""
        return float(self.frequency_hz(np.array([self.nadir_s]))[0])

    def frequency_hz(self, time_s: Floats) -> Floats:
        """Frequency after the loss (equations 14 to 17)."""
        system, swing = self.system, self.swing_rad_per_s
        decay = self.damping_ratio * self.natural_rad_per_s
        reheat_s = system.reheat_s
        size = math.sqrt(
            (1 - 2 * reheat_s * decay + (reheat_s * self.natural_rad_per_s) ** 2)
            / (1 - self.damping_ratio**2)
        )
        phase = math.atan2(swing * reheat_s, 1 - decay * reheat_s) - math.atan2(
            math.sqrt(1 - self.damping_ratio**2), -self.damping_ratio
        )
        settled = system.nominal_hz - self.settled_hz
        curve = 1 + size * np.exp(-decay * time_s) * np.sin(swing * time_s + phase)
        return np.asarray(system.nominal_hz - settled * curve, dtype=np.float64)
