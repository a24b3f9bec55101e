"""Forecasts of a load's mean power over the next seconds and minutes, each learning with every reading. W and s.

The recurrent one is an echo-state network whose linear readout is learned by ridge regression (H. Jaeger, GMD report
148, 2001; M. Lukosevicius, "A Practical Guide to Applying Echo State Networks", 2012). The reservoir is reservoirpy's,
which takes seconds to import and is therefore imported when the first network is made. What it predicts is the
deviation from the power that there is now, so a network that knows nothing says that nothing changes.
"""

from collections import deque
from typing import Protocol

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

UNITS = 80
LEAK = 0.3
SPECTRAL_RADIUS = 0.95
RIDGE = 1.0
LAGS = 30
"""Readings that the autoregression looks back."""
SOLVE_EVERY = 15
"""Readings between two solutions of the regression: weights move slowly, and solving costs the most."""
MARGIN = 0.98
FORGETTING = 0.999
"""Of the errors by which a model proves itself; the memory is about a thousand readings."""


class PowerForecaster(Protocol):
    """Knows only what it was told."""

    def observe(self, power_w: float) -> None:
        """Take the next reading."""
        ...

    def expected_w(self) -> Floats:
        """The mean power over each window from now on."""
        ...


class Persistence:
    """Nothing changes."""

    def __init__(self, windows: tuple[int, ...]) -> None:
        """`windows`: lengths in readings."""
        self._windows = windows
        self._power_w = 0.0

    def observe(self, power_w: float) -> None:
        """Take the next reading."""
        self._power_w = power_w

    def expected_w(self) -> Floats:
        """The last reading."""
        return np.full(len(self._windows), self._power_w)


class RunningMean:
    """The mean of the last `length` readings goes on."""

    def __init__(self, windows: tuple[int, ...], length: int) -> None:
        self._windows = windows
        self._last: deque[float] = deque(maxlen=length)

    def observe(self, power_w: float) -> None:
        """Take the next reading."""
        self._last.append(power_w)

    def expected_w(self) -> Floats:
        """The mean."""
        return np.full(len(self._windows), sum(self._last) / len(self._last))


class _Readout:
    """Ridge regression, learned online: from a state to the mean deviation over each window that followed it."""

    def __init__(self, size: int, windows: tuple[int, ...]) -> None:
        self._windows = windows
        self._gram: Floats = RIDGE * np.eye(size)
        self._moment = np.zeros((size, len(windows)))
        self._weights = np.zeros((size, len(windows)))
        self._open: deque[tuple[Floats, float]] = deque()
        self._since: deque[float] = deque()
        self._learned = 0

    def learn(self, state: Floats, value: float) -> None:
        """Take the state and the value of now; what happened after an earlier state may now be complete."""
        self._open.append((state, value))
        self._since.append(value)
        longest = self._windows[-1]
        if len(self._open) <= longest:
            return
        before, then = self._open.popleft()
        self._since.popleft()
        after = np.fromiter(self._since, np.float64)
        target = np.array([after[:length].mean() for length in self._windows]) - then
        self._gram += np.outer(before, before)
        self._moment += np.outer(before, target)
        self._learned += 1
        if self._learned % SOLVE_EVERY == 0:
            self._weights = np.asarray(np.linalg.solve(self._gram, self._moment), np.float64)

    def deviation(self, state: Floats) -> Floats:
        """What is expected from this state."""
        return np.asarray(state @ self._weights, np.float64)


class Autoregression:
    """A linear function of the last readings: the plain competitor of a network."""

    def __init__(self, windows: tuple[int, ...], rated_w: float) -> None:
        """`windows` grow; `rated_w`: what the load draws at most, about."""
        self._rated_w = rated_w
        self._readout = _Readout(LAGS + 1, windows)
        self._last: deque[float] = deque([0.0] * LAGS, maxlen=LAGS)
        self._state = np.zeros(LAGS + 1)

    def observe(self, power_w: float) -> None:
        """Take the next reading and learn."""
        self._last.append(power_w / self._rated_w)
        self._state = np.append(np.fromiter(self._last, np.float64), 1.0)
        self._readout.learn(self._state, self._last[-1])

    def expected_w(self) -> Floats:
        """The last reading and what is expected to change."""
        return self._rated_w * (self._last[-1] + self._readout.deviation(self._state))


class EchoStatePower:
    """The recurrent network. Its random weights come from `seed` alone."""

    def __init__(self, windows: tuple[int, ...], rated_w: float, seed: int = 0) -> None:
        """`windows` grow; `rated_w`: what the load draws at most, about."""
        from reservoirpy.nodes import Reservoir

        self._rated_w = rated_w
        self._reservoir = Reservoir(units=UNITS, lr=LEAK, sr=SPECTRAL_RADIUS, input_scaling=1.0, seed=seed)
        self._readout = _Readout(UNITS + 2, windows)
        self._state = np.zeros(UNITS + 2)
        self._power = 0.0

    def observe(self, power_w: float) -> None:
        """Take the next reading, let it run through the reservoir, and learn."""
        power = power_w / self._rated_w
        driven = self._reservoir.step(np.array([2 * power - 1, 5 * (power - self._power)]))
        self._power = power
        self._state = np.concatenate([np.ravel(driven), [power, 1.0]])
        self._readout.learn(self._state, power)

    def expected_w(self) -> Floats:
        """The last reading and what is expected to change."""
        return self._rated_w * (self._power + self._readout.deviation(self._state))


class Proven:
    """A model that is heard only while its errors over the longest window are smaller than a simple one's."""

    def __init__(self, model: PowerForecaster, simple: PowerForecaster, windows: tuple[int, ...]) -> None:
        self._model, self._simple = model, simple
        self._longest = windows[-1]
        self._open: deque[tuple[float, float]] = deque()
        self._since: deque[float] = deque()
        self._squares = np.zeros(2)

    @property
    def heard(self) -> bool:
        """Whether the model has proved itself."""
        return bool(self._squares[0] < MARGIN**2 * self._squares[1])

    def observe(self, power_w: float) -> None:
        """Tell both, and compare what both said a window ago."""
        self._model.observe(power_w)
        self._simple.observe(power_w)
        self._since.append(power_w)
        if len(self._open) >= self._longest:
            said = self._open.popleft()
            while len(self._since) > self._longest:
                self._since.popleft()
            mean_w = sum(self._since) / len(self._since)
            self._squares *= FORGETTING
            self._squares += (said[0] - mean_w) ** 2, (said[1] - mean_w) ** 2
        self._open.append((float(self._model.expected_w()[-1]), float(self._simple.expected_w()[-1])))

    def expected_w(self) -> Floats:
        """What the model says, or else the simple one."""
        return self._model.expected_w() if self.heard else self._simple.expected_w()
