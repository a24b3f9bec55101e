"""What every forecaster must do, and what each one learns."""

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from market.forecasting.boosted import Boosted
from market.forecasting.echo_state import EchoState
from market.forecasting.forecaster import DAYS_KEPT, LEVELS, MEDIAN, FloatArray, Forecaster, History, nearby
from market.forecasting.scoring import pinball
from market.forecasting.seasonal import Climate, SeasonalNaive

SEASON = 12
FIRST = 7
Maker = Callable[[int, int, float | None], Forecaster]
SIMPLE: tuple[Maker, ...] = (SeasonalNaive, Climate)
MAKERS: tuple[Maker, ...] = (*SIMPLE, EchoState, Boosted)


def days_of(count: int, seed: int, shape: float = 1.0) -> FloatArray:
    """A load with a daily wave and noise, from the interval FIRST on."""
    index = FIRST + np.arange(count * SEASON)
    noise = np.random.default_rng(seed).gamma(2.0, 0.2, len(index))
    return 1.0 + shape * np.sin(2 * np.pi * index / SEASON) + noise


def taught(maker: Maker, values: FloatArray, least: float | None = 0.0) -> Forecaster:
    """The forecaster after it has seen the values."""
    forecaster = maker(SEASON, FIRST, least)
    for value in values:
        forecaster.observe(float(value))
    return forecaster


@pytest.mark.parametrize("maker", MAKERS)
def test_quantiles_ascend_stay_above_the_least_value_and_are_reproducible(maker: Maker) -> None:
    values = np.maximum(days_of(6, seed=1, shape=2.0), 0.0)
    for count in (SEASON + 3, 6 * SEASON):
        forecast = taught(maker, values[:count]).forecast(2 * SEASON + 5)
        assert forecast.shape == (2 * SEASON + 5, len(LEVELS))
        assert (np.diff(forecast, axis=1) >= 0).all()
        assert forecast.min() >= 0
        assert np.array_equal(forecast, taught(maker, values[:count]).forecast(2 * SEASON + 5))


@pytest.mark.parametrize("maker", MAKERS)
def test_before_the_first_value_everything_is_zero_and_then_the_latest(maker: Maker) -> None:
    assert not maker(SEASON, FIRST, None).forecast(5).any()
    assert (taught(maker, np.array([3.0, 4.0])).forecast(5) == 4.0).all()


@pytest.mark.parametrize("maker", MAKERS)
def test_a_series_that_repeats_every_day_is_foretold_exactly(maker: Maker) -> None:
    day = np.arange(SEASON, dtype=float)
    forecast = taught(maker, np.tile(day, 8)[: 8 * SEASON - 5]).forecast(SEASON)
    assert forecast == pytest.approx(np.repeat(np.roll(day, 5)[:, np.newaxis], len(LEVELS), axis=1), abs=1e-6)


@pytest.mark.parametrize("maker", MAKERS)
def test_a_missing_value_does_no_harm(maker: Maker) -> None:
    values = days_of(10, seed=2)
    values[[0, 5, 40, 41, len(values) - 1]] = np.nan
    assert np.isfinite(taught(maker, values).forecast(SEASON)).all()


@pytest.mark.parametrize("maker", MAKERS)
def test_what_comes_later_changes_nothing_said_before(maker: Maker) -> None:
    values = days_of(11, seed=3)
    forecaster = taught(maker, values[: 9 * SEASON])
    before = forecaster.forecast(SEASON).copy()
    other = taught(maker, np.concatenate([values[: 9 * SEASON]]))
    for value in values[9 * SEASON :]:
        forecaster.observe(float(value))
    assert np.array_equal(before, other.forecast(SEASON))


def test_the_climate_covers_as_it_says() -> None:
    """On noise that is the same every day, about 80 % lie between the outer levels, and half below the median."""
    values = days_of(15, seed=4)
    later = days_of(300, seed=5).reshape(300, SEASON)
    forecast = taught(Climate, values).forecast(SEASON)
    assert 0.7 < ((forecast[:, 0] <= later) & (later <= forecast[:, -1])).mean() < 0.9
    assert 0.4 < (later <= forecast[:, MEDIAN]).mean() < 0.6


@pytest.mark.parametrize(("maker", "days"), [(EchoState, 42), (Boosted, 20)])
def test_a_learned_model_sees_what_the_climate_does_not(maker: Maker, days: int) -> None:
    """Days alternate between high and low; only memory tells which one is next."""
    level = np.repeat(np.arange(days + 4) % 2, SEASON) * 2.0
    values = days_of(days + 4, seed=6, shape=0.3) + level
    forecasters = taught(maker, values[: days * SEASON]), taught(Climate, values[: days * SEASON])
    losses = [0.0, 0.0]
    for day in range(days, days + 4):
        truth = values[day * SEASON : (day + 1) * SEASON]
        for which, forecaster in enumerate(forecasters):
            losses[which] += pinball(forecaster.forecast(SEASON), truth).mean()
            for value in truth:
                forecaster.observe(float(value))
    assert losses[0] < 0.8 * losses[1]


def test_the_network_depends_on_its_seed_alone() -> None:
    values = days_of(12, seed=7)
    one, same, other = (EchoState(SEASON, FIRST, 0.0, seed) for seed in (1, 1, 2))
    for value in values:
        for network in (one, same, other):
            network.observe(float(value))
    assert np.array_equal(one.forecast(SEASON), same.forecast(SEASON))
    assert not np.array_equal(one.forecast(SEASON), other.forecast(SEASON))


@settings(max_examples=50, deadline=None)
@given(st.lists(st.floats(0, 100) | st.just(float("nan")), max_size=400), st.integers(1, 3))
def test_a_history_keeps_the_last_days_and_fills_gaps_from_the_day_before(
    values: list[float], season: int
) -> None:
    history = History(season, 5)
    filled: list[float] = []
    for value in values:
        before = filled[-season] if len(filled) >= season else filled[-1] if filled else 0.0
        filled.append(before if np.isnan(value) else value)
        history.append(value)
    assert history.values.tolist() == filled[-DAYS_KEPT * season :]
    assert history.next_interval == 5 + len(values)
    days = history.days(4)
    assert days.ravel().tolist() == filled[len(filled) - days.size :]
    assert len(days) == min(4, len(history) // season)


def test_neighbours_wrap_round_the_day() -> None:
    columns = np.array([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])
    assert sorted(nearby(columns, 1)[:, 0]) == [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]
    assert nearby(columns, 0).tolist() == columns.tolist()


def test_a_day_has_at_least_one_interval() -> None:
    with pytest.raises(ValueError, match="at least one interval"):
        SeasonalNaive(0, 0)


def test_the_middle_of_the_naive_forecast_is_yesterday_whatever_the_trend() -> None:
    rising = np.repeat(np.arange(6.0), SEASON)
    forecast = taught(SeasonalNaive, rising).forecast(SEASON)
    assert forecast[:, MEDIAN] == pytest.approx(np.full(SEASON, 5.0))
    assert (forecast[:, 0] < 5.0).all()
    assert (forecast[:, -1] > 5.0).all()
