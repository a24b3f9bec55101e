"""A fleet of homes that answer frequency by themselves, vectorised. kW, Hz, seconds; injection positive.

Every home measures frequency with its own noise and delay, once per control cycle at its own moment, takes its value
from the service's curve, and its inverter follows with a first-order lag. No home hears of another.
"""

from dataclasses import dataclass

import numpy as np

from devices.response.response_curve import ResponseCurve
from sim.grid.curves import responses
from sim.grid.system import Floats


@dataclass(frozen=True, slots=True)
class FleetRules:
    """What the homes are like.

    `armed_kw` is each home's, both ways. Delay is drawn evenly from 0 to `delay_s`, noise is normal. `lost` is the
    part of the homes that do not answer at all. `energy_kwh` is what each may give or take before it stops.
    """

    homes: int = 100_000
    armed_kw: float = 5.0
    cycle_s: float = 0.1
    delay_s: float = 0.2
    noise_hz: float = 0.005
    lag_s: float = 0.05
    lost: float = 0.1
    energy_kwh: float = 2.5


class Fleet:
    """The homes of one run. All draws come from the seed."""

    def __init__(self, rules: FleetRules, curve: ResponseCurve, step_s: float, seed: int) -> None:
        """`step_s` is the physics' step; a control cycle is a whole number of them (ValueError)."""
        groups = round(rules.cycle_s / step_s)
        if groups < 1 or abs(groups * step_s - rules.cycle_s) > 1e-9:
            raise ValueError("a control cycle must be a whole number of steps")
        self._rules, self._curve, self._step_s = rules, curve, step_s
        self._random = np.random.default_rng(seed)
        answering = rules.homes - round(rules.homes * rules.lost)
        # Homes of one group measure in the same step; groups take turns.
        self._sizes = [answering // groups + (index < answering % groups) for index in range(groups)]
        longest = round(rules.delay_s / step_s)
        self._delays = [self._random.integers(0, longest + 1, size) for size in self._sizes]
        self._energy_kwh = [np.zeros(size) for size in self._sizes]
        self._targets_kw = [np.zeros(size) for size in self._sizes]
        self._sums_kw = [0.0 for _ in self._sizes]
        self._power_kw = 0.0
        # Drawn once and read from a random place: a draw per measurement would take most of the time.
        self._noise_hz = self._random.normal(0.0, rules.noise_hz, 2 * max(self._sizes) + 1)

    @property
    def nominal_mw(self) -> float:
        """What all homes would give together, those that are lost among them."""
        return self._rules.homes * self._rules.armed_kw / 1000

    def step(self, index: int, history_hz: Floats) -> float:
        """Let the group whose turn it is measure and decide; the fleet's power in MW after this step.

        `history_hz[: index + 1]` is the frequency until now.
        """
        group = index % len(self._sizes)
        seen_hz = history_hz[np.maximum(index - self._delays[group], 0)]
        start = int(self._random.integers(0, seen_hz.size + 1))
        seen_hz = seen_hz + self._noise_hz[start : start + seen_hz.size]
        # What the last target moved counts against the home's energy; who has given all of it stops.
        used_kwh = self._energy_kwh[group]
        used_kwh += self._targets_kw[group] * self._rules.cycle_s / 3600
        target_kw = responses(self._curve, seen_hz) * self._rules.armed_kw
        spent = np.abs(used_kwh) >= self._rules.energy_kwh
        target_kw[spent & (target_kw * used_kwh > 0)] = 0.0
        self._targets_kw[group] = target_kw
        self._sums_kw[group] = float(target_kw.sum())
        # All homes have the same lag, so the sum has it, too.
        wanted_kw = sum(self._sums_kw)
        self._power_kw = wanted_kw + (self._power_kw - wanted_kw) * np.exp(-self._step_s / self._rules.lag_s)
        return float(self._power_kw) / 1000
