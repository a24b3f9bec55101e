"""What members say of an outage: what the own meter sees of the public grid, and what a dso declares for the cell.

The interval of an observation's entry is the one it was said in, that of a declaration's the first one it holds for.
Times are cell time in ns. Encoding checks as decoding does; both raise `MalformedPayload`, and a decoded payload
encodes to what it came from.
"""

from dataclasses import dataclass
from enum import IntEnum
from typing import Final

from ledger.encoding import Value
from ledger.limits import ID_BYTES
from market.emergency.priority import Priority
from market.errors import MalformedPayload
from market.rules import MAX_POWER_MW

LATEST_INTERVAL: Final = 2**62


class Seen(IntEnum):
    """What a member's own meter shows at its connection: the public grid, an island, or nothing that lives."""

    CONNECTED = 0
    ISLANDED = 1
    DEAD_BUS = 2


@dataclass(frozen=True, slots=True)
class Observation:
    """What a member sees, and since when."""

    seen: Seen
    since_ns: int

    def __post_init__(self) -> None:
        _within(self.since_ns, 0, 2**63 - 1, "since_ns")


@dataclass(frozen=True, slots=True)
class Declaration:
    """A dso's word up to and with interval `last`: there is an emergency, or there is none, whatever members see.

    It replaces what the same dso declared before, from its first interval on.
    """

    emergency: bool
    last: int

    def __post_init__(self) -> None:
        _within(self.last, 0, LATEST_INTERVAL, "last")


def encode_observation(observation: Observation) -> tuple[Value, ...]:
    """Payload of an OBSERVATION entry."""
    return (int(observation.seen), observation.since_ns)


def decode_observation(payload: tuple[Value, ...]) -> Observation:
    """The observation of an OBSERVATION payload."""
    match payload:
        case (int(seen), int(since_ns)) if seen in set(Seen):
            return Observation(Seen(seen), since_ns)
    raise MalformedPayload("an observation has what is seen, 0 to 2, and since when")


def encode_declaration(declaration: Declaration) -> tuple[Value, ...]:
    """Payload of a DECLARATION entry."""
    return (int(declaration.emergency), declaration.last)


def decode_declaration(payload: tuple[Value, ...]) -> Declaration:
    """The declaration of a DECLARATION payload."""
    match payload:
        case (0 | 1 as emergency, int(last)):
            return Declaration(bool(emergency), last)
    raise MalformedPayload("a declaration has 1 or 0, for an emergency or none, and a last interval")


def encode_priority(member: bytes, priority: Priority) -> tuple[Value, ...]:
    """Payload of a PRIORITY entry: what of a member's power is served first in an emergency; nothing: no part of it."""
    _check_priority(priority)
    return (member, priority.critical_mw, priority.essential_mw)


def decode_priority(payload: tuple[Value, ...]) -> tuple[bytes, Priority]:
    """The member of a PRIORITY payload, and what it is granted."""
    match payload:
        case (bytes(member), int(critical), int(essential)) if len(member) == ID_BYTES:
            priority = Priority(critical, essential)
            _check_priority(priority)
            return member, priority
    raise MalformedPayload("a priority has a member's id and two powers, mW")


def _check_priority(priority: Priority) -> None:
    _within(priority.critical_mw, 0, MAX_POWER_MW, "critical power")
    _within(priority.essential_mw, 0, MAX_POWER_MW, "essential power")


def _within(value: int, lowest: int, highest: int, name: str) -> None:
    if not lowest <= value <= highest:
        raise MalformedPayload(f"{name} must be within {lowest}..{highest}, not {value}")
