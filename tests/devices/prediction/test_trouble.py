"""Probability of trouble: it knows nothing of the future, finds what it was made from, and says what it means."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from devices.prediction.trouble import Band, features, fit, troubled

BAND = Band(49.96, 50.04, 5, (1, 3))
RECORD = 50 + 0.03 * np.sin(np.arange(200) / 7)


def test_trouble_is_what_happens_within_the_horizon() -> None:
    values = np.array([50.0, 50.0, 50.0, 50.05, 50.0, 50.0, np.nan, 50.0, 50.0])
    happened = troubled(values, Band(49.96, 50.04, 2, (1, 2)))
    assert happened[:4].tolist() == [0, 1, 1, 0]
    assert np.isnan(happened).tolist() == [*[False] * 4, True, True, False, True, True], (
        "a gap and the end hide"
    )


@settings(max_examples=30, deadline=None)
@given(st.integers(10, 190), st.floats(-0.1, 0.1))
def test_features_know_only_the_past(now: int, moved_hz: float) -> None:
    changed = RECORD.copy()
    changed[now + 1 :] += moved_hz
    assert np.array_equal(
        features(RECORD, BAND)[: now + 1], features(changed, BAND)[: now + 1], equal_nan=True
    )


def test_both_sides_of_a_band_are_alike_and_one_bound_is_not() -> None:
    assert features(RECORD, BAND) == pytest.approx(features(100 - RECORD, BAND), nan_ok=True, abs=1e-9)
    above = Band(-np.inf, 100.0, 1, (1, 2))
    rising = features(np.array([40.0, 50.0, 60.0, 70.0]), above)
    assert rising[-1, 0] == pytest.approx(0.7)
    assert rising[-1, 1] == pytest.approx(0.1)
    assert above.outside(np.array([99.0, 101.0, -500.0])).tolist() == [False, True, False]


def test_a_row_is_unknown_until_its_memory_is_full() -> None:
    known = np.isfinite(features(RECORD, BAND)).all(axis=1)
    assert known.tolist() == [False] * 3 + [True] * 197


def test_a_fit_finds_the_weights_that_made_the_outcomes() -> None:
    random = np.random.default_rng(1)
    rows = random.normal(size=(40_000, 2))
    truth = 1 / (1 + np.exp(-(1.5 * rows[:, 0] - 0.5 * rows[:, 1] - 1.0)))
    happened = (random.random(rows.shape[0]) < truth).astype(np.float64)
    model = fit(rows, happened)
    assert model.weights == pytest.approx([1.5, -0.5, -1.0], abs=0.06)
    assert np.abs(model.probability(rows) - truth).mean() < 0.01


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 40), st.integers(0, 2**31), st.floats(0, 1))
def test_a_probability_is_one_even_where_outcomes_are_all_the_same(
    count: int, seed: int, rate: float
) -> None:
    random = np.random.default_rng(seed)
    rows = random.normal(size=(count, 3))
    happened = (random.random(count) < rate).astype(np.float64)
    said = fit(rows, happened).probability(1e6 * random.normal(size=(20, 3)))
    assert ((said >= 0) & (said <= 1)).all()


def test_the_mean_probability_is_the_rate() -> None:
    random = np.random.default_rng(2)
    rows = random.normal(size=(3_000, 4))
    happened = (random.random(3_000) < 0.1).astype(np.float64)
    assert fit(rows, happened).probability(rows).mean() == pytest.approx(happened.mean(), abs=1e-6)


@pytest.mark.parametrize(
    ("rows", "happened", "message"),
    [
        (np.zeros((0, 2)), np.zeros(0), "at least one row"),
        (np.zeros((3, 2)), np.zeros(2), "one outcome"),
        (np.array([[np.nan]]), np.zeros(1), "known"),
    ],
)
def test_a_fit_refuses_what_it_cannot_learn_from(
    rows: np.ndarray, happened: np.ndarray, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        fit(rows, happened)
