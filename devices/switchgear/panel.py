"""What switchgear shows, believed or not, and what it may be told: the interlock of our own. A core.

Unknown is never permissive: what is not known closes nothing. V, Hz, degrees; voltage per unit of the nominal.
"""

from dataclasses import dataclass
from typing import TypeVar

from devices.image import GridImage, Reading
from devices.resilience.islanding import DEAD_PU
from devices.resilience.switchgear import SwitchOrder
from devices.resilience.synchronising import SyncLimits
from devices.switchgear.points import Measured, State
from devices.switchgear.section import SwitchgearConfig

LIMITS = SyncLimits()
HIGHEST_PU = 1.5
PLAUSIBLE_HZ = (40.0, 70.0)
MOST_DEGREES = 180.0

Believed = TypeVar("Believed")


class ImplausibleError(ValueError):
    """A reply that cannot be of this switchgear."""


@dataclass(frozen=True, slots=True)
class Panel:
    """What is known of both sides; None for what is not, or cannot be believed."""

    breaker_closed: bool | None = None
    forming: bool | None = None
    island_pu: float | None = None
    island_hz: float | None = None
    grid_pu: float | None = None
    grid_hz: float | None = None
    angle: float | None = None

    def image(self, real_ns: int) -> GridImage:
        """As control sees it."""

        def reading(value: float | None) -> Reading:
            return Reading.missing(real_ns) if value is None else Reading.of(value, real_ns)

        return GridImage(
            frequency_hz=reading(self.island_hz),
            voltage_pu=reading(self.island_pu),
            breaker_closed=self.breaker_closed,
            public_frequency_hz=reading(self.grid_hz),
            public_voltage_pu=reading(self.grid_pu),
            angle_degrees=reading(self.angle),
            forming=self.forming,
        )


UNKNOWN = Panel()


def panel_of(config: SwitchgearConfig, raws: dict[str, int]) -> Panel:
    """What raw values say, by the names of `SwitchgearConfig.points`. Raises ImplausibleError for another's reply."""
    identity = config.identity
    if identity is not None and raws["identity"] != identity.raw:
        raise ImplausibleError(f"its identity reads {raws['identity']} in place of {identity.raw}")

    def measured(name: str, point: Measured | None) -> float | None:
        return None if point is None else point.value(raws[name])

    def state(name: str, point: State) -> bool | None:
        return point.value(raws[name])

    breaker_closed = state("breaker", config.breaker)
    island_pu = _voltage(measured("island_voltage", config.island_v), config.nominal_v)
    grid_pu = _voltage(measured("grid_voltage", config.grid_v), config.nominal_v)
    if (
        breaker_closed
        and island_pu is not None
        and grid_pu is not None
        and (dead(island_pu) != dead(grid_pu))
    ):
        # A closed breaker makes one bus of two: when they differ, one of the three is wrong, and nobody knows which.
        breaker_closed = None
    angle = measured("angle", config.angle)
    return Panel(
        breaker_closed,
        state("former", config.former),
        island_pu,
        _frequency(measured("island_frequency", config.island_hz_measured), island_pu),
        grid_pu,
        _frequency(measured("grid_frequency", config.grid_hz), grid_pu),
        angle if angle is not None and abs(angle) <= MOST_DEGREES else None,
    )


def forbidden(order: SwitchOrder, panel: Panel) -> str:
    """Why an order must not be passed on; empty where it may be. What is on already is no new closing."""
    if order.form and panel.forming is not True:
        if panel.forming is None or panel.breaker_closed is None or panel.island_pu is None:
            return "former: breaker, former or the bus' voltage is unknown"
        if panel.breaker_closed or not dead(panel.island_pu):
            return "a former closes onto a dead bus only"
    if order.close_breaker and panel.breaker_closed is not True:
        return _why_apart(panel)
    return ""


def dead(voltage_pu: float) -> bool:
    """Whether nothing holds a bus."""
    return voltage_pu < DEAD_PU


def _why_apart(panel: Panel) -> str:
    """Why the breaker may not close now; empty where it may."""
    island_pu, grid_pu = panel.island_pu, panel.grid_pu
    if panel.breaker_closed is None or island_pu is None or grid_pu is None:
        return "breaker: its state or the voltage of a side is unknown"
    if dead(grid_pu):
        return "the public grid is dead, and nothing may be fed into it"
    if dead(island_pu):
        return ""
    if panel.island_hz is None or panel.grid_hz is None or panel.angle is None:
        return "breaker: the frequency of a side or the angle is unknown"
    if abs(panel.island_hz - panel.grid_hz) > LIMITS.frequency_hz:
        return "the frequencies differ too much"
    if abs(island_pu - grid_pu) > LIMITS.voltage_pu:
        return "the voltages differ too much"
    return "" if abs(panel.angle) <= LIMITS.angle_degrees else "the angle is too large"


def _voltage(volts: float | None, nominal_v: float) -> float | None:
    if volts is None or not 0 <= volts <= HIGHEST_PU * nominal_v:
        return None
    return volts / nominal_v


def _frequency(hz: float | None, voltage_pu: float | None) -> float | None:
    """Of a bus that something holds; a dead one has none."""
    if hz is None or voltage_pu is None or dead(voltage_pu):
        return None
    return hz if PLAUSIBLE_HZ[0] <= hz <= PLAUSIBLE_HZ[1] else None
