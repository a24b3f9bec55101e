"""What a node that expects trouble wishes of its batteries: to be between two states of charge, in time. W and Wh.

A wish like any other: it changes what self-consumption (or, where the owner says so, a position) asks for, and
everything above clips it. Batteries whose charge is unknown are no part of it. Injection positive.
"""

from dataclasses import dataclass

from devices.limits import PowerRange
from devices.power.reserve import SECONDS_PER_HOUR, BatteryInput


@dataclass(frozen=True, slots=True)
class Preparing:
    """Between which parts of their capacity the batteries are to be, and the most power to get there either way.

    `limit_w`: what the connection shall not draw beyond meanwhile (None: nothing of the kind). `before_position`: it
    goes before a market position.
    """

    lowest: float
    highest: float
    charge_w: float
    discharge_w: float
    limit_w: float | None = None
    before_position: bool = False


def prepared_w(
    wish_w: float,
    others_w: float,
    preparing: Preparing,
    batteries: tuple[BatteryInput, ...],
    horizon_s: float,
) -> float:
    """The power nearest to the wish that leads the batteries between the two states of charge and keeps them there.

    `others_w` is what everything but the batteries gives; a command may act for `horizon_s`, in which none of the two
    bounds is passed.
    """
    known = tuple(each for each in batteries if each.stored_wh is not None)
    if not known:
        return wish_w
    per_hour = SECONDS_PER_HOUR / horizon_s
    below_wh = sum(_fits_wh(each, preparing.lowest) for each in known)
    above_wh = sum(_gives_wh(each, preparing.highest) for each in known)
    if below_wh > 0:
        highest_w = -min(preparing.charge_w, below_wh * per_hour)
    else:
        highest_w = sum(_gives_wh(each, preparing.lowest) for each in known) * per_hour
    if above_wh > 0:
        lowest_w = min(preparing.discharge_w, above_wh * per_hour)
    else:
        lowest_w = -sum(_fits_wh(each, preparing.highest) for each in known) * per_hour
    # One battery may be too full while another is too empty: those that lack energy count.
    wanted_w = PowerRange(min(lowest_w, highest_w), highest_w).clip(wish_w)
    if preparing.limit_w is None:
        return wanted_w
    return max(wanted_w, -preparing.limit_w - others_w)


def _fits_wh(battery: BatteryInput, part: float) -> float:
    """Energy at the terminals until this part of the capacity is stored."""
    stored_wh = battery.stored_wh or 0.0
    return max(0.0, part * battery.capacity_wh - stored_wh) / battery.charge_efficiency


def _gives_wh(battery: BatteryInput, part: float) -> float:
    """Energy at the terminals until only this part of the capacity is stored."""
    stored_wh = battery.stored_wh or 0.0
    return max(0.0, stored_wh - part * battery.capacity_wh) * battery.discharge_efficiency
