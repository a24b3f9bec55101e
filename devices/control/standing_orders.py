"""What a daemon wants of control, as the leases that say so now. A core: both clocks are arguments.

`real_ns` is the machine's monotonic clock and `wall_ns` the unix time of the same moment. Energies are mWh.
"""

from collections.abc import Iterator
from itertools import count
from typing import TypeVar

from devices.cell_clock import ClockSpec
from devices.leases import Lease
from devices.limits import PowerRange
from devices.messages.control_messages import (
    ChangeMode,
    DeviceAccess,
    Downward,
    GrantActivation,
    GrantArming,
    GrantEmergency,
    GrantLimits,
    GrantPosition,
    Heartbeat,
    Mode,
    Position,
    SetAccess,
    SetReserve,
)
from devices.response.fast_response import Activation, Arming

Granted = TypeVar("Granted")

NS_PER_S = 1_000_000_000
HEARTBEAT_NS = 3 * NS_PER_S
"""How long the daemon counts as alive after its last heartbeat, which it renews three times as often (real time)."""


ARMING_NS = 10 * NS_PER_S
"""How long a service stays armed after its last renewal, which comes with every heartbeat (real time)."""


class StandingOrders:
    """Positions, limits and mode as last wanted; each can be said again with fresh leases after a
    reconnection.
    """

    def __init__(self, clock: ClockSpec, interval_s: int, issuer: str) -> None:
        """`issuer` is this daemon's name in leases, new with every start."""
        self._clock = clock
        self._interval_ns = interval_s * NS_PER_S
        self._issuer = issuer
        self._sequence = count(1)
        self._positions: dict[int, Position] = {}
        self._limits: tuple[PowerRange, PowerRange, int] | None = None
        self._mode: Mode | None = None
        self._access: SetAccess | None = None
        self._armings: dict[str, Arming] = {}
        self._activations: dict[str, tuple[Activation, int]] = {}
        self._reserves: dict[str, SetReserve] = {}
        self._emergency_ends_ns: int | None = None

    def heartbeat(self, real_ns: int) -> Heartbeat:
        """The daemon lives."""
        return Heartbeat(self._lease(True, False, real_ns, real_ns + HEARTBEAT_NS))

    def want_arming(self, arming: Arming, real_ns: int) -> Iterator[Downward]:
        """A service that is to be armed from now on; without power either way it is at nothing and runs out."""
        if arming.up_w == arming.down_w == 0:
            self._armings.pop(arming.curve.name, None)
        else:
            self._armings[arming.curve.name] = arming
        return iter((GrantArming(self._lease(arming, None, real_ns, real_ns + ARMING_NS)),))

    def want_activation(self, activation: Activation, real_ns: int, duration_ns: int) -> Iterator[Downward]:
        """This node's share of a request for a while, in place of what it was before."""
        self._activations[activation.request] = (activation, real_ns + duration_ns)
        return self._grant_activation(activation.request, real_ns)

    def armings(self, real_ns: int) -> Iterator[Downward]:
        """Every service that is to be armed, and every share of a request, as fresh leases: for each heartbeat."""
        for arming in self._armings.values():
            yield GrantArming(self._lease(arming, None, real_ns, real_ns + ARMING_NS))
        for request in list(self._activations):
            yield from self._grant_activation(request, real_ns)

    def want_position(self, position: Position, real_ns: int, wall_ns: int) -> Iterator[Downward]:
        """The position of an interval, granted until the interval's end; nothing when that is over."""
        self._positions[position.interval] = position
        return self._grant_position(position, real_ns, wall_ns)

    def want_limits(
        self, limits: PowerRange, reversion: PowerRange, real_ns: int, duration_ns: int
    ) -> Iterator[Downward]:
        """What the connection may carry for a while, and afterwards."""
        self._limits = (limits, reversion, real_ns + duration_ns)
        return self._grant_limits(real_ns)

    def want_emergency(self, real_ns: int, duration_ns: int) -> Iterator[Downward]:
        """The cell's declared emergency from now on for so long; no time at all ends it."""
        self._emergency_ends_ns = real_ns + duration_ns
        return self._grant_emergency(real_ns)

    def want_mode(self, mode: Mode) -> ChangeMode:
        """The mode from now on."""
        self._mode = mode
        return ChangeMode(mode)

    def want_access(self, devices: tuple[DeviceAccess, ...]) -> SetAccess:
        """What holds for devices from now on."""
        self._access = SetAccess(devices)
        return self._access

    def want_reserve(self, device: str, share: float) -> SetReserve:
        """The owner's reserve of a battery from now on."""
        self._reserves[device] = SetReserve(device, share)
        return self._reserves[device]

    def all(self, real_ns: int, wall_ns: int) -> Iterator[Downward]:
        """Everything that still holds; what is over is forgotten."""
        if self._mode is not None:
            yield ChangeMode(self._mode)
        if self._access is not None:
            yield self._access
        yield from self._reserves.values()
        yield from self._grant_limits(real_ns)
        yield from self._grant_emergency(real_ns)
        for position in list(self._positions.values()):
            yield from self._grant_position(position, real_ns, wall_ns)

    def _grant_position(self, position: Position, real_ns: int, wall_ns: int) -> Iterator[Downward]:
        end_wall_ns = self._clock.wall_ns((position.interval + 1) * self._interval_ns)
        for interval in [key for key in self._positions if key < position.interval - 1]:
            del self._positions[interval]
        if end_wall_ns > wall_ns:
            yield GrantPosition(self._lease(position, None, real_ns, real_ns + end_wall_ns - wall_ns))

    def _grant_activation(self, request: str, real_ns: int) -> Iterator[Downward]:
        activation, ends_ns = self._activations[request]
        if ends_ns <= real_ns:
            del self._activations[request]
            return
        expires_ns = min(ends_ns, real_ns + ARMING_NS)
        yield GrantActivation(self._lease(activation, None, real_ns, expires_ns))

    def _grant_limits(self, real_ns: int) -> Iterator[Downward]:
        if self._limits is None:
            return
        limits, reversion, expires_ns = self._limits
        if expires_ns > real_ns:
            yield GrantLimits(self._lease(limits, reversion, real_ns, expires_ns))
        else:
            yield GrantLimits(self._lease(reversion, reversion, real_ns, real_ns + NS_PER_S))

    def _grant_emergency(self, real_ns: int) -> Iterator[Downward]:
        ends_ns = self._emergency_ends_ns
        if ends_ns is None:
            return
        expires_ns = ends_ns if ends_ns > real_ns else real_ns + NS_PER_S
        yield GrantEmergency(self._lease(ends_ns > real_ns, False, real_ns, expires_ns))

    def _lease(self, value: Granted, reversion: Granted, real_ns: int, expires_ns: int) -> Lease[Granted]:
        return Lease(value, reversion, real_ns, expires_ns, self._issuer, next(self._sequence))
