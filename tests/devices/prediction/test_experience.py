"""What a node's own readings teach it: only what is known, only what has proved itself, in bounded memory."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from devices.prediction.experience import LEAST_EVENTS, Predictor, Shape, learned, newest_row, rows_of
from devices.prediction.foresight import MOST_READINGS, NS_PER_S, Foresight
from devices.prediction.kept import Kept, KeptError, from_text, to_text
from devices.prediction.readiness import Level, Readiness
from devices.prediction.threshold import Threshold
from devices.prediction.trouble import Band

SHAPE = Shape(Band(-np.inf, 1.0, 3, (1, 4)), 60, daily=False)
DAILY = Shape(Band(-np.inf, 1.0, 4, (1, 4)), 3_600, daily=True)
UNTAUGHT = Predictor(Threshold(0.9, 0.0, 1.0))


def ramps(count: int, seed: int) -> np.ndarray:
    """Rises that lead to trouble when they are fast and not when they are slow: the value alone does not tell."""
    random = np.random.default_rng(seed)
    values = [0.0]
    for _ in range(count):
        slope, top = (0.12, 1.2) if random.random() < 0.5 else (0.02, random.uniform(0.7, 0.9))
        while values[-1] < top:
            values.append(values[-1] + slope)
        values += [0.0] * 8
    return np.array(values)


def test_a_model_that_beats_the_threshold_is_used_and_one_that_does_not_is_not() -> None:
    taught = learned(ramps(80, 1), 0, SHAPE, UNTAUGHT)
    assert taught.model is not None
    assert taught.scores is not None
    assert taught.scores[2] < taught.scores[0]
    assert taught.scores[3] < taught.scores[1]
    # Noise without a memory: nothing that came before tells more than the value, so the threshold is all there is.
    noise = np.random.default_rng(4).uniform(0, 1.02, 1_500)
    plain = learned(noise, 0, SHAPE, UNTAUGHT)
    assert plain.scores is not None
    better = plain.scores[2] < plain.scores[0] and plain.scores[3] < plain.scores[1]
    assert (plain.model is not None) == better
    assert plain.threshold != UNTAUGHT.threshold


def test_too_few_troubles_teach_nothing() -> None:
    quiet = np.concatenate([ramps(2 * LEAST_EVENTS, 1)[:60], np.zeros(300)])
    assert learned(quiet, 0, SHAPE, UNTAUGHT) is UNTAUGHT


@settings(max_examples=40)
@given(st.lists(st.floats(-2, 3) | st.just(math.nan), min_size=30, max_size=80), st.integers(0, 10**6))
def test_the_newest_row_needs_no_more_than_its_reach(values: list[float], first: int) -> None:
    record = np.array(values)
    for shape in (SHAPE, DAILY):
        whole = rows_of(record, first, shape)
        assert whole.shape == (record.size, shape.width)
        tail = record[-shape.reach :]
        assert np.allclose(
            newest_row(tail, first + record.size - tail.size, shape), whole[-1], equal_nan=True
        )


def test_an_overload_a_day_ago_is_seen_coming() -> None:
    record = np.zeros(60)
    record[30] = 3.0
    known = rows_of(record, 0, DAILY)[:, -2:]
    # Row t looks at what followed t - 24: the readings from t - 23 on, four of them.
    assert [int(index) for index in np.flatnonzero(known[:, 0])] == [50, 51, 52, 53]
    assert known[22, 1] == 0
    assert known[23, 1] == 1


def fed(foresight: Foresight, values: list[float | None], start_s: int = 0) -> None:
    for second, value in enumerate(values, start_s):
        foresight.take(value, second * NS_PER_S)


def seconds(predictor: Predictor = UNTAUGHT) -> Foresight:
    return Foresight(Shape(SHAPE.band, 1, daily=False), predictor)


def test_a_value_that_is_not_known_is_not_predicted_from() -> None:
    foresight = seconds(learned(ramps(80, 1), 0, SHAPE, UNTAUGHT))
    fed(foresight, [0.0] * 10)
    assert foresight.probability is not None
    fed(foresight, [None, None, 0.1], 10)
    assert foresight.probability is None
    # Known again, but the memory has a gap, so only the value itself may warn.
    fed(foresight, [0.2, 0.2], 13)
    assert foresight.probability is None
    fed(foresight, [1.5, 1.5], 15)
    assert foresight.probability == 1.0


def test_before_anything_is_learned_the_configured_threshold_warns() -> None:
    foresight = seconds()
    fed(foresight, [0.5] * 10)
    assert foresight.probability == 0.0
    fed(foresight, [0.95, 0.95], 10)
    assert foresight.probability == 1.0


@given(st.lists(st.tuples(st.integers(-5, 3_000), st.none() | st.floats(-2, 3)), max_size=60))
def test_memory_is_bounded_and_probabilities_are_such_whatever_the_clock_does(
    looks: list[tuple[int, float | None]],
) -> None:
    foresight, now_s = seconds(), 10**6
    for passed_s, value in looks:
        now_s += passed_s * 10
        foresight.take(value, now_s * NS_PER_S)
        assert foresight.readings.size <= MOST_READINGS
        assert foresight.probability is None or 0 <= foresight.probability <= 1


def test_a_pause_is_a_gap_of_unknown_readings() -> None:
    foresight = seconds()
    fed(foresight, [0.5] * 3)
    fed(foresight, [0.5] * 2, 1_000)
    assert foresight.readings.size == 1_001
    assert np.isnan(foresight.readings[3:1_000]).all()


def kept(predictor: Predictor) -> Kept:
    readings = np.array([0.25, math.nan, 0.5])
    return Kept(Readiness(Level.WATCH, 3.0), 7, readings, predictor)


def test_what_is_kept_comes_back_equal() -> None:
    before = kept(learned(ramps(80, 1), 0, SHAPE, UNTAUGHT))
    after = from_text(to_text(before, SHAPE), SHAPE)
    assert (after.readiness, after.first) == (before.readiness, before.first)
    assert np.array_equal(after.readings, before.readings, equal_nan=True)
    row = np.full(SHAPE.width, 0.3)
    assert after.predictor.probability(row) == before.predictor.probability(row)
    assert after.predictor.scores == before.predictor.scores


def test_a_file_for_something_else_says_for_what() -> None:
    with pytest.raises(KeptError, match=r"'against': 'frequency'.*asks for.*'against': 'overload'"):
        from_text(to_text(kept(UNTAUGHT), SHAPE), DAILY)


@settings(max_examples=50)
@given(st.data())
def test_a_damaged_file_is_one_declared_error_or_a_file(data: st.DataObject) -> None:
    text = to_text(kept(UNTAUGHT), SHAPE)
    place = data.draw(st.integers(0, len(text) - 1))
    damaged = text[:place] + data.draw(st.text(max_size=3)) + text[place + data.draw(st.integers(0, 3)) :]
    try:
        from_text(damaged, SHAPE)
    except KeptError as error:
        assert str(error)
