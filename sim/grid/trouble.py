"""Scenario: how well a node foresees trouble: a frequency event, or an overload, in the next seconds to minutes.

On measured data, rolling forward, against a threshold on the value alone: by proper scores (Brier, log loss), by the
precision of alarms that catch half and four fifths of the trouble, and by what readiness makes of it. Only readings
that are still within their band are predicted. The frequency band is narrow, because the record is of a quiet grid:
what is learned is how frequency moves, not how rare blackouts are. The overload of the 17 homes is tried with their
own readings alone, with a forecast (the next hour as it was a day ago) and the hour, and with the weather besides.
"""

from collections.abc import Mapping, Sequence

import numpy as np

from devices.prediction.readiness import Level, Readiness, ReadinessRules, next_readiness
from devices.prediction.scores import brier, log_loss, precision_at_recall
from devices.prediction.trouble import Band
from sim.grid.measured import Weathered
from sim.grid.result import Chart, Figure, Result
from sim.grid.system import Floats
from sim.prediction.lead import leads
from sim.prediction.rolling import EVERYBODY, Case, Predicted, case_of, roll

FOLDS = 8
BAND_HZ = (49.965, 50.035)
EVENT_BAND_HZ = (49.5, 50.5)
"""The statutory band of Great Britain, which both measured disturbances left."""
HORIZONS_S = (20, 60, 120)
SPANS_S = (5, 15, 60)
HOME_LIMIT_W, HOME_HORIZON_MIN, HOME_SPANS_MIN = 5_000.0, 10, (1, 5, 30)
DAY_MIN = 1_440
HOMES_QUANTILE = 0.97
"""The limit of the 17 homes: their net load in all but this part of the first quarter of the year."""
HOMES_SPANS_H = (1, 2, 24)
WEEK_H, DAY_H = 168, 24
FREQUENCY_RULES = ReadinessRules(watch=0.2, ready=0.5, hold_s=30.0)
OVERLOAD_RULES = ReadinessRules(watch=0.05, ready=0.15, hold_s=600.0)
"""An overload is rare and charging before it is cheap, so a node is ready at a lower probability."""


def trouble(
    pieces: Sequence[Floats], home_w: Floats, homes: Weathered, events: Mapping[str, Floats]
) -> Result:
    """Evaluate everything once; there is nothing random in it. Every event must leave `EVENT_BAND_HZ` (ValueError)."""
    rows: list[dict[str, Figure]] = []
    curves: list[tuple[str, Floats, Floats]] = []
    for horizon_s in HORIZONS_S:
        band = Band(*BAND_HZ, horizon_s, SPANS_S)
        predicted = roll([case_of(piece, band) for piece in pieces], FOLDS)
        rows += _rows("frequency", horizon_s, 1.0, predicted, FREQUENCY_RULES)
        curves.append(_reliability(f"frequency, {horizon_s} s", predicted))
    days = [home_w[start : start + DAY_MIN] for start in range(0, home_w.size, DAY_MIN)]
    band = Band(-np.inf, HOME_LIMIT_W, HOME_HORIZON_MIN, HOME_SPANS_MIN)
    predicted = roll([case_of(day, band) for day in days], FOLDS)
    rows += _rows("overload of a home", 60 * HOME_HORIZON_MIN, 60.0, predicted, OVERLOAD_RULES)
    curves.append(_reliability("overload of a home", predicted))
    for name, cases in _weekly(homes).items():
        predicted = roll(cases, FOLDS)
        rows += _rows(f"overload of 17 homes, {name}", 3600, 3600.0, predicted, OVERLOAD_RULES)
        curves.append(_reliability(f"17 homes, {name}", predicted))
    warned = leads(
        pieces, Band(*BAND_HZ, HORIZONS_S[0], SPANS_S), events, Band(*EVENT_BAND_HZ, HORIZONS_S[0], SPANS_S)
    )
    return Result(
        scenario="trouble",
        title="Trouble foreseen: frequency events and overloads in the next seconds and minutes",
        assumptions={
            "band_hz": f"{BAND_HZ[0]} to {BAND_HZ[1]}",
            "home_limit_kw": HOME_LIMIT_W / 1000,
            "homes_limit_kw": round(_homes_limit_w(homes) / 1000, 2),
            "folds": FOLDS,
            "frequency_ready_at": FREQUENCY_RULES.ready,
            "overload_ready_at": OVERLOAD_RULES.ready,
            **{f"{day}_seconds_warned_by_model": lead.model for day, lead in warned.items()},
            **{f"{day}_seconds_warned_by_threshold": lead.threshold for day, lead in warned.items()},
            "frequency_hours": round(sum(piece.size for piece in pieces) / 3600, 1),
            "data": "ENF-WHU (MIT), UCI 235 (CC BY 4.0), CityLearn 2022 (MIT)",
        },
        rows=tuple(rows),
        checks={
            "every probability is from 0 to 1": all(0 <= float(row["brier"] or 0.0) <= 1 for row in rows),
            "all were asked the same": all(
                row["readings"] == other["readings"]
                for row in rows
                for other in rows
                if (row["trouble"], row["horizon_s"]) == (other["trouble"], other["horizon_s"])
            ),
        },
        charts=(Chart("Reliability of the model", "probability said", "part that happened", tuple(curves)),),
    )


def _weekly(homes: Weathered) -> dict[str, list[Case]]:
    """The homes' record in weeks, each with the day before it as memory, with more and more known."""
    load_w = homes.net_load_w
    band = Band(-np.inf, _homes_limit_w(homes), 1, HOMES_SPANS_H)
    yesterday = np.full(load_w.size, np.nan)
    yesterday[DAY_H - 1 :] = load_w[: load_w.size - DAY_H + 1]
    angle = homes.hour_of_day * np.pi / 12
    forecast = np.column_stack([yesterday / band.highest, np.sin(angle), np.cos(angle)])
    known = {
        "readings": None,
        "and forecast": forecast,
        "and weather": np.column_stack([forecast, homes.weather]),
    }
    return {
        name: [
            case_of(load_w[part], band, None if more is None else more[part])
            for start in range(0, load_w.size, WEEK_H)
            for part in (slice(max(0, start - DAY_H), start + WEEK_H),)
        ]
        for name, more in known.items()
    }


def _homes_limit_w(homes: Weathered) -> float:
    """Of the first quarter of the year, which is never tested."""
    return float(np.nanquantile(homes.net_load_w[: homes.net_load_w.size // 4], HOMES_QUANTILE))


def _rows(
    what: str, horizon_s: int, step_s: float, predicted: Predicted, rules: ReadinessRules
) -> list[dict[str, Figure]]:
    rows: list[dict[str, Figure]] = []
    for name in EVERYBODY:
        said, happened = predicted.said[name], predicted.happened
        ready_part, met_part, events = readiness_of(predicted, name, step_s, rules)
        rows.append(
            {
                "trouble": what,
                "horizon_s": horizon_s,
                "predictor": name,
                "readings": int(happened.size),
                "rate": round(float(happened.mean()), 5),
                "brier": round(brier(said, happened), 5),
                "log_loss": round(log_loss(said, happened), 5),
                "precision_at_recall_0.5": _rounded(precision_at_recall(said, happened, 0.5)),
                "precision_at_recall_0.8": _rounded(precision_at_recall(said, happened, 0.8)),
                "events": events,
                "events_met_ready": _rounded(met_part),
                "time_ready": round(ready_part, 4),
            }
        )
    return rows


def readiness_of(
    predicted: Predicted, name: str, step_s: float, rules: ReadinessRules
) -> tuple[float, float | None, int]:
    """The part of the readings at which a node is ready, the part of the events that find it ready, and their number.

    An event is a run of readings with trouble ahead; its last reading is the one before the trouble.
    """
    said = predicted.said[name].tolist()
    cases, happened = predicted.case, predicted.happened
    ready = np.zeros(len(said), dtype=np.bool_)
    held = Readiness()
    for index, probability in enumerate(said):
        if index and cases[index] != cases[index - 1]:
            held = Readiness()
        held = next_readiness(held, probability, step_s, rules)
        ready[index] = held.level is Level.READY
    after = np.append(happened[1:], 0.0)
    other = np.append(cases[1:] != cases[:-1], True)
    last = (happened == 1) & ((after == 0) | other)
    events = int(last.sum())
    return float(ready.mean()), float(ready[last].mean()) if events else None, events


def _reliability(name: str, predicted: Predicted) -> tuple[str, Floats, Floats]:
    said, happened = predicted.said["model"], predicted.happened
    place = np.minimum((said * 10).astype(np.int64), 9)
    full = [number for number in range(10) if (place == number).any()]
    return (
        name,
        np.array([said[place == number].mean() for number in full]),
        np.array([happened[place == number].mean() for number in full]),
    )


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 4)
