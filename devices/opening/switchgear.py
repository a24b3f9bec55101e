"""Shell: what a site sees of the grid, and what closes: real switchgear, or a simulated one, or a profile alone."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from devices.cell_clock import Instant
from devices.configuration.control_config import ControlConfig
from devices.der import GridMeter
from devices.grid_profile import GridProfile
from devices.resilience.switchgear import Switchgear
from devices.simulated.grid import SimulatedGridMeter
from devices.simulated.island import SimulatedIsland

NS_PER_MS = 1_000_000
FIRST_ANSWER_S = 2.0
"""How long control waits in the beginning, so that switchgear that is there is not reported as silent."""


@dataclass(frozen=True, slots=True)
class GridSide:
    """What measures the grid and what closes, None where nothing does; `energised`: whether the bus is alive."""

    meter: GridMeter | None
    switchgear: Switchgear | None
    energised: Callable[[], bool]


@contextmanager
def grid_side(
    config: ControlConfig, profile: GridProfile | None, clock: Callable[[], Instant]
) -> Iterator[GridSide]:
    """The grid's side of a site while control runs; real switchgear is told its last order in the end."""
    if config.switchgear is None:
        yield _simulated(config, profile, clock)
        return
    # Imported here, because it takes a tenth of a second that a node without real switchgear can save.
    from devices.modbus.link import ModbusLink
    from devices.switchgear.driver import ModbusSwitchgear

    found = config.switchgear
    link = ModbusLink(found.host, found.port, found.unit, found.timeout_ms / 1000)
    real = ModbusSwitchgear(found, link, clock, config.reading_age_ms * NS_PER_MS)
    try:
        real.refresh(FIRST_ANSWER_S)
        yield GridSide(real, real, real.energised)
    finally:
        real.close()


def _simulated(config: ControlConfig, profile: GridProfile | None, clock: Callable[[], Instant]) -> GridSide:
    if profile is None:
        return GridSide(None, None, lambda: True)
    if config.forming is None:
        return GridSide(SimulatedGridMeter(profile), None, lambda: True)
    island = SimulatedIsland(profile)
    return GridSide(island, island, lambda: island.energised(clock()))
