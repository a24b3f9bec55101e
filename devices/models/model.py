"""What every device model is: frozen parameters, a state, and one pure step. W and Wh, injection positive.

A step's flows are mean powers and balance exactly: what comes from a source is given at the terminals, to the
load behind the device, as use or as loss, or is stored.
"""

from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from devices.der import Nameplate
from devices.limits import PowerRange

SECONDS_PER_HOUR = 3600.0
NS_PER_S = 1_000_000_000

State = TypeVar("State")


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What acts on a device from outside in one step: air, sun on a horizontal plane, wind at the hub, the
    mains, and cell time, from which daily habits follow.
    """

    cell_ns: int
    ambient_c: float = 20.0
    irradiance_w_m2: float = 0.0
    wind_m_s: float = 0.0
    mains: bool = True


@dataclass(frozen=True, slots=True)
class Flow:
    """Mean powers of one step in W.

    `terminal_w`: at the terminals, what a setpoint governs. `attached_w` (at most 0): what the load behind
    the device draws through it, which no setpoint governs. `source_w` (at least 0): from sun, wind, fuel, the
    air or a car that arrives. `useful_w` (at least 0): what people get. `loss_w` (at least 0). What is left
    is stored: source - terminal - attached - useful - loss.
    """

    terminal_w: float
    attached_w: float = 0.0
    source_w: float = 0.0
    useful_w: float = 0.0
    loss_w: float = 0.0

    @property
    def stored_w(self) -> float:
        """Mean power into what is stored."""
        return self.source_w - self.terminal_w - self.attached_w - self.useful_w - self.loss_w


@dataclass(frozen=True, slots=True)
class Status:
    """What a device can say of itself between two steps.

    `possible`: powers it could take now; of a flexible load from what it would like (`minimum_w`) to what it
    cannot put off any more (`maximum_w`). `stored_wh` and `state_of_charge` as in a device image; the rest as in
    its condition, current positive while discharging.
    """

    possible: PowerRange
    stored_wh: float | None = None
    state_of_charge: float | None = None
    temperature_c: float | None = None
    state_of_health: float | None = None
    volt: float | None = None
    ampere: float | None = None
    nominal_v: float | None = None


class Model(Protocol[State]):
    """One device. `wish_w` is what its kind says a setpoint is (see `devices.der.Der`)."""

    @property
    def nameplate(self) -> Nameplate:
        """What the device is built for."""
        ...

    @property
    def step_s(self) -> float:
        """The longest step that still shows what the device does."""
        ...

    def begin(self, stored_wh: float | None) -> State:
        """The first state; `stored_wh` is what it held when last seen, None if that is not known."""
        ...

    def step(self, state: State, wish_w: float, around: Surroundings, dt_s: float) -> tuple[State, Flow]:
        """Let `dt_s` (above 0) pass. Never outside the nameplate, never beyond full or empty."""
        ...

    def held_wh(self, state: State) -> float:
        """All the energy in the device that the flows account for."""
        ...

    def status(self, state: State, around: Surroundings) -> Status:
        """What the device says of itself."""
        ...


AnyModel = Model[Any]


def energy_wh(power_w: float, dt_s: float) -> float:
    """The energy of a mean power."""
    return power_w * dt_s / SECONDS_PER_HOUR


def power_w(energy_wh: float, dt_s: float) -> float:
    """The mean power of an energy."""
    return energy_wh * SECONDS_PER_HOUR / dt_s
