"""What the daemon has asked for and how long it holds: heartbeat, positions, limits and mode.

Everything but the mode is a lease in real time. When the leases run out nothing is allowed that was not
allowed without them: no heartbeat means the safe state, no position means none, and limits revert to what
their lease says.
"""

from devices.leases import Accepted, Answer, Lease, Refused, judge
from devices.limits import PowerRange
from devices.messages.control_messages import (
    ChangeMode,
    Downward,
    GrantActivation,
    GrantArming,
    GrantEmergency,
    GrantLimits,
    GrantPosition,
    Heartbeat,
    Mode,
    Position,
)
from devices.response.fast_response import Activation, Arming

NS_PER_S = 1_000_000_000
LONGEST_HEARTBEAT_NS = 30 * NS_PER_S
"""A dead daemon may look alive for so long at most."""
LONGEST_POSITION_NS = 2 * 86_400 * NS_PER_S
"""Positions come at most a day ahead."""
LONGEST_LIMITS_NS = 7 * 86_400 * NS_PER_S
"""A limit's end is known at most a week ahead; the reversion holds afterwards."""
MOST_POSITIONS = 128
"""A day of quarter hours ahead, and some."""
LONGEST_ARMING_NS = 3_600 * NS_PER_S
"""A service that nobody renews for an hour is nobody's any more."""
MOST_ARMED = 8
"""Services that one site offers at a time."""
LONGEST_EMERGENCY_NS = 2 * 86_400 * NS_PER_S
"""A declared emergency ends, unless the cell goes on declaring it, with the interval that a block was about."""
MOST_ACTIVATIONS = 32
"""Requests that act at a time."""


class Mandate:
    """The leases and the mode in force."""

    def __init__(self, mode: Mode, limits: PowerRange | None) -> None:
        """`limits` hold until the first lease on them."""
        self.mode = mode
        self._fallback_limits = limits
        self._heartbeat: Lease[bool] | None = None
        self._limits: Lease[PowerRange] | None = None
        self._positions: dict[int, Lease[Position | None]] = {}
        self._armings: dict[str, Lease[Arming | None]] = {}
        self._activations: dict[str, Lease[Activation | None]] = {}
        self._emergency: Lease[bool] | None = None

    def offer(
        self,
        message: Heartbeat
        | GrantPosition
        | GrantLimits
        | GrantArming
        | GrantActivation
        | GrantEmergency
        | ChangeMode,
        now_ns: int,
    ) -> Answer:
        """Take what the daemon says, or say why not."""
        if isinstance(message, ChangeMode):
            self.mode = message.mode
            return Accepted()
        if isinstance(message, GrantArming):
            return self._offer_arming(message.lease, now_ns)
        if isinstance(message, GrantActivation):
            return self._offer_activation(message.lease, now_ns)
        if isinstance(message, GrantPosition):
            return self._offer_position(message.lease, now_ns)
        if isinstance(message, GrantEmergency):
            return self._offer_emergency(message.lease, now_ns)
        if isinstance(message, GrantLimits):
            answer = judge(self._limits, message.lease, now_ns, LONGEST_LIMITS_NS)
            if isinstance(answer, Accepted):
                self._limits = message.lease
            return answer
        answer = judge(self._heartbeat, message.lease, now_ns, LONGEST_HEARTBEAT_NS)
        if isinstance(answer, Accepted):
            self._heartbeat = message.lease
        return answer

    def alive(self, now_ns: int) -> bool:
        """Whether a daemon may use the hardware now."""
        return self._heartbeat is not None and self._heartbeat.active(now_ns) and self._heartbeat.value

    def lost(self, now_ns: int) -> bool:
        """Whether there was a daemon and its heartbeat has run out."""
        return self._heartbeat is not None and not self.alive(now_ns)

    def position(self, interval: int, now_ns: int) -> Position | None:
        """The position of an interval while its lease runs."""
        lease = self._positions.get(interval)
        return None if lease is None else lease.at(now_ns)

    def armed(self, now_ns: int) -> tuple[Arming, ...]:
        """The services whose arming runs now, by name."""
        armings = (self._armings[name].at(now_ns) for name in sorted(self._armings))
        return tuple(each for each in armings if each is not None)

    def activations(self, now_ns: int) -> tuple[Activation, ...]:
        """The requests that act now, by id."""
        found = (self._activations[name].at(now_ns) for name in sorted(self._activations))
        return tuple(each for each in found if each is not None)

    def declared(self, now_ns: int) -> bool:
        """Whether the cell's declared emergency runs now."""
        return self._emergency is not None and self._emergency.at(now_ns)

    def limits(self, now_ns: int) -> PowerRange | None:
        """What the connection may carry by lease; None if it never was limited."""
        return self._fallback_limits if self._limits is None else self._limits.at(now_ns)

    def limits_to_save(self) -> PowerRange | None:
        """The limits that a restarted control process begins with: what holds once every lease has ended."""
        return self._fallback_limits if self._limits is None else self._limits.reversion

    def standing(self) -> tuple[Downward, ...]:
        """Everything that was granted, as the messages that granted it, for a successor to judge again."""
        return (
            *(() if self._heartbeat is None else (Heartbeat(self._heartbeat),)),
            *(() if self._limits is None else (GrantLimits(self._limits),)),
            *(GrantPosition(lease) for lease in self._positions.values()),
            *(GrantArming(lease) for lease in self._armings.values()),
            *(GrantActivation(lease) for lease in self._activations.values()),
            *(() if self._emergency is None else (GrantEmergency(self._emergency),)),
        )

    def _offer_position(self, lease: Lease[Position | None], now_ns: int) -> Answer:
        if lease.value is None or lease.reversion is not None:
            return Refused("a position lease grants a position and reverts to none")
        interval = lease.value.interval
        answer = judge(self._positions.get(interval), lease, now_ns, LONGEST_POSITION_NS)
        if isinstance(answer, Refused):
            return answer
        self._positions = {key: held for key, held in self._positions.items() if held.expires_ns > now_ns}
        if len(self._positions) >= MOST_POSITIONS:
            return Refused(f"more than {MOST_POSITIONS} positions")
        self._positions[interval] = lease
        return answer

    def _offer_arming(self, lease: Lease[Arming | None], now_ns: int) -> Answer:
        if lease.value is None or lease.reversion is not None:
            return Refused("an arming lease arms a service and reverts to none")
        if not (lease.value.up_w >= 0 and lease.value.down_w >= 0):
            return Refused("armed power is at least 0 both ways")
        name = lease.value.curve.name
        answer = judge(self._armings.get(name), lease, now_ns, LONGEST_ARMING_NS)
        if isinstance(answer, Refused):
            return answer
        self._armings = {key: held for key, held in self._armings.items() if held.expires_ns > now_ns}
        if name not in self._armings and len(self._armings) >= MOST_ARMED:
            return Refused(f"more than {MOST_ARMED} armed services")
        self._armings[name] = lease
        return answer

    def _offer_activation(self, lease: Lease[Activation | None], now_ns: int) -> Answer:
        if lease.value is None or lease.reversion is not None:
            return Refused("an activation lease activates a share and reverts to none")
        request = lease.value.request
        answer = judge(self._activations.get(request), lease, now_ns, LONGEST_ARMING_NS)
        if isinstance(answer, Refused):
            return answer
        self._activations = {key: held for key, held in self._activations.items() if held.expires_ns > now_ns}
        if request not in self._activations and len(self._activations) >= MOST_ACTIVATIONS:
            return Refused(f"more than {MOST_ACTIVATIONS} requests")
        self._activations[request] = lease
        return answer

    def _offer_emergency(self, lease: Lease[bool], now_ns: int) -> Answer:
        if lease.reversion:
            return Refused("an emergency lease reverts to none")
        answer = judge(self._emergency, lease, now_ns, LONGEST_EMERGENCY_NS)
        if isinstance(answer, Accepted):
            self._emergency = lease
        return answer
