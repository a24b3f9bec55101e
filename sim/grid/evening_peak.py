"""Scenario: a street's winter evening with cars that charge, with and without a swarm that shaves the peak.

Measured London homes of half an hour on a low-voltage feeder of three branches; every third home charges a car with
7.4 kW from six to ten, which is assumed. Every second home has a battery. When the street draws more than the limit,
the excess is a request, and its shares are computed as every node does; well below the limit the batteries fill up
again. W and Wh, injection positive.
"""

import math
from dataclasses import dataclass

import numpy as np

from devices.swarm.shares import equalised
from devices.swarm.view import Member, Request, SwarmView
from market.units import MW_PER_W, MWH_PER_WH
from sim.grid.feeder_voltage import FeederNode, RadialFeeder
from sim.grid.result import Chart, Figure, Result
from sim.grid.system import Floats
from sim.homes.neighbourhood import Neighbourhood

HOMES, BRANCHES = 24, 3
INTERVALS = 48
NOMINAL_V = 400.0
SPAN_KM = 0.05
R_OHM_PER_KM, X_OHM_PER_KM = 0.642, 0.083
"""Cable NAYY 4x50, as in pandapower's standard types."""
POWER_FACTOR = 0.95
CAR_W, CAR_FROM_H, CAR_UNTIL_H = 7_400.0, 18.0, 22.0
LIMIT_PART = 0.8
"""The street's limit as part of the peak without a swarm."""
CHARGE_PART = 0.5
"""Batteries fill the street's draw up to this part of its limit."""
RESERVE = 0.2
ONE_WAY = 0.95


@dataclass(slots=True)
class _Battery:
    """A home's battery: stored energy in Wh."""

    home: int
    power_w: float
    capacity_wh: float
    stored_wh: float

    def member(self) -> Member:
        """As the swarm sees it."""
        above_wh = max(0.0, self.stored_wh - RESERVE * self.capacity_wh) * ONE_WAY
        room_wh = max(0.0, self.capacity_wh - self.stored_wh) / ONE_WAY
        return Member(
            id=f"home-{self.home:02}",
            branch="street",
            up_mw=int(self.power_w * MW_PER_W),
            down_mw=int(self.power_w * MW_PER_W),
            up_energy=int(above_wh * MWH_PER_WH),
            down_energy=int(room_wh * MWH_PER_WH),
            stored=int(self.stored_wh * MWH_PER_WH),
            capacity=int(self.capacity_wh * MWH_PER_WH),
        )

    def move(self, power_w: float, hours: float) -> None:
        """Give (or take) so much for so long."""
        self.stored_wh -= power_w * hours / ONE_WAY if power_w > 0 else power_w * hours * ONE_WAY


def evening_peak(neighbourhood: Neighbourhood) -> Result:
    """Play one day of the neighbourhood's `HOMES` homes, twice."""
    hours = neighbourhood.interval_s / 3600
    first = neighbourhood.history
    of_start_h: Floats = np.arange(INTERVALS, dtype=np.float64) * hours
    of_day_h = (of_start_h + neighbourhood.start_ns / 3.6e12) % 24
    load_w = np.array(
        [
            [energy / MWH_PER_WH / hours for energy in home.load[first : first + INTERVALS]]
            for home in neighbourhood.homes
        ]
    ).T
    charging = (of_day_h >= CAR_FROM_H) & (of_day_h < CAR_UNTIL_H)
    load_w[:, ::3] += CAR_W * charging[:, None]
    limit_w = LIMIT_PART * float(load_w.sum(axis=1).max())
    batteries = [
        _Battery(
            index, home.battery.power / 1000, home.battery.energy / 1000, 0.5 * home.battery.energy / 1000
        )
        for index, home in enumerate(neighbourhood.homes)
        if home.battery is not None
    ]
    shaved_w, lowest = _shave(load_w, limit_w, batteries, neighbourhood.interval_s)
    feeder = street()
    without, with_swarm = _voltages(feeder, load_w), _voltages(feeder, load_w - shaved_w)
    rows = (
        _row("without", load_w, without, limit_w, hours),
        _row("with", load_w - shaved_w, with_swarm, limit_w, hours),
    )
    return Result(
        scenario="evening-peak",
        title="A street's evening peak, with and without a swarm of batteries",
        assumptions={
            "homes": HOMES,
            "batteries": len(batteries),
            "cars": len(range(0, HOMES, 3)),
            "limit_kw": round(limit_w / 1000, 3),
            "reserve": RESERVE,
            "lowest_state_of_charge": round(lowest, 6),
            "data": f"{neighbourhood.source} {neighbourhood.season}",
        },
        rows=rows,
        checks={
            "no battery went below its owner's reserve": lowest >= RESERVE - 1e-6,
            "the swarm never raised the peak": float(rows[1]["peak_kw"] or 0)
            <= float(rows[0]["peak_kw"] or 0),
        },
        charts=(
            Chart(
                "What the street draws",
                "hours from the start",
                "kW",
                tuple(
                    (name, of_start_h, np.asarray(drawn.sum(axis=1) / 1000, dtype=np.float64))
                    for name, drawn in (("without", load_w), ("with", load_w - shaved_w))
                ),
            ),
            Chart(
                "The lowest voltage in the street",
                "hours from the start",
                "per unit",
                tuple(
                    (name, of_start_h, np.asarray(volts.min(axis=1), dtype=np.float64))
                    for name, volts in (("without", without), ("with", with_swarm))
                ),
            ),
        ),
    )


def street() -> RadialFeeder:
    """Three branches of homes along a cable."""
    per_branch = HOMES // BRANCHES
    return RadialFeeder(
        [
            FeederNode(
                f"home-{branch * per_branch + place:02}",
                f"home-{branch * per_branch + place - 1:02}" if place else None,
                R_OHM_PER_KM * SPAN_KM,
                X_OHM_PER_KM * SPAN_KM,
            )
            for branch in range(BRANCHES)
            for place in range(per_branch)
        ]
    )


def _shave(
    load_w: Floats, limit_w: float, batteries: list[_Battery], interval_s: int
) -> tuple[Floats, float]:
    """What the batteries inject in each interval and home, and the lowest state of charge."""
    injected_w = np.zeros_like(load_w)
    lowest = min((battery.stored_wh / battery.capacity_wh for battery in batteries), default=1.0)
    for moment, drawn_w in enumerate(load_w.sum(axis=1)):
        view = SwarmView(battery.member() for battery in batteries)
        # Above the limit the excess is given; far below it the batteries fill up again, and between they rest.
        excess_w = max(0.0, drawn_w - limit_w) + min(0.0, drawn_w - CHARGE_PART * limit_w)
        shares = equalised(view, Request("street", math.ceil(excess_w * MW_PER_W), interval_s))
        for battery in batteries:
            power_w = shares.of(f"home-{battery.home:02}") / MW_PER_W
            battery.move(power_w, interval_s / 3600)
            injected_w[moment, battery.home] = power_w
            lowest = min(lowest, battery.stored_wh / battery.capacity_wh)
    return injected_w, lowest


def _voltages(feeder: RadialFeeder, drawn_w: Floats) -> Floats:
    """Per unit of nominal; columns in the feeder's order."""
    order = [int(name.removeprefix("home-")) for name in feeder.names]
    active = -drawn_w[:, order]
    reactive = active * np.tan(np.arccos(POWER_FACTOR))
    return feeder.voltages_v(NOMINAL_V, active, reactive) / NOMINAL_V


def _row(name: str, drawn_w: Floats, voltages: Floats, limit_w: float, hours: float) -> dict[str, Figure]:
    street_w = drawn_w.sum(axis=1)
    return {
        "swarm": name,
        "peak_kw": round(float(street_w.max()) / 1000, 3),
        "hours_above_limit": round(float((street_w > limit_w + 1).sum()) * hours, 3),
        "energy_above_limit_kwh": round(float(np.maximum(street_w - limit_w, 0).sum()) * hours / 1000, 3),
        "lowest_voltage_pu": round(float(voltages.min()), 5),
    }
