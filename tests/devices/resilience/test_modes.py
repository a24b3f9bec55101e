"""The transition table: where each state can go, and where it cannot."""

from hypothesis import given
from hypothesis import strategies as st

from devices.resilience.modes import TRANSITIONS, Event, OperatingMode, State, following

histories = st.lists(st.sampled_from(Event), max_size=30)


def test_every_state_and_every_event_is_in_the_table() -> None:
    assert {state for state, _ in TRANSITIONS} == set(State)
    assert {event for _, event in TRANSITIONS} == set(Event)
    assert {state.mode for state in State} == set(OperatingMode)


@given(histories)
def test_the_owner_may_always_stand_by_and_come_back(history: list[Event]) -> None:
    state = State.CONNECTED
    for event in history:
        state = following(state, event)
    assert following(state, Event.OWNER_STANDS_BY) is State.STANDBY
    assert following(State.STANDBY, Event.OWNER_RETURNS) is State.CONNECTED


@given(histories)
def test_an_emergency_ends_only_with_a_closed_breaker_or_by_the_owner(history: list[Event]) -> None:
    state = State.CONNECTED
    for event in history:
        before, state = state, following(state, event)
        if before.mode is OperatingMode.EMERGENCY and state.mode is not OperatingMode.EMERGENCY:
            assert event in (Event.BREAKER_CLOSED, Event.OWNER_STANDS_BY)
        if before is State.ISLAND and state.mode is OperatingMode.GRID_SUPPORT:
            raise AssertionError("an island is synchronised before it is connected")


def test_a_dead_bus_never_becomes_an_island_without_a_former() -> None:
    ways = {event for (before, event), after in TRANSITIONS.items() if before is State.DEAD_BUS and after}
    assert ways == {Event.OWNER_STANDS_BY, Event.FORMER_CLOSED, Event.BREAKER_CLOSED}
