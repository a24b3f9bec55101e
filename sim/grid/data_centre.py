"""Scenario: servers that train one model swing their power together; a flywheel and the UPS's battery hide it.

Measured power of five to seven servers, four such groups in step (assumed), run after run. The feed follows slowly:
by a tenth of the rated load in a minute. The flywheel carries the difference; where it is full, empty or too weak, the
UPS sees a transient and its battery carries the rest. The draw is steered by `devices.prediction.flywheel_schedule`,
the same for every row; only what is expected of the next two minutes differs: nothing changes, the mean of the last
five minutes, an autoregression, an echo-state network, that network only while it proves better than the mean, and
the truth. Every model learns as it goes, from nothing. The rotor is also tried at a half and a quarter of its inertia:
a forecast is worth most where the flywheel is small. Load and draw are positive numbers; W, Wh, s.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from devices.models.flywheel import Flywheel
from devices.models.model import Surroundings
from devices.prediction.flywheel_schedule import FeedRules, Wheel, draw_w, wheel_w
from devices.prediction.power_forecast import (
    Autoregression,
    EchoStatePower,
    Persistence,
    PowerForecaster,
    Proven,
    RunningMean,
)
from sim.grid.measured import RackRun
from sim.grid.result import Chart, Figure, Result
from sim.grid.system import Floats

GROUPS = 4
RAMP_PER_MINUTE = 0.1
WINDOWS_S = (10.0, 30.0, 120.0)
MEAN_S = 300.0
ROTORS = (1.0, 0.5, 0.25)
"""Parts of the inertia of a flywheel of 5.6 kWh; the electronics stay as they are."""
TRANSIENT_PART = 0.1
"""A change of the UPS's load by this part of the rated one from one reading to the next."""
NAMES = (
    "no flywheel",
    "nothing changes",
    "running mean",
    "autoregression",
    "echo state",
    "proven echo state",
    "truth",
)


@dataclass(slots=True)
class _Site:
    """What happened on one run through a trace."""

    ups_w: Floats
    drawn_w: Floats
    band_wh: float
    lowest: float = 1.0
    highest: float = 0.0


def data_centre(runs: tuple[RackRun, ...], seed: int) -> Result:
    """Play the runs one after the other with every rotor and every forecast. Deterministic in the seed."""
    step_s = runs[0].step_s
    load_w = GROUPS * np.concatenate([run.power_w for run in runs])
    windows = tuple(round(seconds / step_s) for seconds in WINDOWS_S)
    expected = _expected(load_w, windows, round(MEAN_S / step_s), seed)
    alone = _play(load_w, None, Flywheel(step_s=step_s))
    rows = [_row(NAMES[0], load_w, alone, None, expected["truth"], step_s)]
    sites: dict[tuple[float, str], _Site] = {}
    for part in ROTORS:
        wheel = replace(Flywheel(step_s=step_s), inertia_kg_m2=part * Flywheel().inertia_kg_m2)
        for name in NAMES[1:]:
            sites[part, name] = _play(load_w, expected[name], wheel)
            rows.append(_row(name, load_w, sites[part, name], expected[name], expected["truth"], step_s))
    return Result(
        scenario="data-centre",
        title="A data centre's transients with a flywheel, with and without a forecast",
        assumptions={
            "hours": round(load_w.size * step_s / 3600, 3),
            "runs": len(runs),
            "rated_kw": round(float(load_w.max()) / 1000, 1),
            "groups_in_step": GROUPS,
            "ramp_of_rated_per_minute": RAMP_PER_MINUTE,
            "flywheel_kw": Flywheel().discharge_w / 1000,
            "transient_part_of_rated": TRANSIENT_PART,
            "data": "MLCommons, MLPerf Training v4.0 (Apache-2.0)",
            "seed": seed,
        },
        rows=tuple(rows),
        checks={
            "the draw from the feed never changed faster than the ramp": all(
                float(np.abs(np.diff(site.drawn_w)).max()) <= _ramp_w_per_s(load_w) * step_s + 1e-6
                for site in sites.values()
            ),
            "with a flywheel the battery never cycles more": all(
                float(row["battery_cycled_kwh"] or 0) <= float(rows[0]["battery_cycled_kwh"] or 0)
                for row in rows
            ),
        },
        charts=(_chart(load_w, sites, step_s),),
    )


def _expected(load_w: Floats, windows: tuple[int, ...], mean_length: int, seed: int) -> dict[str, Floats]:
    """What each forecaster says after every reading: readings x windows. The truth knows the rest of the trace."""
    rated_w = float(load_w.max())
    makers: dict[str, Callable[[], PowerForecaster]] = {
        "nothing changes": lambda: Persistence(windows),
        "running mean": lambda: RunningMean(windows, mean_length),
        "autoregression": lambda: Autoregression(windows, rated_w),
        "echo state": lambda: EchoStatePower(windows, rated_w, seed),
        "proven echo state": lambda: Proven(
            EchoStatePower(windows, rated_w, seed), RunningMean(windows, mean_length), windows
        ),
    }
    found: dict[str, Floats] = {}
    for name, make in makers.items():
        forecaster = make()
        said = np.empty((load_w.size, len(windows)))
        for index, power_w in enumerate(load_w.tolist()):
            forecaster.observe(power_w)
            said[index] = forecaster.expected_w()
        found[name] = said
    sums = np.concatenate([[0.0], np.cumsum(load_w)])
    now = np.arange(load_w.size)
    ends = [np.minimum(now + 1 + length, load_w.size) for length in windows]
    found["truth"] = np.column_stack(
        [
            np.where(end > now + 1, (sums[end] - sums[now + 1]) / np.maximum(end - now - 1, 1), load_w)
            for end in ends
        ]
    )
    return found


def _play(load_w: Floats, expected_w: Floats | None, model: Flywheel) -> _Site:
    """One run through the trace; without expectations there is no flywheel, and the draw follows the load."""
    step_s = model.step_s
    band_wh = model.highest_wh - model.lowest_wh
    state = model.begin(None)
    around = Surroundings(cell_ns=0)
    rules = FeedRules(_ramp_w_per_s(load_w), WINDOWS_S[-1])
    drawn = float(load_w[0])
    site = _Site(np.empty(load_w.size), np.empty(load_w.size), band_wh)
    for index, load in enumerate(load_w.tolist()):
        status = model.status(state, around)
        stored_wh = status.stored_wh or 0.0
        wheel = Wheel(stored_wh, band_wh, status.possible.maximum_w, -status.possible.minimum_w)
        given_w = 0.0
        if expected_w is None:
            drawn = draw_w(load, Wheel(0.0, 0.0, 0.0, 0.0), drawn, rules, step_s)
        else:
            # What was said after the reading before: nobody steers by what is measured later.
            said_w = float(expected_w[max(0, index - 1), -1])
            drawn = draw_w(said_w, wheel, drawn, rules, step_s)
            state, flow = model.step(state, wheel_w(load, drawn, wheel), around, step_s)
            given_w = flow.terminal_w
            part = (model.status(state, around).stored_wh or 0.0) / band_wh
            site.lowest, site.highest = min(site.lowest, part), max(site.highest, part)
        site.ups_w[index], site.drawn_w[index] = load - given_w, drawn
    return site


def _ramp_w_per_s(load_w: Floats) -> float:
    return RAMP_PER_MINUTE * float(load_w.max()) / 60


def _row(
    name: str, load_w: Floats, site: _Site, expected: Floats | None, truth: Floats, step_s: float
) -> dict[str, Figure]:
    changes_w = np.abs(np.diff(site.ups_w))
    battery_w = site.ups_w - site.drawn_w
    errors: list[Figure] = [None] * len(WINDOWS_S)
    if expected is not None:
        squares = np.mean((expected - truth) ** 2, axis=0)
        errors = [round(float(error) / 1000, 3) for error in np.sqrt(squares)]
    return {
        "expects": name,
        "flywheel_kwh": None if expected is None else round(site.band_wh / 1000, 2),
        **{f"error_{seconds:g}s_kw": error for seconds, error in zip(WINDOWS_S, errors, strict=True)},
        "ups_transients": int((changes_w > TRANSIENT_PART * float(load_w.max())).sum()),
        "largest_ups_step_kw": round(float(changes_w.max()) / 1000, 2),
        "battery_cycled_kwh": round(float(np.abs(battery_w).sum()) * step_s / 3600 / 1000 / 2, 3),
        "lowest_wheel": None if expected is None else round(site.lowest, 3),
        "highest_wheel": None if expected is None else round(site.highest, 3),
    }


def _chart(load_w: Floats, sites: dict[tuple[float, str], _Site], step_s: float) -> Chart:
    shown = slice(0, round(1800 / step_s))
    minutes = (np.arange(load_w.size, dtype=np.float64) * step_s / 60)[shown]
    lines = [("load", minutes, load_w[shown] / 1000)]
    lines += [
        (f"at the UPS: {name}", minutes, sites[ROTORS[-1], name].ups_w[shown] / 1000)
        for name in ("nothing changes", "running mean", "echo state", "truth")
    ]
    return Chart("The first half hour with the smallest rotor", "minutes", "kW", tuple(lines))
