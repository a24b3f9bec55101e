"""Scores of probabilities: proper ones, and precision at a recall.

Brier: G. W. Brier, "Verification of forecasts expressed in terms of probability", Monthly Weather Review 78, 1950. Log
loss: I. J. Good, "Rational decisions", JRSS B 14, 1952. Both are least, in expectation, for the true probability.
"""

import numpy as np

from devices.prediction.trouble import Floats

LEAST = 1e-6
"""Nobody may be surer than this: a single surprise would otherwise cost without bound."""


def brier(probability: Floats, happened: Floats) -> float:
    """Mean squared distance from what happened (0 or 1)."""
    return float(np.mean((probability - happened) ** 2))


def log_loss(probability: Floats, happened: Floats) -> float:
    """Mean negative logarithm of the probability of what happened, in nats."""
    sure = np.clip(probability, LEAST, 1 - LEAST)
    return float(-np.mean(happened * np.log(sure) + (1 - happened) * np.log(1 - sure)))


def precision_at_recall(probability: Floats, happened: Floats, recall: float) -> float | None:
    """The part of the alarms that were right, at the highest threshold that catches `recall` of what happened.

    Equal probabilities alarm together. None where nothing happened.
    """
    total = float(happened.sum())
    if total == 0:
        return None
    order = np.argsort(-probability, kind="stable")
    caught, alarms = np.cumsum(happened[order]), np.arange(1, happened.size + 1)
    # Only the last of equal probabilities is a threshold.
    ends = np.append(np.diff(probability[order]) != 0, True)
    reached = ends & (caught >= recall * total)
    first = int(np.argmax(reached))
    return float(caught[first] / alarms[first])
