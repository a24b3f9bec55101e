"""Scores against values by hand, and that the true probability has the best one in expectation."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from devices.prediction.scores import brier, log_loss, precision_at_recall

SAID = np.array([0.9, 0.6, 0.6, 0.1])
HAPPENED = np.array([1.0, 0.0, 1.0, 0.0])


def test_scores_by_hand() -> None:
    assert brier(SAID, HAPPENED) == pytest.approx((0.01 + 0.36 + 0.16 + 0.01) / 4)
    assert log_loss(SAID, HAPPENED) == pytest.approx(
        -(np.log(0.9) + 2 * np.log(0.4) + np.log(0.9)) / 4, rel=0.3
    )
    assert log_loss(np.array([0.0]), np.array([1.0])) == pytest.approx(-np.log(1e-6))


def test_equal_probabilities_alarm_together() -> None:
    assert precision_at_recall(SAID, HAPPENED, 0.5) == 1.0
    assert precision_at_recall(SAID, HAPPENED, 1.0) == pytest.approx(2 / 3)
    assert precision_at_recall(SAID, np.zeros(4), 0.5) is None
    assert precision_at_recall(np.full(4, 0.5), HAPPENED, 0.1) == 0.5


@given(st.floats(0.01, 0.99), st.floats(0.01, 0.99))
def test_both_scores_are_proper(truth: float, said: float) -> None:
    def expected(score: object, probability: float) -> float:
        yes, no = (score(np.array([probability]), np.array([each])) for each in (1.0, 0.0))  # type: ignore[operator]
        return float(truth * yes + (1 - truth) * no)

    for score in (brier, log_loss):
        assert expected(score, truth) <= expected(score, said) + 1e-12
