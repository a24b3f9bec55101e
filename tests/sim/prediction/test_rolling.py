"""Rolling origin: nobody learns from what comes later, and a model proves itself or is not heard."""

import numpy as np

from devices.prediction.scores import brier
from devices.prediction.trouble import Band
from sim.prediction.rolling import EVERYBODY, case_of, roll

BAND = Band(-np.inf, 1.0, 3, (1, 4))


def ramps(count: int, seed: int) -> list[np.ndarray]:
    """Records in which a fast rise leads to trouble and a slow one does not: the value alone does not tell."""
    random = np.random.default_rng(seed)
    records = []
    for _ in range(count):
        values = [0.0]
        while len(values) < 120:
            slope, top = random.choice([0.02, 0.12]), random.uniform(0.7, 0.9)
            while values[-1] < (1.2 if slope > 0.1 else top):
                values.append(values[-1] + slope)
            values.append(0.0)
        records.append(np.array(values))
    return records


def test_a_prediction_does_not_change_with_what_comes_later() -> None:
    records = ramps(24, 1)
    whole = roll([case_of(record, BAND) for record in records], 3)
    other = roll([case_of(record, BAND) for record in (*records[:18], *ramps(6, 2))], 3)
    early = whole.case < 18
    assert early.sum() == (other.case < 18).sum() > 0
    for name in EVERYBODY:
        assert np.array_equal(whole.said[name][early], other.said[name][other.case < 18])


def test_only_readings_in_the_band_are_predicted_and_the_first_block_is_not() -> None:
    records = ramps(8, 1)
    predicted = roll([case_of(record, BAND) for record in records], 3)
    assert set(predicted.case) == {2, 3, 4, 5, 6, 7}
    assert all((case_of(record, BAND).now <= 1.0).all() for record in records)


def test_a_model_that_sees_the_rate_of_change_beats_a_threshold_and_is_heard() -> None:
    predicted = roll([case_of(record, BAND) for record in ramps(24, 3)], 3)
    scores = {name: brier(predicted.said[name], predicted.happened) for name in EVERYBODY}
    assert scores["model"] < 0.8 * scores["threshold"] < scores["base rate"]
    assert scores["proven model"] == scores["model"]


def test_a_model_that_learns_noise_is_not_heard() -> None:
    random = np.random.default_rng(4)
    cases = [case_of(random.normal(0, 0.5, 60), BAND, random.normal(size=(60, 40))) for _ in range(12)]
    predicted = roll(cases, 3)
    assert brier(predicted.said["model"], predicted.happened) > brier(
        predicted.said["threshold"], predicted.happened
    )
    assert np.array_equal(predicted.said["proven model"], predicted.said["threshold"])


def test_more_that_is_known_becomes_more_features() -> None:
    record = ramps(1, 5)[0]
    alone, more = case_of(record, BAND), case_of(record, BAND, np.ones((record.size, 2)))
    assert more.rows.shape == (alone.rows.shape[0], alone.rows.shape[1] + 2)
