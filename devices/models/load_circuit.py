"""Load circuits, AC or DC, switched as a whole or dimmed, in tiers. W, withdrawal negative.

A setpoint is the most the circuit may draw. A switched circuit that needs more than that is off; a dimmed one
goes down to its lowest level first. A retrofit switch or a smart plug is a switched circuit with the standby
of its relay.

Sources. Tiers: what the cell sheds first comes last in IEC 60364-8-1 (load shedding by priority). DC circuits
save the second conversion; 96 % for a central rectifier and 1 W of standby for a switch are the limits of
EU regulation 2019/1782 (external supplies) and 2023/826 (standby). Dimming: IEC 62386-102 drives the light
from 0.1 to 100 %; LED drivers' power is nearly linear in it, down to some 1 % of the full power.
"""

from dataclasses import dataclass

from devices.circuit_protection import Rating
from devices.der import Nameplate
from devices.image import CircuitReadings, Reading
from devices.limits import PowerRange
from devices.models.daily_use import DailyUse, hour_of_day, within
from devices.models.flexible_nameplate import flexible
from devices.models.model import Flow, Status, Surroundings
from devices.tier import Tier


@dataclass(frozen=True, slots=True)
class LoadCircuit:
    """Parameters. `use` at the loads; `efficiency` of the converter before them (1 for an AC circuit).

    `standby_w` is drawn while the circuit is off, as long as anything is allowed at all. `lowest_level`: the
    least part of the use that dimming reaches; 1 is a circuit that only switches. `rating`: what protection
    watches; None is unprotected. `faults`: spans of the day (from hour, to hour) with so many A more, A to earth
    and K more, as long as the circuit is on; their energy is not counted.
    """

    use: DailyUse
    tier: Tier = Tier.NORMAL
    efficiency: float = 1.0
    standby_w: float = 0.0
    lowest_level: float = 1.0
    rating: Rating | None = None
    volt: float = 230.0
    faults: tuple[tuple[float, float, float, float, float], ...] = ()
    step_s: float = 10.0

    @property
    def nameplate(self) -> Nameplate:
        """What the circuit draws at most."""
        return flexible(max(self.use.most_w / self.efficiency, 0.0) + self.standby_w)

    def begin(self, stored_wh: float | None) -> None:
        """A circuit has no state: whether it is on follows from use and limit."""

    def held_wh(self, state: None) -> float:
        """It stores nothing."""
        return 0.0

    def wanted_w(self, around: Surroundings) -> float:
        """What it would draw without a limit, at least 0."""
        return self.use.at(around.cell_ns) / self.efficiency + self.standby_w

    def status(self, state: None, around: Surroundings) -> Status:
        """What it would like; nothing that the tier does not say can be put off when power is short."""
        wanted_w = self.wanted_w(around)
        needed_w = 0.0 if self.tier is Tier.DEFERRABLE else wanted_w
        return Status(possible=PowerRange(-wanted_w, -needed_w))

    def readings(self, around: Surroundings, drawn_w: float, on: bool, real_ns: int) -> CircuitReadings:
        """What the circuit's sensors show.

        Conductors are 25 K above the air at the rated current, which is 80 % of what they bear, and 40 K at that. They
        warm over minutes, so what is beyond the rating shows in the thermal image and not here.
        """
        current_a, residual_a, temperature_c = drawn_w / self.volt, 0.0, around.ambient_c
        if self.rating is not None and self.rating.rated_a > 0:
            temperature_c += 25.0 * min(1.0, current_a / self.rating.rated_a) ** 2
        for begins, ends, more_a, to_earth_a, warmer_k in self.faults if on else ():
            if within(hour_of_day(around.cell_ns), begins, ends):
                current_a, residual_a = current_a + more_a, residual_a + to_earth_a
                temperature_c += warmer_k
        return CircuitReadings(
            Reading.of(current_a, real_ns),
            Reading.of(residual_a, real_ns),
            Reading.of(temperature_c, real_ns),
        )

    def step(self, state: None, wish_w: float, around: Surroundings, dt_s: float) -> tuple[None, Flow]:
        """On, dimmed, or off."""
        allowed_w = max(0.0, -wish_w)
        used_w = self.use.at(around.cell_ns)
        possible_w = min(used_w, (allowed_w - self.standby_w) * self.efficiency)
        if not around.mains or possible_w < used_w * self.lowest_level or used_w <= 0:
            idle_w = min(self.standby_w, allowed_w) if around.mains else 0.0
            return None, Flow(terminal_w=-idle_w, loss_w=idle_w)
        drawn_w = min(possible_w / self.efficiency + self.standby_w, allowed_w)
        return None, Flow(terminal_w=-drawn_w, useful_w=possible_w, loss_w=max(0.0, drawn_w - possible_w))
