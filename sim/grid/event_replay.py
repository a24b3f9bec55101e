"""Scenario: measured disturbances played to a fleet of homes: what each service delivers, and how far from its curve.

The frequency is what was measured, so the homes change nothing of it: this shows compliance, not benefit. Between two
readings of a second the frequency is a straight line. A fleet complies at a moment if what it gives lies between the
least and the most that its curve has asked within the service's time to full delivery; the distance from there is the
deviation, per unit of what is armed. Hz, s; injection positive.
"""

from itertools import pairwise

import numpy as np

from devices.response.response_curve import Effect, Quantity, ResponseCurve
from sim.grid.curves import responses
from sim.grid.result import Chart, Figure, Result
from sim.grid.swarm import Fleet, FleetRules
from sim.grid.system import Floats

STEP_S = 0.1
HOMES = 500
NOMINAL_HZ = 50.0
SETTLING_S = 0.7
"""Besides the service's own time: a cycle of 0.1 s, a delay of at most 0.2 s, and eight lags of 0.05 s."""
BOUND_PU = 0.01
"""Of what is armed; besides, noise moves a fleet by at most its size times the steepest slope of the curve."""

EDGE_HZ = 1e-6
SMALL_STEP = 1e-3
"""A smaller one at the edge of a dead band is no jump."""


def event_replay(
    events: dict[str, Floats], curves: tuple[ResponseCurve, ...], seed: int, rules: FleetRules | None = None
) -> Result:
    """Play every event to a fleet armed for each service that is for a grid of 50 Hz. Deterministic in the seed."""
    rules = rules or FleetRules(homes=HOMES)
    chosen = [curve for curve in curves if answers_frequency(curve)]
    rows: list[dict[str, Figure]] = []
    lines = []
    frequency = []
    for event, hz in events.items():
        time_s = np.arange(round((hz.size - 1) / STEP_S) + 1, dtype=np.float64) * STEP_S
        seen_hz = np.asarray(np.interp(time_s, np.arange(hz.size), _known(hz)), dtype=np.float64)
        frequency.append((event, time_s[::10], seen_hz[::10]))
        for curve in chosen:
            given = _delivered(curve, seen_hz, rules, seed)
            rows.append(_row(event, curve, seen_hz, given, rules))
            if not curve.mandatory:
                lines.append((f"{event} {curve.name}", time_s[::10], given[::10]))
    return Result(
        scenario="event-replay",
        title="Measured disturbances, and what a fleet of homes answers",
        assumptions={
            "homes": rules.homes,
            "control_cycle_s": rules.cycle_s,
            "largest_delay_s": rules.delay_s,
            "noise_hz": rules.noise_hz,
            "homes_lost": rules.lost,
            "energy_kwh_per_kw": rules.energy_kwh / rules.armed_kw,
            "attribution": "Supported by National Energy SO Open Data",
            "seed": seed,
        },
        rows=tuple(rows),
        checks={
            "who answers keeps its curve, but for noise, where it does not jump": all(
                float(row["worst_deviation_answering"] or 0.0)
                <= BOUND_PU + rules.noise_hz * (_steepest(curve) or 0.0)
                for row, curve in zip(rows, chosen * len(events), strict=True)
                if _steepest(curve) is not None
            ),
            "who is lost is all that is missing": all(
                float(row["worst_deviation"] or 0.0)
                <= rules.lost + (1 - rules.lost) * float(row["worst_deviation_answering"] or 0.0) + 1e-3
                for row in rows
            ),
        },
        charts=(
            Chart("Frequency as measured", "seconds", "Hz", tuple(frequency)),
            Chart("What the fleet gives", "seconds", "per unit of what is armed", tuple(lines)),
        ),
    )


def answers_frequency(curve: ResponseCurve) -> bool:
    """Whether a curve moves active power by a frequency around 50 Hz."""
    of_frequency = curve.quantity is Quantity.FREQUENCY and curve.effect is Effect.ACTIVE_POWER
    return of_frequency and curve.valid.holds(NOMINAL_HZ)


def _known(hz: Floats) -> Floats:
    """A missing second is the straight line between its neighbours: a replay has to go on."""
    seconds = np.arange(hz.size)
    known = ~np.isnan(hz)
    return np.asarray(np.interp(seconds, seconds[known], hz[known]), dtype=np.float64)


def _steepest(curve: ResponseCurve) -> float | None:
    """Per unit and Hz; None for a curve that jumps, where any noise decides between two powers."""
    corners = sorted({point.x for point in curve.points})
    if len(corners) < len(curve.points):
        return None
    if curve.dead_band is not None:
        edges = np.array([curve.dead_band.lowest - EDGE_HZ, curve.dead_band.highest + EDGE_HZ])
        if float(np.abs(responses(curve, edges)).max()) > SMALL_STEP:
            return None
    return max(abs((right.power - left.power) / (right.x - left.x)) for left, right in pairwise(curve.points))


def _delivered(curve: ResponseCurve, seen_hz: Floats, rules: FleetRules, seed: int) -> Floats:
    """What the whole fleet gives at each step, per unit of what all its homes are armed with."""
    fleet = Fleet(rules, curve, STEP_S, seed)
    powers_mw = [fleet.step(index, seen_hz) for index in range(seen_hz.size)]
    return np.asarray(powers_mw, dtype=np.float64) / fleet.nominal_mw


def _row(
    event: str, curve: ResponseCurve, seen_hz: Floats, given: Floats, rules: FleetRules
) -> dict[str, Figure]:
    asked = responses(curve, seen_hz)
    seconds = curve.full_activation_s + SETTLING_S
    lowest, highest = envelope(asked, round(seconds / STEP_S))
    peak = int(np.abs(given).argmax())
    return {
        "event": event,
        "service": curve.name,
        "lowest_hz": round(float(seen_hz.min()), 3),
        "steepest_hz_per_s": round(float((seen_hz[5:] - seen_hz[:-5]).min() / (5 * STEP_S)), 4),
        "asked_peak": round(float(asked[np.abs(asked).argmax()]), 4),
        "given_peak": round(float(given[peak]), 4),
        "given_kwh_per_kw": round(float(given.sum()) * STEP_S / 3600, 6),
        "worst_deviation": round(_outside(given, lowest, highest), 4),
        "worst_deviation_answering": round(_outside(given / (1 - rules.lost), lowest, highest), 4),
    }


def envelope(asked: Floats, steps: int) -> tuple[Floats, Floats]:
    """The least and the most asked within the last `steps` steps, at every step; before the start nothing was asked."""
    padded = np.concatenate([np.zeros(steps), asked])
    windows = np.lib.stride_tricks.sliding_window_view(padded, steps + 1)
    return windows.min(axis=1), windows.max(axis=1)


def _outside(given: Floats, lowest: Floats, highest: Floats) -> float:
    """The largest distance from the band."""
    return float(np.maximum(np.maximum(lowest - given, given - highest), 0.0).max())
