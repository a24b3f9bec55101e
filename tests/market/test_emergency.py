"""The emergency of a cell: by whose word it is there, and when it is over. Of four validators one may lie."""

from dataclasses import replace
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from market.cell import EnergyCell
from market.emergency.book import (
    MOST_PER_INTERVAL,
    MOST_SPANS,
    STANDS_FOR,
    Declared,
    DeclaredSpan,
    StandingObservation,
    Word,
    word_on,
)
from market.emergency.payloads import Seen
from market.outcomes import Refusal

FIRST, OPERATOR, DSO = 100, 4, 5
GONE, BACK = Seen.ISLANDED, Seen.CONNECTED
seen = st.sampled_from(Seen)


def refusals(world: Any, *entries: Any) -> list[Refusal]:
    return [each.refusal for each in world.block(*entries).rejected]


def declared(world: Any) -> Declared | None:
    found: Declared | None = world.state.emergency.declared
    return found


def test_more_members_than_may_lie_declare_it_and_it_ends_when_they_see_the_grid_again(world: Any) -> None:
    world.block(world.observe(0, FIRST - 1, GONE))
    assert declared(world) is None
    world.block(world.observe(0, FIRST, GONE), world.observe(2, FIRST, Seen.DEAD_BUS))
    assert declared(world) == Declared(FIRST + 1, Word.MEMBERS)
    world.block(world.observe(0, FIRST + 1, GONE))
    assert declared(world) == Declared(FIRST + 1, Word.MEMBERS)
    world.block(world.observe(2, FIRST + 2, BACK))
    assert declared(world) is None


def test_the_last_words_of_dead_members_run_out_and_leave_nothing_behind(world: Any) -> None:
    world.block(world.observe(0, FIRST - 1, GONE), world.observe(1, FIRST - 1, GONE))
    lasted = 0
    while declared(world) is not None:
        lasted += 1
        world.block()
    assert lasted == STANDS_FOR
    assert not [key for key, _ in world.leaves() if key.startswith(b"emergency/")]


def test_only_validators_with_a_meter_count_and_strangers_are_refused(cell_world: Any) -> None:
    world = cell_world()
    entries = [world.observe(who, FIRST - 1, GONE) for who in (OPERATOR, DSO)]
    assert refusals(world, *entries) == [Refusal.NO_METERING_POINT] * 2
    world.freeze(0)
    assert Refusal.FROZEN in refusals(world, world.observe(0, FIRST, GONE), world.observe(1, FIRST, GONE))
    assert declared(world) is None
    assert world.ids[1] in world.state.emergency.observations


def test_a_member_that_is_frozen_is_heard_no_longer(world: Any) -> None:
    world.block(world.observe(0, FIRST - 1, GONE), world.observe(1, FIRST - 1, GONE))
    world.freeze(0)
    world.block()
    assert declared(world) is None
    assert world.ids[0] not in world.state.emergency.observations


def test_observations_out_of_their_time_or_beyond_their_number_are_refused(world: Any) -> None:
    world.block(skip=9)
    gate = world.state.last_interval + 1
    assert refusals(world, world.observe(0, gate + 1, GONE)) == [Refusal.BEYOND_HORIZON]
    assert refusals(world, world.observe(0, gate - STANDS_FOR, GONE)) == [Refusal.WINDOW_CLOSED]
    gate = world.state.last_interval + 1
    again = [world.observe(0, gate, each) for each in [GONE, BACK] * MOST_PER_INTERVAL]
    assert refusals(world, *again) == [Refusal.FULL] * MOST_PER_INTERVAL
    assert refusals(world, world.observe(0, gate - 1, GONE)) == [Refusal.NOT_BETTER]


def test_a_dso_declares_and_its_word_runs_out(world: Any) -> None:
    world.block(world.declare(True, FIRST + 1, FIRST + 2))
    assert declared(world) is None
    for _ in range(2):
        world.block()
        assert declared(world) == Declared(FIRST + 1, Word.DSO)
    world.block()
    assert declared(world) is None
    assert not world.state.emergency.declarations


def test_a_dso_ends_what_members_see_for_as_long_as_it_says(world: Any) -> None:
    def both(interval: int) -> list[Any]:
        return [world.observe(each, interval, GONE) for each in (0, 1)]

    world.block(*both(FIRST - 1))
    world.block(*both(FIRST), world.declare(False, FIRST + 1, FIRST + 2))
    assert declared(world) is None
    world.block(*both(FIRST + 1))
    assert declared(world) is None
    world.block(*both(FIRST + 2))
    assert declared(world) == Declared(FIRST + 3, Word.MEMBERS)


def test_a_later_word_of_the_dso_replaces_the_earlier_one_from_its_first_interval_on(world: Any) -> None:
    world.block(world.declare(True, FIRST, FIRST + 9), world.declare(False, FIRST + 2, FIRST + 9))
    assert declared(world) == Declared(FIRST, Word.DSO)
    world.block()
    assert declared(world) == Declared(FIRST, Word.DSO)
    world.block()
    assert declared(world) is None


@pytest.mark.parametrize(
    ("who", "first", "last", "why"),
    [
        (OPERATOR, FIRST, FIRST + 1, Refusal.NOT_ENTITLED),
        (0, FIRST, FIRST + 1, Refusal.NOT_ENTITLED),
        (DSO, FIRST + 1, FIRST, Refusal.MALFORMED),
        (DSO, FIRST - 5, FIRST - 1, Refusal.GATE_CLOSED),
        (DSO, FIRST, FIRST + 11, Refusal.BEYOND_HORIZON),
    ],
)
def test_a_declaration_that_may_not_be_is_refused(
    world: Any, who: int, first: int, last: int, why: Refusal
) -> None:
    assert refusals(world, world.declare(True, first, last, who)) == [why]


def test_a_dso_has_room_for_few_declarations(world: Any) -> None:
    entries = [world.declare(bool(at % 2), FIRST + at, FIRST + 10) for at in range(MOST_SPANS + 2)]
    assert refusals(world, *entries) == [Refusal.FULL, Refusal.FULL]


said = st.builds(StandingObservation, st.integers(0, 9), seen, st.just(0))
spans = st.builds(
    lambda first, length, emergency: DeclaredSpan(first, first + length, emergency),
    st.integers(0, 9),
    st.integers(0, 5),
    st.booleans(),
)


@given(
    st.integers(1, 12),
    st.dictionaries(st.integers(0, 20), said),
    st.sets(st.integers(0, 20)),
    st.integers(0, 9),
)
def test_no_members_that_may_lie_declare_or_prevent_it_alone(
    validators: int, others: dict[int, StandingObservation], liars: set[int], interval: int
) -> None:
    faults = (validators - 1) // 3
    voices = {each.to_bytes(1, "big") for each in range(validators)}
    lying = {each.to_bytes(1, "big") for each in sorted(liars)[:faults]}
    seen_gone = StandingObservation(interval, GONE, 0)
    honest = {
        key: observed for each, observed in others.items() if (key := each.to_bytes(1, "big")) not in lying
    }

    def verdict(observations: dict[bytes, StandingObservation]) -> Word | None:
        return word_on(observations, {}, interval, voices=voices, dsos=(), faults=faults)

    if not any(key in voices and each.sees_it_gone(interval) for key, each in honest.items()):
        assert verdict({**honest, **dict.fromkeys(lying, seen_gone)}) is None
    everybody = dict.fromkeys(voices - lying, seen_gone)
    assert verdict({**everybody, **dict.fromkeys(lying, replace(seen_gone, seen=BACK))}) is Word.MEMBERS


@given(
    st.dictionaries(st.sampled_from([b"a", b"b"]), st.tuples(spans)),
    st.sets(st.sampled_from([b"a", b"b"])),
    st.integers(0, 14),
)
def test_dsos_speak_only_for_intervals_of_theirs_and_only_while_they_are_dsos(
    declarations: dict[bytes, tuple[DeclaredSpan, ...]], dsos: set[bytes], interval: int
) -> None:
    words = [
        span.emergency
        for dso in dsos
        for span in declarations.get(dso, ())
        if span.first <= interval <= span.last
    ]
    seen_gone = {b"m": StandingObservation(interval, GONE, 0)}
    verdict = word_on(seen_gone, declarations, interval, voices={b"m"}, dsos=dsos, faults=0)
    assert verdict is (Word.MEMBERS if not words else Word.DSO if any(words) else None)


@given(
    st.lists(
        st.tuples(st.integers(0, 5), st.integers(-5, 1), seen | st.tuples(st.booleans(), st.integers(-1, 4))),
        max_size=12,
    ),
    st.randoms(use_true_random=False),
)
def test_the_same_feeds_in_any_order_make_the_same_state(
    cell_world: Any, spoken: list[tuple[int, int, Any]], random: Random
) -> None:
    world = cell_world()
    world.block(skip=5)
    gate = world.state.last_interval + 1
    entries = [
        world.observe(who, gate + at, what)
        if isinstance(what, Seen)
        else world.declare(what[0], gate + at, gate + at + what[1], who)
        for who, at, what in spoken
    ]
    before = world.state
    world.block(*entries)
    order = list(entries)
    random.shuffle(order)
    # Each feed keeps its own order; how the feeds are interleaved is what may differ.
    feeds = {member: [each for each in entries if each[0] == member] for member, _ in entries}
    shuffled = tuple(feeds[member].pop(0) for member, _ in order)
    state, _ = EnergyCell().apply(before, replace(world.history[-1], entries=shuffled))
    assert state.emergency == world.state.emergency
    assert sorted(EnergyCell().leaves(state)) == sorted(world.leaves())
