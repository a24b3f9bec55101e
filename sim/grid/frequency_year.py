"""Scenario: a year of frequency service on measured frequency: how much a battery moves, and whether it can go on.

One battery of two hours, armed both ways with all its power, second by second on each service's curve. What it asks
of the battery's energy is booked minute by minute, and the battery recovers as a node does (`recovery_w`): slowly, only
below what its service must be able to sustain, and never against a response; once with that, and once without. The
owner's reserve lies below all of it. Per kW armed; injection positive.

There is no free continuous record of a year at one second in the repository. Without one of your own (`--frequency`)
the year is drawn by seed, with replacement, out of 22 hours of measured pieces, and each measured disturbance happens
once in it: what is rare but not in those hours is not in the year.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from devices.response.fast_response import RECOVERY_PART
from devices.response.response_curve import ResponseCurve
from sim.grid.curves import responses
from sim.grid.result import Chart, Figure, Result
from sim.grid.system import Floats

SERVICES = (
    "fcr-ce",
    "gb-dynamic-containment",
    "gb-dynamic-moderation",
    "gb-dynamic-regulation",
    "nordic-fcr-n",
)
DAY_S = 86_400
BLOCK_S = 60
CAPACITY_H = 2.5
RESERVE_H = 0.25
ONE_WAY = 0.95
START_H = 1.4


@dataclass(slots=True)
class _Battery:
    """Energy in hours of the armed power, and what happened to it."""

    stored_h: float = START_H
    lowest_h: float = START_H
    highest_h: float = START_H
    recovered_h: float = 0.0
    missed_h: float = 0.0
    ready_blocks: int = 0
    blocks: int = 0


@dataclass(frozen=True, slots=True)
class _Asked:
    """Per block of a minute: given and taken in hours of armed power, and the sign of the mean response."""

    given_h: Floats
    taken_h: Floats


def drawn_year(
    pieces: tuple[Floats, ...], events: dict[str, Floats], days: int, seed: int
) -> Iterator[Floats]:
    """`days` days of pieces in an order drawn by seed; every event replaces some minutes of a day of its own draw."""
    random = np.random.default_rng(seed)
    # As many events as there are days, each on a day of its own.
    chosen = random.choice(days, size=min(days, len(events)), replace=False).tolist()
    happening = dict(zip(chosen, events.values(), strict=False))
    rest = np.empty(0)
    for day in range(days):
        parts = [rest]
        size = rest.size
        while size < DAY_S:
            parts.append(pieces[int(random.integers(len(pieces)))])
            size += parts[-1].size
        joined = np.concatenate(parts)
        hz, rest = joined[:DAY_S].copy(), joined[DAY_S:]
        if day in happening:
            start = int(random.integers(DAY_S - happening[day].size))
            hz[start : start + happening[day].size] = happening[day]
        yield hz


def recorded(hz: Floats) -> Iterator[Floats]:
    """A record in days; what is left at the end in the last."""
    for start in range(0, hz.size, DAY_S):
        yield hz[start : start + DAY_S]


def frequency_year(
    days: Iterator[Floats], curves: tuple[ResponseCurve, ...], source: str, seed: int
) -> Result:
    """Serve every second of `days` with each curve, with and without recovery."""
    asked: dict[str, list[_Asked]] = {curve.name: [] for curve in curves}
    seconds = unknown = 0
    lowest_hz, highest_hz, squares = np.inf, -np.inf, 0.0
    for hz in days:
        seconds += hz.size
        known = hz[~np.isnan(hz)]
        unknown += hz.size - known.size
        if known.size:
            lowest_hz, highest_hz = min(lowest_hz, float(known.min())), max(highest_hz, float(known.max()))
            squares += float(((known - 50.0) ** 2).sum())
        for curve in curves:
            asked[curve.name].append(_asked(responses(curve, hz)))
    rows: list[dict[str, Figure]] = []
    lines = []
    for curve in curves:
        whole = _Asked(
            np.concatenate([each.given_h for each in asked[curve.name]]),
            np.concatenate([each.taken_h for each in asked[curve.name]]),
        )
        for recovers in (False, True):
            battery, trace = _serve(whole, curve, recovers)
            rows.append(_row(curve, recovers, whole, battery))
            if recovers:
                every = max(1, trace.size // 2000)
                hours = np.arange(trace.size, dtype=np.float64)[::every] / 60
                lines.append((curve.name, hours, trace[::every] / CAPACITY_H))
    with_recovery = [row for row in rows if row["recovers"]]
    return Result(
        scenario="frequency-year",
        title="Frequency service on measured frequency",
        assumptions={
            "days": round(seconds / DAY_S, 3),
            "source": source,
            "seconds_without_a_reading": unknown,
            "lowest_hz": round(lowest_hz, 4),
            "highest_hz": round(highest_hz, 4),
            "rms_deviation_mhz": round(1000 * float(np.sqrt(squares / max(1, seconds - unknown))), 2),
            "capacity_kwh_per_kw": CAPACITY_H,
            "reserve_kwh_per_kw": RESERVE_H,
            "one_way_efficiency": ONE_WAY,
            "recovery_part_of_armed": RECOVERY_PART,
            "seed": seed,
        },
        rows=tuple(rows),
        checks={
            "no battery went below its owner's reserve": all(
                float(row["lowest_state_of_charge"] or 0.0) >= RESERVE_H / CAPACITY_H - 1e-6 for row in rows
            ),
            "with recovery every service is delivered in full": all(
                float(row["delivered_part"] or 0.0) >= 1 - 1e-9 for row in with_recovery
            ),
        },
        charts=(Chart("State of charge with recovery", "hours", "part of capacity", tuple(lines)),),
    )


def _asked(power: Floats) -> _Asked:
    """The sums over each minute; a last, shorter one counts what it has."""
    padded = np.pad(power, (0, -power.size % BLOCK_S)).reshape(-1, BLOCK_S)
    return _Asked(np.maximum(padded, 0).sum(axis=1) / 3600, -np.minimum(padded, 0).sum(axis=1) / 3600)


def _serve(asked: _Asked, curve: ResponseCurve, recovers: bool) -> tuple[_Battery, Floats]:
    """Minute by minute; what the energy does not allow is missed."""
    battery = _Battery()
    needed_h = curve.duration_s / 3600
    trace = np.empty(asked.given_h.size)
    for index, (given_h, taken_h) in enumerate(
        zip(asked.given_h.tolist(), asked.taken_h.tolist(), strict=True)
    ):
        above_h = max(0.0, battery.stored_h - RESERVE_H) * ONE_WAY
        room_h = max(0.0, CAPACITY_H - battery.stored_h) / ONE_WAY
        battery.blocks += 1
        battery.ready_blocks += above_h >= needed_h and room_h >= needed_h
        wanted_h = recovery_h(above_h, room_h, needed_h) if recovers else 0.0
        if wanted_h * (given_h - taken_h) < 0:
            # Recovery never undoes a response.
            wanted_h = 0.0
        battery.recovered_h += abs(wanted_h)
        out_h = min(given_h + max(0.0, wanted_h), above_h)
        in_h = min(taken_h + max(0.0, -wanted_h), room_h)
        battery.missed_h += max(0.0, given_h - out_h) + max(0.0, taken_h - in_h)
        battery.stored_h += in_h * ONE_WAY - out_h / ONE_WAY
        battery.lowest_h = min(battery.lowest_h, battery.stored_h)
        battery.highest_h = max(battery.highest_h, battery.stored_h)
        trace[index] = battery.stored_h
    return battery, trace


def recovery_h(above_h: float, room_h: float, needed_h: float) -> float:
    """What recovery moves in a minute, in hours of armed power: `fast_response.recovery_w` for one armed kW."""
    missing_h = max(0.0, needed_h - room_h) - max(0.0, needed_h - above_h)
    fastest_h = RECOVERY_PART * BLOCK_S / 3600
    return min(max(missing_h, -fastest_h), fastest_h)


def _row(curve: ResponseCurve, recovers: bool, asked: _Asked, battery: _Battery) -> dict[str, Figure]:
    given_h, taken_h = float(asked.given_h.sum()), float(asked.taken_h.sum())
    return {
        "service": curve.name,
        "recovers": recovers,
        "given_kwh_per_kw": round(given_h, 3),
        "taken_kwh_per_kw": round(taken_h, 3),
        "full_cycles": round((given_h + taken_h) / 2 / CAPACITY_H, 2),
        "recovered_kwh_per_kw": round(battery.recovered_h, 3),
        "delivered_part": round(1 - battery.missed_h / max(given_h + taken_h, 1e-12), 6),
        "available_part": round(battery.ready_blocks / battery.blocks, 6),
        "lowest_state_of_charge": round(battery.lowest_h / CAPACITY_H, 4),
        "highest_state_of_charge": round(battery.highest_h / CAPACITY_H, 4),
    }
