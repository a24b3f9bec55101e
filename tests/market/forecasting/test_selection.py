"""The choice of a model, and the scores that it rests on."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from market.forecasting.evaluation import (
    LEAST_DAYS,
    MOST_ORIGINS,
    SELECTED,
    Series,
    evaluate_series,
    held_out_origins,
    summarise,
)
from market.forecasting.forecaster import LEVELS, FloatArray, Forecaster
from market.forecasting.scoring import coverage, pinball, skill
from market.forecasting.seasonal import SeasonalNaive
from market.forecasting.selection import BASELINE, MARGIN, Selected, candidates, choose

SEASON = 8
losses = st.floats(0, 1e6)


class Told:
    """A forecaster that knows the series, but for a constant error."""

    def __init__(self, values: FloatArray, error: float) -> None:
        self._values = np.concatenate([values, np.zeros(2 * SEASON)])
        self._seen = 0
        self._error = error

    def observe(self, value: float) -> None:
        self._seen += 1

    def forecast(self, horizon: int) -> FloatArray:
        truth = self._values[self._seen : self._seen + horizon]
        return np.repeat(truth[:, np.newaxis] + self._error, len(LEVELS), axis=1)


def noise(days: int, seed: int = 0) -> FloatArray:
    return np.random.default_rng(seed).gamma(2.0, 1.0, days * SEASON)


@given(losses, losses, losses)
def test_a_model_is_chosen_only_if_it_beats_the_baseline_and_those_simpler(
    base: float, simple: float, complex_: float
) -> None:
    known = {BASELINE: base, "simple": simple, "complex": complex_}
    chosen = choose(known)
    if chosen == BASELINE:
        assert min(simple, complex_) >= base * (1 - MARGIN)
    else:
        assert known[chosen] < base
        assert known[chosen] <= min(known.values()) / (1 - MARGIN)


def test_without_the_baseline_nothing_is_chosen() -> None:
    with pytest.raises(ValueError, match="baseline"):
        Selected(SEASON, {})


@pytest.mark.parametrize(("error", "expected"), [(0.01, "told"), (50.0, BASELINE)])
def test_a_member_uses_a_model_only_while_it_beats_the_baseline(error: float, expected: str) -> None:
    values = noise(20)
    models: dict[str, Forecaster] = {BASELINE: SeasonalNaive(SEASON, 0, 0.0), "told": Told(values, error)}
    chooser = Selected(SEASON, models)
    for position, value in enumerate(values):
        if position < 7 * SEASON:
            assert chooser.choice == BASELINE, "nothing is proven yet"
        chooser.observe(float(value))
    assert chooser.choice == expected
    assert np.array_equal(chooser.forecast(SEASON), models[expected].forecast(SEASON))


def test_a_model_that_stops_being_good_stops_being_used() -> None:
    values = noise(60)
    told = Told(values, 0.0)
    chooser = Selected(SEASON, {BASELINE: SeasonalNaive(SEASON, 0, 0.0), "told": told})
    for value in values[: 20 * SEASON]:
        chooser.observe(float(value))
    assert chooser.choice == "told"
    told._error = 20.0
    for value in values[20 * SEASON :]:
        chooser.observe(float(value))
    assert chooser.choice == BASELINE


def test_missing_values_are_not_scored() -> None:
    values = noise(12)
    gaps = values.copy()
    gaps[40:52] = np.nan
    chooser = Selected(SEASON, {BASELINE: SeasonalNaive(SEASON, 0, 0.0), "told": Told(values, 0.0)})
    for value in gaps:
        chooser.observe(float(value))
    assert chooser.choice == "told"


@given(st.lists(st.floats(-100, 100), min_size=len(LEVELS), max_size=len(LEVELS)), st.floats(-100, 100))
def test_the_pinball_loss_is_zero_only_for_certainty_that_was_right(
    quantiles: list[float], value: float
) -> None:
    told = np.array([quantiles])
    loss = pinball(told, np.array([value]))[0]
    assert loss >= 0
    assert pinball(np.full((1, len(LEVELS)), value), np.array([value]))[0] == 0
    by_hand = [
        (value - q) * level if value >= q else (q - value) * (1 - level)
        for q, level in zip(quantiles, LEVELS, strict=True)
    ]
    assert loss == pytest.approx(sum(by_hand) / len(LEVELS))


def test_the_true_quantiles_have_the_least_expected_loss() -> None:
    drawn = np.random.default_rng(1).exponential(1.0, 20_000)
    best = np.quantile(drawn, LEVELS)
    least = pinball(np.tile(best, (len(drawn), 1)), drawn).mean()
    for factor in (0.7, 0.9, 1.1, 1.4):
        assert pinball(np.tile(best * factor, (len(drawn), 1)), drawn).mean() > least


def test_skill_and_coverage_read_as_they_say() -> None:
    assert skill(1.0, 2.0) == 0.5
    assert skill(3.0, 2.0) == -0.5
    assert skill(0.0, 0.0) == 0.0
    assert skill(1.0, 0.0) == float("-inf")
    quantiles = np.tile(np.array([0.0, 1.0, 2.0, 3.0, 4.0]), (4, 1))
    assert coverage(quantiles, np.array([-1.0, 0.0, 4.0, np.nan])) == pytest.approx(2 / 3)


@given(st.integers(LEAST_DAYS, 500), st.sampled_from([1, 8, 24]))
def test_origins_are_in_the_later_part_have_a_whole_day_after_them_and_are_bounded(
    days: int, season: int
) -> None:
    origins = held_out_origins(days * season, season)
    assert 1 <= len(origins) <= MOST_ORIGINS + 1
    assert origins[0] >= days * season // 2
    assert origins[-1] + season <= days * season
    if season > 1 and len(origins) > 8:
        assert len({origin % season for origin in origins}) >= 4


def test_an_evaluation_scores_models_on_what_they_could_not_know() -> None:
    values = noise(30)
    series = Series("made", "ada", "load", SEASON, 0, tuple(values), 0.0)
    models: dict[str, Forecaster] = {
        BASELINE: SeasonalNaive(SEASON, 0, 0.0),
        "told": Told(values, 0.0),
        "wrong": Told(values, 30.0),
    }
    score = evaluate_series(series, models)
    assert score.used == "told"
    assert score.loss["told"] == score.loss[SELECTED] == 0.0
    assert score.loss["wrong"] > score.loss[BASELINE] > 0.0
    (baseline, told, wrong, chosen) = summarise([score, score])
    assert (baseline.skill, told.skill, chosen.skill) == (0.0, 1.0, 1.0)
    assert wrong.skill < 0
    assert (told.better, told.used, wrong.better, wrong.used) == (2, 2, 0, 0)
    assert told.series == 2


def test_all_candidates_can_be_evaluated_on_noise_and_the_climate_beats_yesterday() -> None:
    values = noise(16, seed=3)
    score = evaluate_series(Series("made", "ada", "load", SEASON, 0, tuple(values), 0.0))
    assert list(score.loss) == [*candidates(SEASON, 0), SELECTED]
    assert score.loss["climate"] < score.loss[BASELINE]


def test_a_short_series_is_refused_by_name() -> None:
    with pytest.raises(ValueError, match="made, ada: 8 days of load; an evaluation needs at least 9"):
        evaluate_series(Series("made", "ada", "load", SEASON, 0, (0.0,) * (8 * SEASON)))
