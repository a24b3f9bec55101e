"""Response curves over arrays: the values of `devices.response.response_curve`, for many frequencies at once."""

from itertools import pairwise

import numpy as np

from devices.response.response_curve import ResponseCurve
from sim.grid.system import Floats


def responses(curve: ResponseCurve, x: Floats) -> Floats:
    """The power per unit at each `x`, injection positive; 0 where x is not plausible, as a node does it."""
    corners = np.array([point.x for point in curve.points])
    powers = np.array([point.power for point in curve.points])
    values = np.interp(x, corners, powers)
    for left, right in pairwise(curve.points):
        if left.x == right.x:
            # At a jump the stronger response holds.
            values[x == left.x] = max(left.power, right.power, key=abs)
    inside = (x >= curve.valid.lowest) & (x <= curve.valid.highest)
    if curve.dead_band is not None:
        inside &= (x < curve.dead_band.lowest) | (x > curve.dead_band.highest)
    return np.where(inside, values, 0.0)
