"""Detection, declaration, the owner's reserve, and the former who closes on a dead bus only."""

from hypothesis import given
from hypothesis import strategies as st

from devices.resilience.former import BusWatch, FormerRule, former, may_close
from devices.resilience.islanding import (
    Detector,
    Emergency,
    Finding,
    GridReading,
    IslandLimits,
    emergency,
    reserve_released,
)

SECOND_NS = 10**9
LIMITS = IslandLimits()
GOOD = GridReading(50.0, 1.0, True)
OPEN = GridReading(50.0, 1.0, False)
DEAD = GridReading(None, 0.02, False)
SAGGING = GridReading(47.0, 0.9, True)
BLIND = GridReading(None, None, None)
UNPROVEN = GridReading(50.0, 1.0, None)
RANK = ("ada", "ben", "cy", "di")
readings = st.builds(
    GridReading,
    st.none() | st.floats(0, 70),
    st.none() | st.floats(0, 1.5),
    st.none() | st.booleans(),
    st.none() | st.floats(0, 70),
    st.none() | st.floats(0, 1.5),
)


def after(readings: list[tuple[float, GridReading]], detector: Detector | None = None) -> Detector:
    """The detector after readings at seconds."""
    held = detector or Detector()
    for second, reading in readings:
        held = held.step(reading, LIMITS, round(second * SECOND_NS))
    return held


def test_an_open_breaker_is_an_island_at_once_and_bad_values_after_a_while() -> None:
    assert after([(0, OPEN)]).finding is Finding.ISLANDED
    assert after([(0, SAGGING), (0.4, SAGGING)]).finding is Finding.CONNECTED
    assert after([(0, SAGGING), (0.5, SAGGING)]).finding is Finding.ISLANDED
    assert after([(0, SAGGING), (0.4, GOOD), (0.6, SAGGING)]).finding is Finding.CONNECTED
    assert after([(0, DEAD), (0.5, DEAD)]).finding is Finding.DEAD_BUS


def test_back_is_who_has_the_breaker_closed_or_good_values_for_a_minute() -> None:
    island = after([(0, OPEN)])
    assert after([(1, GOOD), (1.5, GOOD)], island).finding is Finding.CONNECTED
    assert after([(1, UNPROVEN), (60.9, UNPROVEN)], island).finding is Finding.ISLANDED
    assert after([(1, UNPROVEN), (61, UNPROVEN)], island).finding is Finding.CONNECTED


@given(st.lists(readings, max_size=20), st.sampled_from(Finding))
def test_what_is_not_measured_changes_no_finding(history: list[GridReading], finding: Finding) -> None:
    held = Detector(finding)
    for second in range(100):
        held = held.step(BLIND, LIMITS, second * SECOND_NS)
    assert held.finding is finding
    for second, reading in enumerate(history):
        held = held.step(reading, LIMITS, second * SECOND_NS)
        assert held.step(BLIND, LIMITS, (second + 1) * SECOND_NS).finding is held.finding


def test_the_public_grid_is_back_after_a_good_minute_without_a_break() -> None:
    good = GridReading(50.0, 1.0, False, 50.0, 1.0)
    bad = GridReading(50.0, 1.0, False, 50.0, 1.2)
    held = after([(0, good), (59, good)])
    assert not held.public_is_back(LIMITS, 59 * SECOND_NS)
    assert after([(60, good)], held).public_is_back(LIMITS, 60 * SECOND_NS)
    broken = after([(60, bad), (61, good)], held)
    assert not broken.public_is_back(LIMITS, 120 * SECOND_NS)


def test_the_own_outage_goes_before_what_the_cell_declares() -> None:
    assert emergency(alone=False, declared=False) is Emergency.NONE
    assert emergency(alone=False, declared=True) is Emergency.DECLARED
    assert emergency(alone=True, declared=False) is Emergency.LOCAL
    assert emergency(alone=True, declared=True) is Emergency.LOCAL


@given(st.sampled_from(Finding), readings)
def test_only_the_owner_or_a_real_outage_releases_the_reserve(own: Finding, reading: GridReading) -> None:
    released = reserve_released(own, reading, owner_releases=False)
    assert reserve_released(own, reading, owner_releases=True)
    if released:
        assert own is Finding.DEAD_BUS or reading.breaker_closed is False


def watched(*readings: tuple[float, GridReading]) -> BusWatch:
    watch = BusWatch()
    for second, reading in readings:
        watch = watch.step(reading, round(second * SECOND_NS))
    return watch


def test_the_first_of_the_rank_that_is_able_forms() -> None:
    assert former(RANK, frozenset({"cy", "ben"})) == "ben"
    assert former(RANK, frozenset({"zoe"})) is None


@given(
    st.lists(st.tuples(st.floats(0, 60), readings), max_size=20),
    st.frozensets(st.sampled_from(RANK)),
    st.sampled_from(RANK),
)
def test_nobody_closes_but_the_former_on_a_bus_that_is_dead_and_has_been(
    history: list[tuple[float, GridReading]], able: frozenset[str], member: str
) -> None:
    history.sort(key=lambda each: each[0])
    watch = watched(*history)
    now_ns = round(history[-1][0] * SECOND_NS) if history else 0
    if may_close(member, RANK, able, watch, FormerRule(), now_ns):
        last = history[-1][1]
        assert last.voltage_pu is not None and last.voltage_pu < 0.1
        assert last.breaker_closed is False
        assert former(RANK, able) == member
        recent = [reading for second, reading in history if second * SECOND_NS > now_ns - 5 * SECOND_NS]
        assert all(each.voltage_pu is not None and each.voltage_pu < 0.1 for each in recent)


@given(st.frozensets(st.sampled_from(RANK)), st.frozensets(st.sampled_from(RANK)), st.integers(0, 60))
def test_two_halves_that_do_not_hear_each_other_never_close_at_once(
    one: frozenset[str], other: frozenset[str], second: int
) -> None:
    watch = watched((0, DEAD), (second, DEAD))
    rule = FormerRule()

    def closes_at(able: frozenset[str]) -> set[tuple[str, int]]:
        """Who would close, and the first second at which it may."""
        return {
            (member, first)
            for member in RANK
            for first in [
                next((s for s in range(61) if may_close(member, RANK, able, watch, rule, s * SECOND_NS)), -1)
            ]
            if first >= 0
        }

    for first, begins in closes_at(one):
        for other_first, other_begins in closes_at(other):
            assert first == other_first or abs(begins - other_begins) >= rule.step_s
