"""How long before a measured disturbance leaves its band a model of quiet operation, or a threshold, raises an alarm.

Features are in units of the band's half width, so what was learned on a narrow band of a quiet grid can be asked about
a wide band of another. Two events are an anecdote and no statistic.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from devices.prediction.trouble import Band, features
from sim.grid.system import Floats
from sim.prediction.rolling import case_of, fitted, threshold_of

ALARM = 0.5


@dataclass(frozen=True, slots=True)
class Lead:
    """Readings between an alarm and the moment at which the band is left; 0 where nobody was warned."""

    model: int
    threshold: int


def leads(
    pieces: Sequence[Floats], learned: Band, events: Mapping[str, Floats], band: Band
) -> dict[str, Lead]:
    """Learn on all pieces with the band `learned`, then watch each event with `band`; all leave it (ValueError)."""
    cases = [case_of(piece, learned) for piece in pieces]
    model, threshold = fitted(cases), threshold_of(cases)
    found = {}
    for name, values in events.items():
        out = band.outside(values)
        if not out.any():
            raise ValueError(f"{name} never leaves its band")
        left = int(np.argmax(out))
        rows = features(values[:left], band)
        known = np.isfinite(rows).all(axis=1)
        said = np.zeros((2, left))
        said[0, known] = model.probability(rows[known])
        said[1, known] = threshold.probability(rows[known, 0])
        found[name] = Lead(*(_lead(each) for each in said))
    return found


def _lead(said: Floats) -> int:
    """From the first alarm of those that do not end before the band is left."""
    quiet = np.flatnonzero(said < ALARM)
    return said.size - 1 - int(quiet[-1]) if quiet.size else said.size
