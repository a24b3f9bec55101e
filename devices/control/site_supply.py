"""What a site has and needs on an island, from the last cycle's record. W and Wh, at least 0.

The state machine of `devices.resilience.tiers` decides by it which tiers are served. One cycle old is fresh enough:
what is shed goes at once, what is restored waits for minutes.
"""

from dataclasses import replace

from devices.dispatch.cycle_record import CycleRecord
from devices.messages.control_messages import Mode
from devices.resilience.islanding import GridReading
from devices.resilience.modes import OperatingMode
from devices.resilience.node_resilience import Resilience, Situation
from devices.resilience.tiers import Supply
from devices.tier import TIERS

Loads = tuple[float, float, float, float]


def situation_of(reading: GridReading, mode: Mode, before: Resilience, last: CycleRecord | None) -> Situation:
    """What a step looks at. Supply and loads count once a cycle of the outage has shown them: only its inputs know
    whether the owner's reserve is released.
    """
    situation = Situation(reading, stands_by=mode is not Mode.GRID_SUPPORT)
    if last is None or before.state.mode is not OperatingMode.EMERGENCY:
        return situation
    return replace(situation, supply=supply_of(last), loads_w=loads_of(last))


def supply_of(last: CycleRecord) -> Supply:
    """Power that batteries and sun can hold now, energy above the owners' reserves, and the sun as it shines now.

    The reserves, though released, are counted for nobody: so they are left for the critical tier, which no energy is
    asked of. A battery whose state of charge is unknown gives nothing, and neither does one that is empty.
    """
    stored_wh = power_w = 0.0
    for battery in last.inputs.batteries:
        if battery.dischargeable_wh(battery.floor_wh):
            stored_wh += battery.dischargeable_wh(battery.reserve_wh) or 0.0
            power_w += battery.maximum_w
    sun_w = sum(each.available_w or 0.0 for each in last.inputs.pv)
    return Supply(power_w + sun_w, stored_wh, sun_w)


def loads_of(last: CycleRecord) -> Loads:
    """What each tier would like to draw; what cannot be switched is served first of all."""
    needed_w = [0.0] * len(TIERS)
    for each in last.flexible:
        needed_w[each.rank] += -each.wanted_w
    needed_w[0] += must_run_w(last)
    critical, essential, normal, deferrable = needed_w
    return critical, essential, normal, deferrable


def must_run_w(last: CycleRecord) -> float:
    """What draws and cannot be switched."""
    drawn_w = sum(each.minimum_w if each.drawn_w is None else each.drawn_w for each in last.flexible)
    return max(0.0, drawn_w - last.inputs.load.minimum_w)
