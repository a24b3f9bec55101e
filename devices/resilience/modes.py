"""The modes of a node and every transition between them, in one table. A core: no clock.

Whatever is not in the table changes nothing. The owner may stand by from everywhere; from an emergency a node
comes back to grid support only over a bus that the public grid feeds: synchronised, or energised while it was dead.
"""

from enum import Enum


class OperatingMode(Enum):
    """What the node is there for."""

    STANDBY = "standby"
    GRID_SUPPORT = "grid-support"
    EMERGENCY = "emergency"


class State(Enum):
    """Where exactly in its mode a node is."""

    STANDBY = "standby"
    CONNECTED = "connected"
    DEAD_BUS = "dead-bus"
    BLACK_START = "black-start"
    ISLAND = "island"
    SYNCHRONISING = "synchronising"

    @property
    def mode(self) -> OperatingMode:
        """The mode that this state belongs to."""
        if self is State.STANDBY:
            return OperatingMode.STANDBY
        return OperatingMode.GRID_SUPPORT if self is State.CONNECTED else OperatingMode.EMERGENCY


class Event(Enum):
    """What moves a node from state to state."""

    OWNER_STANDS_BY = "owner-stands-by"
    OWNER_RETURNS = "owner-returns"
    ISLAND_DETECTED = "island-detected"
    BUS_DIED = "bus-died"
    FORMER_CLOSED = "former-closed"
    LOADS_SERVED = "loads-served"
    GRID_IS_BACK = "grid-is-back"
    GRID_FAILED_AGAIN = "grid-failed-again"
    BREAKER_CLOSED = "breaker-closed"


TRANSITIONS: dict[tuple[State, Event], State] = {
    **{(state, Event.OWNER_STANDS_BY): State.STANDBY for state in State},
    (State.STANDBY, Event.OWNER_RETURNS): State.CONNECTED,
    (State.CONNECTED, Event.ISLAND_DETECTED): State.ISLAND,
    (State.CONNECTED, Event.BUS_DIED): State.DEAD_BUS,
    (State.ISLAND, Event.BUS_DIED): State.DEAD_BUS,
    (State.BLACK_START, Event.BUS_DIED): State.DEAD_BUS,
    (State.SYNCHRONISING, Event.BUS_DIED): State.DEAD_BUS,
    (State.DEAD_BUS, Event.FORMER_CLOSED): State.BLACK_START,
    (State.DEAD_BUS, Event.BREAKER_CLOSED): State.CONNECTED,
    (State.BLACK_START, Event.LOADS_SERVED): State.ISLAND,
    (State.ISLAND, Event.GRID_IS_BACK): State.SYNCHRONISING,
    (State.SYNCHRONISING, Event.GRID_FAILED_AGAIN): State.ISLAND,
    (State.SYNCHRONISING, Event.BREAKER_CLOSED): State.CONNECTED,
}
"""Every transition there is."""


def following(state: State, event: Event) -> State:
    """The state after an event."""
    return TRANSITIONS.get((state, event), state)
