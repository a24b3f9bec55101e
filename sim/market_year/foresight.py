"""The bound: the least that the homes could pay together if every reading and price were known in advance.

A linear program solved by HiGHS. The homes are one community behind one meter, and their equal batteries are one of
the size of all: any plan of the one can be split into equal shares that respect each battery's limits, and any plans
of the many add up to one of the one, so nothing is lost by the sum. Losses are the exact square root of the round
trip each way and energy is not rounded, so no play of the integers can pay less. Batteries start empty, and what is
left in them at the end is worth nothing, as in the simulation. Energies in kWh inside, injection positive.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.optimize import linprog
from scipy.sparse import csr_array, eye_array, hstack, vstack

from sim.homes.neighbourhood import CHALLENGE_BATTERY, MICRO_PER_UNIT, MWH_PER_KWH
from sim.market_year.world import World

FloatArray = npt.NDArray[np.float64]


class UnsolvedError(RuntimeError):
    """HiGHS found no optimum; the message is its own."""


@dataclass(frozen=True, slots=True, eq=False)
class Foresight:
    """The least bill, in currency units, and one plan that has it: kWh per interval over the grid connection."""

    bill: float
    grid_import: FloatArray
    grid_export: FloatArray
    discharged: float


def foresight(world: World, net: npt.NDArray[np.int64]) -> Foresight:
    """The bound for the community whose net energies without batteries are `net` (mWh). Raises UnsolvedError."""
    count = world.intervals
    surplus = net / MWH_PER_KWH
    recorded = np.array([world.recorded(interval) for interval in range(count)])
    buy = world.import_price[recorded] / MICRO_PER_UNIT
    sell = world.export_price[recorded] / MICRO_PER_UNIT
    owners = int(world.battery.sum())
    limit = owners * CHALLENGE_BATTERY.power * world.interval_s / 3600 / MWH_PER_KWH
    capacity = owners * CHALLENGE_BATTERY.energy / MWH_PER_KWH
    one_way = (CHALLENGE_BATTERY.efficiency_per_mille / 1000) ** 0.5
    one, before, nothing = eye_array(count), eye_array(count, k=-1), csr_array((count, count))
    # The columns are charge, discharge, import, export and what is stored after the interval.
    balance = hstack([one, -one, -one, one, nothing])
    storage = hstack([-one_way * one, one / one_way, nothing, nothing, one - before])
    solved = linprog(
        np.concatenate([np.zeros(2 * count), buy, -sell, np.zeros(count)]),
        A_eq=vstack([balance, storage]).tocsc(),
        b_eq=np.concatenate([surplus, np.zeros(count)]),
        bounds=[(0, limit)] * (2 * count) + [(0, None)] * (2 * count) + [(0, capacity)] * count,
        method="highs-ds",
    )
    if not solved.success:
        raise UnsolvedError(f"{world.source}: the linear program of the bound: {solved.message}")
    _, discharge, grid_import, grid_export, _ = np.split(solved.x, 5)
    return Foresight(float(solved.fun), grid_import, grid_export, float(discharge.sum()))
