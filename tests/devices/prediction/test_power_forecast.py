"""Forecasts of power: what they say, that they learn, and that a model that does not is not heard."""

import numpy as np
import pytest

from devices.prediction.power_forecast import (
    Autoregression,
    EchoStatePower,
    Persistence,
    PowerForecaster,
    Proven,
    RunningMean,
)

WINDOWS = (2, 5, 20)
SQUARE = np.where(np.arange(700) // 25 % 2 == 0, 2_000.0, 7_000.0)
"""A job that computes for 25 readings and rests for 25: nothing is easier to foresee, and persistence cannot."""


def error_w(forecaster: PowerForecaster, power_w: np.ndarray, first: int) -> float:
    """The root mean square error over the longest window, from the reading `first` on."""
    missed = []
    for index, power in enumerate(power_w[: -WINDOWS[-1]].tolist()):
        forecaster.observe(power)
        if index >= first:
            truth = power_w[index + 1 : index + 1 + WINDOWS[-1]].mean()
            missed.append(float(forecaster.expected_w()[-1]) - truth)
    return float(np.sqrt(np.mean(np.square(missed))))


def test_simple_forecasts_say_what_they_are() -> None:
    last, mean = Persistence(WINDOWS), RunningMean(WINDOWS, 2)
    for power in (100.0, 200.0, 400.0):
        last.observe(power)
        mean.observe(power)
    assert last.expected_w().tolist() == [400.0] * 3
    assert mean.expected_w().tolist() == [300.0] * 3


def test_models_learn_a_job_that_comes_and_goes() -> None:
    simple = error_w(Persistence(WINDOWS), SQUARE, 400)
    assert error_w(Autoregression(WINDOWS, 8_000.0), SQUARE, 400) < 0.3 * simple
    assert error_w(EchoStatePower(WINDOWS, 8_000.0), SQUARE, 400) < 0.3 * simple


def test_a_network_that_knows_nothing_says_that_nothing_changes() -> None:
    network = EchoStatePower(WINDOWS, 8_000.0)
    network.observe(3_000.0)
    assert network.expected_w() == pytest.approx([3_000.0] * 3)


def test_the_same_seed_gives_the_same_network() -> None:
    said = []
    for seed in (1, 1, 2):
        network = EchoStatePower(WINDOWS, 8_000.0, seed)
        for power in SQUARE[:200].tolist():
            network.observe(power)
        said.append(network.expected_w().tolist())
    assert said[0] == said[1] != said[2]


def test_only_a_model_that_proves_better_is_heard() -> None:
    random = np.random.default_rng(1)
    noise = 5_000 + 1_000 * random.normal(size=600)
    good = Proven(Autoregression(WINDOWS, 8_000.0), Persistence(WINDOWS), WINDOWS)
    bad = Proven(Persistence(WINDOWS), RunningMean(WINDOWS, 100), WINDOWS)
    for power in SQUARE[:600].tolist():
        good.observe(power)
    for power in noise.tolist():
        bad.observe(power)
    assert good.heard
    assert not bad.heard
    assert bad.expected_w() == pytest.approx([noise[-100:].mean()] * 3)
