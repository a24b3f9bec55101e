"""What control wishes for in a cycle: the position, self-consumption, or the safe state. Power W, energies mWh."""

from devices.cell_clock import Instant
from devices.control.mandate import Mandate
from devices.control.metering import Meter
from devices.control.service_meter import ServiceMeter
from devices.dispatch.dispatch import FollowPosition, NetToZero, SafeState, Wish
from devices.messages.control_messages import Mode

NS_PER_S = 1_000_000_000
MWH_PER_WH = 1000


def wish_of(mandate: Mandate, meter: Meter, services: ServiceMeter, now: Instant) -> Wish:
    """What the mandate lets control wish for at `now`; a position: what is left of it in what is left of its time."""
    if mandate.mode is not Mode.GRID_SUPPORT:
        return SafeState()
    position = mandate.position(meter.interval, now.real_ns)
    if position is not None:
        moved_wh = services.response_wh(meter.interval)  # the position is not to take it back
        remaining_wh = (position.energy - meter.net_energy) / MWH_PER_WH + moved_wh
        remaining_h = (meter.next_boundary - now.cell_ns) / NS_PER_S / 3600
        return FollowPosition(remaining_wh / remaining_h)
    return NetToZero() if mandate.alive(now.real_ns) else SafeState()
