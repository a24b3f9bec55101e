"""What a node says of the grid in its feed, and what a declared emergency becomes for its devices."""

from typing import Any

import pytest
from cell_world import CellWorld
from hypothesis import given
from hypothesis import strategies as st

from devices.messages.control_messages import ImageReport, Mode
from devices.messages.orders import Declare
from devices.resilience.modes import State
from ledger.records.entries import Entry
from market.emergency.book import MOST_PER_INTERVAL, STANDS_FOR
from market.emergency.payloads import Seen, decode_observation
from market.payloads import Kind
from node.constants import IMAGE_AGE_NS
from node.core.emergency import LONGEST_S, SHOWN, Emergency
from node.events import Effect, Now, Order, Report, SignEntry

FIRST, OPERATOR = 100, 4
S = 10**9
HOUR_NS = 3600 * S


def at(interval: int, seconds: float = 0.0, speed: int = 1) -> Now:
    cell_ns = interval * HOUR_NS + round(seconds * S)
    return Now(cell_ns // speed, cell_ns, speed)


def image(state: str, now: Now) -> ImageReport:
    mode = Mode.GRID_SUPPORT
    return ImageReport(
        now.real_ns, now.cell_ns, 0, None, None, None, mode, "position", "market", True, (), island=state
    )


def observed(effects: list[Effect]) -> list[tuple[Seen, int]]:
    """What was said, and since which second of the interval that it was said in."""
    entries = [each for each in effects if isinstance(each, SignEntry)]
    assert all(each.kind == Kind.OBSERVATION for each in entries)
    said = [(decode_observation(each.payload), each.interval) for each in entries]
    return [(each.seen, (each.since_ns - interval * HOUR_NS) // S) for each, interval in said]


def shown(part: Emergency, world: Any, state: State, now: Now) -> list[tuple[Seen, int]]:
    part.measured(image(state.value, now))
    return observed(part.due(world.state, now))


def orders(effects: list[Effect]) -> list[float]:
    found = [each.order for each in effects if isinstance(each, Order)]
    return [each.duration_s for each in found if isinstance(each, Declare)]


@pytest.fixture
def part(world: Any) -> Emergency:
    return Emergency(world.ids[0])


@pytest.fixture
def world() -> CellWorld:
    return CellWorld()


def test_a_node_says_what_it_sees_when_it_changes_and_again_in_every_interval(
    part: Emergency, world: Any
) -> None:
    assert shown(part, world, State.CONNECTED, at(FIRST)) == []
    assert shown(part, world, State.DEAD_BUS, at(FIRST, 7)) == [(Seen.DEAD_BUS, 7)]
    assert shown(part, world, State.DEAD_BUS, at(FIRST, 8)) == []
    assert shown(part, world, State.BLACK_START, at(FIRST, 20)) == [(Seen.ISLANDED, 20)]
    assert shown(part, world, State.ISLAND, at(FIRST, 30)) == []
    assert shown(part, world, State.ISLAND, at(FIRST + 1)) == [(Seen.ISLANDED, 20 - 3600)]
    assert shown(part, world, State.SYNCHRONISING, at(FIRST + 1, 40)) == []
    assert shown(part, world, State.CONNECTED, at(FIRST + 1, 50)) == [(Seen.CONNECTED, 50)]
    assert shown(part, world, State.CONNECTED, at(FIRST + 2)) == []


def test_every_state_but_standing_by_says_something_of_the_grid() -> None:
    assert set(SHOWN) == {state.value for state in State} - {State.STANDBY.value}


def test_a_node_that_sees_nothing_says_nothing(part: Emergency, world: Any) -> None:
    assert observed(part.due(world.state, at(FIRST))) == []
    assert shown(part, world, State.STANDBY, at(FIRST)) == []
    assert shown(part, world, State.ISLAND, at(FIRST, 1)) == [(Seen.ISLANDED, 1)]
    stale = at(FIRST + 1, 1)
    assert stale.real_ns - at(FIRST, 1).real_ns > IMAGE_AGE_NS
    assert observed(part.due(world.state, stale)) == []
    assert shown(part, world, State.STANDBY, at(FIRST + 1, 2)) == []


def test_who_has_no_meter_in_the_cell_says_nothing(world: Any) -> None:
    assert shown(Emergency(world.ids[OPERATOR]), world, State.ISLAND, at(FIRST)) == []


def test_a_grid_that_comes_and_goes_does_not_fill_the_feed(part: Emergency, world: Any) -> None:
    said = []
    for second in range(100):
        state = State.CONNECTED if second % 2 else State.ISLAND
        said += shown(part, world, state, at(FIRST, second))
    assert len(said) == MOST_PER_INTERVAL
    assert shown(part, world, State.ISLAND, at(FIRST + 1)) == [(Seen.ISLANDED, 0)]


def test_that_the_grid_is_back_needs_no_word_once_the_last_one_has_run_out(
    part: Emergency, world: Any
) -> None:
    shown(part, world, State.ISLAND, at(FIRST))
    assert shown(part, world, State.CONNECTED, at(FIRST + STANDS_FOR + 1)) == []


def test_a_node_that_starts_again_goes_on_where_its_feed_ends(world: Any, part: Emergency) -> None:
    part.measured(image("island", at(FIRST)))
    entries = [each for each in part.due(world.state, at(FIRST)) if isinstance(each, SignEntry)]
    feed = [Entry(bytes(32), 0, 0, None, each.kind, each.interval, 0, each.payload) for each in entries]
    feed.append(Entry(bytes(32), 0, 1, None, int(Kind.OBSERVATION), FIRST, 0, (9, 9)))
    again = Emergency.after(world.ids[0], feed)
    assert shown(again, world, State.ISLAND, at(FIRST, 60)) == []
    assert shown(again, world, State.CONNECTED, at(FIRST, 61)) == [(Seen.CONNECTED, 61)]


@given(st.lists(st.tuples(st.sampled_from(State), st.integers(0, 4 * 3600)), max_size=40))
def test_whatever_a_node_says_the_cell_takes(shows: list[tuple[State, int]]) -> None:
    world = CellWorld()
    part, said = Emergency(world.ids[0]), []
    for state, second in sorted(shows, key=lambda each: each[1]):
        now = at(FIRST, second)
        part.measured(image(state.value, now))
        effects = part.due(world.state, now)
        said += [each for each in effects if isinstance(each, SignEntry)]
    entries = [world.entry(0, each.kind, each.interval, each.payload) for each in said]
    for interval in range(FIRST, FIRST + 6):
        now_said = [each for each in entries if each[1].entry.interval == interval - 1]
        assert world.block(*now_said).rejected == ()


def test_a_declared_emergency_is_ordered_to_the_end_of_its_interval_and_ended(
    part: Emergency, world: Any
) -> None:
    world.block(world.declare(True, FIRST, FIRST + 1))
    assert orders(part.attached(world.state, at(FIRST, 600))) == [3000.0]
    effects = part.decided(world.state, at(FIRST - 1, 3000))
    assert orders(effects) == [4200.0]
    report = next(each for each in effects if isinstance(each, Report))
    assert (report.event, report.fields) == ("emergency", {"interval": FIRST, "since": FIRST, "by": "dso"})
    world.block()
    assert orders(part.decided(world.state, at(FIRST, 3000, speed=10))) == [420.0]
    world.block()
    assert orders(part.decided(world.state, at(FIRST + 1, 3000))) == [0.0]
    assert orders(part.decided(world.state, at(FIRST + 1, 3000))) == []


def test_what_old_blocks_declared_acts_no_more_and_no_block_acts_for_longer_than_a_day(
    part: Emergency, world: Any
) -> None:
    world.block(world.declare(True, FIRST, FIRST))
    assert orders(part.decided(world.state, at(FIRST + 1))) == []
    assert orders(part.attached(world.state, at(FIRST + 1))) == []
    assert orders(part.attached(world.state, at(0))) == [LONGEST_S]
