"""What a node keeps of its readiness over a restart, and what `wattswarm devices readiness fit` hands to it.

One format, in JSON: what it was learned for, the predictor, and (not in a fitted file) the level and the readings. A
file that does not fit the configuration is of no use, and says in what.
"""

import json
import math
from dataclasses import dataclass

import numpy as np

from devices.errors import DeviceError
from devices.prediction.experience import Predictor, Shape
from devices.prediction.foresight import MOST_READINGS
from devices.prediction.readiness import Level, Readiness
from devices.prediction.threshold import Threshold
from devices.prediction.trouble import Floats, TroubleModel

FORMAT = "wattswarm readiness 1"
LARGEST = 1e12


class KeptError(DeviceError):
    """A file that is none of readiness, or one that was learned for something else; says which part."""


@dataclass(frozen=True)
class Kept:
    """How ready, the readings from step `first` on (not-a-number where there was none), and what predicts."""

    readiness: Readiness
    first: int
    readings: Floats
    predictor: Predictor


def shape_table(shape: Shape) -> dict[str, object]:
    """What a predictor is learned for, in the words of the configuration. The band may differ: features are parts of
    it.
    """
    return {
        "against": "overload" if shape.daily else "frequency",
        "every_s": shape.every_s,
        "horizon_s": shape.band.horizon * shape.every_s,
        "spans_s": [each * shape.every_s for each in shape.band.spans],
    }


def to_text(kept: Kept, shape: Shape) -> str:
    """The file's content."""
    predictor = kept.predictor
    model = predictor.model
    return json.dumps(
        {
            "format": FORMAT,
            "shape": shape_table(shape),
            "level": kept.readiness.level.value,
            "low_s": kept.readiness.low_s,
            "threshold": [predictor.threshold.bound, predictor.threshold.below, predictor.threshold.above],
            "model": None
            if model is None
            else {name: getattr(model, name).tolist() for name in ("mean", "scale", "weights")},
            "scores": None if predictor.scores is None else list(predictor.scores),
            "first": kept.first,
            "readings": [None if math.isnan(each) else each for each in kept.readings.tolist()],
        }
    )


def from_text(text: str, shape: Shape) -> Kept:
    """What a file says. Raises KeptError, also for one that was learned for another shape."""
    try:
        source = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise KeptError(f"no JSON: {error}") from error
    if not isinstance(source, dict) or source.get("format") != FORMAT:
        raise KeptError(f"not of the format {FORMAT!r}")
    wanted, found = shape_table(shape), source.get("shape")
    if found != wanted:
        raise KeptError(f"it is for {found}, and the configuration asks for {wanted}")
    try:
        return Kept(
            Readiness(Level(source["level"]), _number(source["low_s"])),
            int(_number(source["first"])),
            _readings(source["readings"]),
            _predictor(source, shape),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise KeptError(f"a part of it does not read: {error}") from error


def _predictor(source: dict[str, object], shape: Shape) -> Predictor:
    threshold = _numbers(source["threshold"], 3)
    model = source["model"]
    if model is not None:
        if not isinstance(model, dict):
            raise ValueError("model is no table")
        mean, scale = (np.array(_numbers(model[name], shape.width)) for name in ("mean", "scale"))
        if not (scale > 0).all():
            raise ValueError("scale is not above 0")
        model = TroubleModel(mean, scale, np.array(_numbers(model["weights"], shape.width + 1)))
    scores = None if source["scores"] is None else _numbers(source["scores"], 4)
    for rate in threshold[1:]:
        if not 0 <= rate <= 1:
            raise ValueError("a rate is not from 0 to 1")
    return Predictor(
        Threshold(threshold[0], threshold[1], threshold[2]),
        model,
        None if scores is None else (scores[0], scores[1], scores[2], scores[3]),
    )


def _readings(source: object) -> Floats:
    if not isinstance(source, list) or len(source) > MOST_READINGS:
        raise ValueError(f"readings are no list of at most {MOST_READINGS}")
    return np.array([math.nan if each is None else _number(each) for each in source], dtype=np.float64)


def _numbers(source: object, count: int) -> list[float]:
    if not isinstance(source, list) or len(source) != count:
        raise ValueError(f"{source!r:.60} is no list of {count} numbers")
    return [_number(each) for each in source]


def _number(source: object) -> float:
    if isinstance(source, bool) or not isinstance(source, int | float) or not abs(source) <= LARGEST:
        raise ValueError(f"{source!r:.60} is no number that is allowed here")
    return float(source)
