"""The batteries of all homes as one array: a reservoir with losses each way, in whole mWh.

The model of devices/simulated/battery.py, with power held over an interval: what is charged at the terminals
is stored less the loss, what is given takes the loss out of the store too. Both losses are rounded up, so no energy
appears. Energies at the terminals are positive for giving and negative for taking.
"""

from math import isqrt

import numpy as np
import numpy.typing as npt

from sim.homes.neighbourhood import Battery

IntArray = npt.NDArray[np.int64]
MILLION = 1_000_000


class Batteries:
    """What is stored, mWh, in each home; nothing at the start, and a home without a battery never has any."""

    def __init__(self, owners: npt.NDArray[np.bool_], battery: Battery, interval_s: int) -> None:
        self.stored: IntArray = np.zeros(len(owners), np.int64)
        self.efficiency_ppm = battery.efficiency_per_mille * 1_000
        self._one_way_ppm = isqrt(self.efficiency_ppm * MILLION)
        self._capacity: IntArray = owners * np.int64(battery.energy)
        self._limit: IntArray = owners * np.int64(battery.power * interval_s // 3600)

    def most_charge(self) -> IntArray:
        """What each could take in one interval, >= 0."""
        room: IntArray = (self._capacity - self.stored) * MILLION // self._one_way_ppm
        most: IntArray = np.minimum(room, self._limit)
        return most

    def most_discharge(self) -> IntArray:
        """What each could give in one interval, >= 0."""
        most: IntArray = np.minimum(self.stored * self._one_way_ppm // MILLION, self._limit)
        return most

    def move(self, wanted: IntArray) -> IntArray:
        """Give (positive) or take what is wanted, as far as each can; returns what it was."""
        moved: IntArray = np.clip(wanted, -self.most_charge(), self.most_discharge())
        charged = np.maximum(-moved, 0) * self._one_way_ppm // MILLION
        # Rounded up, as the negative of a quotient that is rounded down.
        drained = -(np.maximum(moved, 0) * -MILLION // self._one_way_ppm)
        self.stored = self.stored + charged - drained
        return moved
