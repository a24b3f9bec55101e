"""The owner's reserve: how far a battery may be discharged and charged for anyone else. W and Wh, injection
positive.

A command can act for a while after control has died, so a layer allows only the power that could be held for
this whole while (`horizon_s`, cell time) without passing a bound. Thus the reserve holds even if nobody looks
again.
"""

from dataclasses import dataclass

from devices.limits import NOTHING, PowerRange

SECONDS_PER_HOUR = 3600.0


@dataclass(frozen=True, slots=True)
class BatteryInput:
    """What dispatch knows of one battery in one cycle.

    `minimum_w` (at most 0) to `maximum_w` is what it could do now; `built` is its nameplate where taper, temperature
    or its health leave less than that (None: nothing does). `stored_wh` is None while the state of charge is
    missing, stale or invalid; `reserve_wh` is the owner's; `reversion_w` the power of its safe state.
    `reserve_released` is true in a real outage and when the owner says so, and only then. `for_services` is false where
    the owner lets no service of the dso use it.
    """

    name: str
    minimum_w: float
    maximum_w: float
    capacity_wh: float
    charge_efficiency: float
    discharge_efficiency: float
    reserve_wh: float
    reversion_w: float
    stored_wh: float | None
    reserve_released: bool = False
    built: PowerRange | None = None
    for_services: bool = True

    @property
    def nameplate(self) -> PowerRange:
        """What it is built for, whatever it could do now."""
        return PowerRange(self.minimum_w, self.maximum_w) if self.built is None else self.built

    @property
    def floor_wh(self) -> float:
        """What stays stored: the owner's reserve, unless it is released."""
        return 0.0 if self.reserve_released else self.reserve_wh

    @property
    def chargeable_wh(self) -> float | None:
        """Energy at the terminals until full; None while the state of charge is unknown."""
        if self.stored_wh is None:
            return None
        return max(0.0, self.capacity_wh - self.stored_wh) / self.charge_efficiency

    def dischargeable_wh(self, floor_wh: float) -> float | None:
        """Energy at the terminals until only `floor_wh` is stored; None while the charge is unknown."""
        if self.stored_wh is None:
            return None
        return max(0.0, self.stored_wh - floor_wh) * self.discharge_efficiency


def protected(battery: BatteryInput, horizon_s: float) -> PowerRange:
    """Within what it could do now, neither beyond full nor beyond empty; nothing while the state of charge is
    unknown.
    """
    chargeable_wh = battery.chargeable_wh
    dischargeable_wh = battery.dischargeable_wh(0.0)
    if chargeable_wh is None or dischargeable_wh is None:
        return NOTHING
    return PowerRange(
        max(battery.minimum_w, -chargeable_wh * SECONDS_PER_HOUR / horizon_s),
        min(battery.maximum_w, dischargeable_wh * SECONDS_PER_HOUR / horizon_s),
    )


def reserved(battery: BatteryInput, horizon_s: float) -> PowerRange:
    """No discharge into the reserve, and none at all while the state of charge is unknown; charging stays
    free.
    """
    dischargeable_wh = battery.dischargeable_wh(battery.floor_wh)
    if dischargeable_wh is None:
        return PowerRange(battery.minimum_w, 0.0)
    return PowerRange(
        battery.minimum_w, min(battery.maximum_w, dischargeable_wh * SECONDS_PER_HOUR / horizon_s)
    )
