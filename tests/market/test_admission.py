"""Members that come after the founding, and members that leave: terms, metering points, and what is settled."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ledger.encoding import Value, decode
from ledger.records.changes import Admit, NumberedChange, Remove
from ledger.records.genesis import Role, member_id
from market.admission import accepts_terms, encode_terms, rules_with, with_points
from market.errors import InvalidRules
from market.outcomes import Refusal
from market.rules import MemberRule

FIRST = 100
RETAIL = 300
KEY = bytes([77]) * 32
NEW = member_id(KEY)
TERMS = encode_terms(MemberRule(NEW, 1, 1000, 1000, 10**9))


def change(world: Any, wanted: Admit | Remove) -> None:
    """What the ledger does before the next block when a change holds from it on."""
    number, height = world.membership.changes + 1, world.height + 1
    world.membership = world.membership.with_pending(NumberedChange(number, wanted), height).at(height)


def admit(world: Any, terms: tuple[Value, ...] = TERMS) -> int:
    """Admit somebody; its place among the world's members."""
    change(world, Admit(b"new", KEY, None, int(Role.PROSUMER), terms))
    world.ids.append(NEW)
    return len(world.ids) - 1


def refusals(outcomes: Any) -> list[Refusal]:
    return [rejected.refusal for rejected in outcomes.rejected]


def test_a_new_member_trades_in_the_first_block_that_has_it_and_is_settled_from_there_on(world: Any) -> None:
    world.block()
    new = admit(world)
    world.block(world.order(new, FIRST + 1, sells=[(50, 100)]), world.order(1, FIRST + 1, buys=[(250, 100)]))
    outcomes = world.block(
        *[world.reading(member, FIRST, 0) for member in range(4)], world.reading(new, FIRST, 7)
    )
    assert refusals(outcomes) == [Refusal.NO_METERING_POINT], "it was not metered before it came"
    (before,) = outcomes.settlements
    assert (before.interval, {line.member for line in before.lines}) == (FIRST, set(world.ids[:4]))
    readings = [world.reading(member, FIRST + 1, 0) for member in range(4)]
    assert world.block(*readings).settlements == (), "the new member's reading is awaited"
    (settlement,) = world.block(world.reading(new, FIRST + 1, 100)).settlements
    assert {line.member for line in settlement.lines} == {*world.ids[:4], NEW}
    assert world.state.balance_of(NEW) > 0
    assert world.replay()[0] == world.state


def test_the_state_commits_to_metering_points_that_came_or_left(world: Any) -> None:
    world.block()
    assert not [key for key, _ in world.leaves() if key.startswith(b"point/")]
    admit(world)
    world.block()
    change(world, Remove(world.ids[0]))
    world.block()
    points = [key for key, _ in world.leaves() if key.startswith(b"point/")]
    assert sorted(points) == sorted(b"point/" + member for member in (NEW, world.ids[0]))
    values = [(key[6:], decode(value, max_bytes=200)) for key, value in world.leaves() if key in points]
    assert with_points(world.rules, values) == world.state.rules
    with pytest.raises(InvalidRules):
        with_points(world.rules, [(NEW, (1, 2))])


def test_what_a_member_that_left_holds_goes_to_the_supplier_and_nothing_of_it_counts_later(
    world: Any,
) -> None:
    world.block(world.order(0, FIRST, sells=[(50, 100)]), world.order(1, FIRST, buys=[(250, 100)]))
    world.block(world.order(0, FIRST + 2, sells=[(50, 10)]), world.order(1, FIRST + 2, buys=[(250, 10)]))
    world.block(timely=True)
    change(world, Remove(world.ids[0]))
    outcomes = world.block()
    assert [taken.interval for taken in outcomes.taken_over] == [FIRST + 2]
    assert world.ids[0] not in {part.member for part in outcomes.clearing.members}
    for _ in range(8):
        outcomes = world.block(
            *[world.reading(member, world.state.last_interval - 1, 0) for member in range(1, 4)]
        )
        for settlement in outcomes.settlements:
            counted = {line.member for line in settlement.lines}
            assert (world.ids[0] in counted) == (settlement.interval < FIRST + 3), settlement.interval
    assert world.replay()[0] == world.state


def test_an_interval_does_not_wait_for_the_reading_of_who_left(world: Any) -> None:
    change(world, Remove(world.ids[0]))
    world.block()
    world.block()
    outcomes = world.block(*[world.reading(member, FIRST, 0) for member in range(1, 4)])
    assert [settlement.interval for settlement in outcomes.settlements] == [FIRST]


def test_the_operator_still_pays_out_who_left(world: Any) -> None:
    world.block(world.deposit(0, 500))
    change(world, Remove(world.ids[0]))
    outcomes = world.block(world.deposit(0, -500))
    assert refusals(outcomes) == []
    assert world.balance(0) == 0


def test_a_member_without_a_metering_point_cannot_order(world: Any) -> None:
    world.block()
    new = admit(world, terms=())
    outcomes = world.block(world.order(new, FIRST + 1, sells=[(50, 100)]))
    assert refusals(outcomes) == [Refusal.NO_METERING_POINT]


@pytest.mark.parametrize(
    "terms",
    [
        (3, 1000, 1000, b""),
        (-1, 0, 0, b""),
        (0, -1, 0, b""),
        (0, 0, 10**13, b""),
        (0, 0, 0, b"\xff"),
        (0, 0, 0, 5),
    ],
)
def test_terms_that_contradict_the_rules_are_refused(world: Any, terms: tuple[Value, ...]) -> None:
    assert not accepts_terms(world.rules, NEW, terms)
    assert not world.cell.accepts(world.state, NEW, terms)


def test_a_place_for_somebody_who_has_one_is_refused(world: Any) -> None:
    assert accepts_terms(world.rules, NEW, TERMS)
    assert not accepts_terms(world.rules, world.ids[0], TERMS)


VALUES = st.recursive(
    st.integers(-(2**63), 2**63 - 1) | st.binary(max_size=12) | st.none(),
    lambda inner: st.lists(inner, max_size=3).map(tuple),
    max_leaves=6,
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(terms=st.lists(VALUES, max_size=6).map(tuple))
def test_whatever_terms_are_signed_nothing_is_raised(world: Any, terms: tuple[Value, ...]) -> None:
    assert accepts_terms(world.rules, NEW, terms) in (True, False)


def test_rules_of_a_cell_without_changes_stay_the_same_object(world: Any) -> None:
    assert rules_with(world.rules, world.membership, FIRST) is world.rules
    member = replace(world.rules.members[0], since=3, until=5)
    assert [member.meters(interval) for interval in (2, 3, 4, 5)] == [False, True, True, False]
