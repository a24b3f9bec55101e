"""An echo-state network: a fixed random recurrent network whose linear readout is learned online by ridge regression.

Source: Jaeger, The "echo state" approach to analysing and training recurrent neural networks (GMD report 148, 2001);
ridge readout and scaling as in Lukoševičius, A Practical Guide to Applying Echo State Networks (2012). The reservoir
is reservoirpy's, which takes seconds to import and is therefore imported when the first network is made.
"""

from collections import deque

import numpy as np

from market.forecasting.forecaster import FloatArray, History, repeat_to
from market.forecasting.seasonal import DAYS, Climate, bounded

UNITS = 60
LEAK = 0.4
SPECTRAL_RADIUS = 0.9
RIDGE = 300.0
"""Penalty on the readout's weights, in units of squared states: a week moves it little, two months do."""
ORIGINS_PER_DAY = 6
"""How often a day a forecast is kept to be compared with what came."""
FORGETTING = 0.99
"""Weight of an older comparison against the next one: the memory is about two weeks."""
DAYS_BEFORE = 3
"""Days before the network is heard; until then the climate speaks."""


class EchoState:
    """The climate, moved by the deviation that the network expects of the coming day, interval by interval.

    The spread around it is the climate's, narrowed by as much as past forecasts, made when the network did not know
    the answer yet, came closer than the mean of the days before. The random weights come from `seed` alone.
    """

    def __init__(self, season: int, first_interval: int, least: float | None = None, seed: int = 0) -> None:
        from reservoirpy.nodes import Reservoir

        self._reservoir = Reservoir(units=UNITS, lr=LEAK, sr=SPECTRAL_RADIUS, input_scaling=0.5, seed=seed)
        self._season = season
        self._least = least
        self._history = History(season, first_interval)
        self._climate = Climate(season, first_interval, least)
        self._state = np.zeros(UNITS + 1)
        self._gram: FloatArray = RIDGE * np.eye(UNITS + 1)
        self._moment = np.zeros((UNITS + 1, season))
        self._weights: FloatArray = np.zeros((UNITS + 1, season))
        self._open: deque[tuple[int, FloatArray, FloatArray, FloatArray]] = deque()
        self._squares = np.zeros(2)

    def observe(self, value: float) -> None:
        """Take the value of the next interval, let it run through the reservoir, and learn from what is complete."""
        past = self._history.days(DAYS)[:, 0]
        phase = 2 * np.pi * (self._history.next_interval % self._season) / self._season
        self._history.append(value)
        self._climate.observe(value)
        surprise = 0.0
        if len(past) > 1:
            surprise = float(_standard(self._history.values[-1:] - past.mean(), past.std(keepdims=True))[0])
        driven = self._reservoir.step(np.array([np.clip(surprise, -3, 3), np.sin(phase), np.cos(phase)]))
        self._state = np.append(driven, 1.0)
        self._learn()
        stride = max(1, self._season // ORIGINS_PER_DAY)
        if len(self._history) >= DAYS_BEFORE * self._season and self._history.next_interval % stride == 0:
            usual, spread = self._usual()
            self._open.append((self._history.next_interval, self._state, usual, spread))

    def forecast(self, horizon: int) -> FloatArray:
        """Quantiles of the next intervals; beyond a day the first day is repeated."""
        climate = self._climate.forecast(min(horizon, self._season))
        if not self._squares[1]:
            return repeat_to(climate, horizon)
        usual, spread = (each[: len(climate), np.newaxis] for each in self._usual())
        narrowed = np.sqrt(min(1.0, self._squares[0] / self._squares[1])) * (climate - usual)
        expected = (self._state @ self._weights)[: len(climate), np.newaxis]
        moved = usual + spread * expected + narrowed
        return bounded(repeat_to(moved, horizon), self._least)

    def _usual(self) -> tuple[FloatArray, FloatArray]:
        """Mean and standard deviation at each time of the coming day."""
        days = self._history.days(DAYS)
        return days.mean(axis=0), days.std(axis=0)

    def _learn(self) -> None:
        """Once the day after an origin is known: how far it was missed, and a step of the ridge regression."""
        while self._open and self._history.next_interval - self._open[0][0] >= self._season:
            origin, state, usual, spread = self._open.popleft()
            age = self._history.next_interval - origin
            values = self._history.values
            deviation = values[len(values) - age : len(values) - age + self._season] - usual
            # These weights are a day old at most, and have not been told this day.
            missed = deviation - spread * (state @ self._weights)
            self._squares *= FORGETTING
            self._squares += float((missed**2).sum()), float((deviation**2).sum())
            self._gram += np.outer(state, state)
            self._moment += np.outer(state, np.clip(_standard(deviation, spread), -3, 3))
            self._weights = np.asarray(np.linalg.solve(self._gram, self._moment), np.float64)


def _standard(deviations: FloatArray, spread: FloatArray) -> FloatArray:
    """Deviations in units of the spread; zero where there is none, as at night under a solar panel."""
    least = 1e-6 * (float(np.abs(spread).max()) or 1.0)
    wide = spread > least
    return np.where(wide, deviations / np.where(wide, spread, 1.0), 0.0)
