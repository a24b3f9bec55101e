"""Limits that their dso may take back: what is written, what counts, and that older limits stay as they were."""

import json
from pathlib import Path
from typing import Any

import pytest
from cell_world import CellWorld
from hypothesis import given
from hypothesis import strategies as st

from ledger.encoding import decode, encode
from ledger.errors import PeerError
from market.cell_state import state_leaves
from market.cell_state_reading import state_of_leaves
from market.errors import MalformedPayload
from market.outcomes import Refusal
from market.payloads import decode_limit, encode_limit
from market.rules import BranchLimit
from market.standing_limits import StandingLimit, limit_of_row, limits_leaf, standing

FIRST, DSO, OTHER_DSO = 100, 5, 4
VECTORS = sorted((Path(__file__).parents[1] / "vectors" / "payloads").glob("limit-*.json"))


def refusals(outcomes: Any) -> list[Refusal]:
    return [each.refusal for each in outcomes.rejected]


def gate(world: Any, *entries: Any) -> Any:
    """A block in which member 2, on the southern branch, could sell 400 to member 1."""
    interval = world.state.last_interval + 1
    return world.block(
        world.order(2, interval, sells=[(50, 400)]), world.order(1, interval, buys=[(250, 400)]), *entries
    )


@pytest.mark.parametrize("path", VECTORS, ids=lambda path: path.stem)
def test_a_limit_reads_as_the_vectors_say(path: Path) -> None:
    vector = json.loads(path.read_text("utf-8"))
    data = bytes.fromhex(vector["payload"])
    payload = decode(data, max_bytes=1024)
    assert isinstance(payload, tuple)
    if "reason" in vector:
        with pytest.raises(MalformedPayload, match=vector["reason"]):
            decode_limit(payload)
    else:
        limit = decode_limit(payload)
        assert encode(encode_limit(limit)) == data
        assert limit.withdrawable == (len(payload) == 5)


def test_a_withdrawn_limit_ends_with_the_interval_whose_gate_was_open(world: Any) -> None:
    limit = world.limit(2, FIRST, FIRST + 5, 100, withdrawable=True)
    limited = gate(world, limit)
    assert limited.position_of(world.ids[2]) == 100
    freed = gate(world, world.withdrawal(limit))
    assert refusals(freed) == []
    assert freed.position_of(world.ids[2]) == 400
    assert (freed.clearing.limits, world.state.limits) == ((), ())
    # What was cleared before it was taken back stays limited.
    assert [each.limit_mw for each in limited.clearing.limits] == [100]


def test_the_next_lowest_limit_counts_once_the_lowest_is_withdrawn(world: Any) -> None:
    low = world.limit(2, FIRST, FIRST + 5, 100, withdrawable=True)
    gate(world, low, world.limit(2, FIRST, FIRST + 5, 300, withdrawable=True))
    assert gate(world, world.withdrawal(low)).position_of(world.ids[2]) == 300


def test_only_who_said_it_takes_a_limit_back_and_only_once(world: Any) -> None:
    limit = world.limit(2, FIRST, FIRST + 5, 100, withdrawable=True)
    gate(world, limit)
    wrong = world.entry(DSO, 57, FIRST + 1, (limit[1].id,))
    outcomes = gate(
        world, world.withdrawal(limit, member=OTHER_DSO), world.withdrawal(limit, member=0), wrong
    )
    assert sorted(refusals(outcomes)) == [Refusal.MALFORMED, Refusal.NOT_ENTITLED, Refusal.NOT_ENTITLED]
    assert outcomes.position_of(world.ids[2]) == 100
    again = gate(world, world.withdrawal(limit), world.withdrawal(limit))
    assert refusals(again) == [Refusal.NOT_ENTITLED]
    assert again.position_of(world.ids[2]) == 400


def test_a_limit_said_in_the_old_form_keeps_its_leaf_and_cannot_be_taken_back(world: Any) -> None:
    limit = world.limit(2, FIRST, FIRST + 5, 100)
    gate(world, limit)
    assert dict(state_leaves(world.state))[b"limits"] == encode(((2, FIRST, FIRST + 5, 100),))
    outcomes = gate(world, world.withdrawal(limit))
    assert (refusals(outcomes), outcomes.position_of(world.ids[2])) == ([Refusal.NOT_ENTITLED], 100)


def test_a_limit_that_is_over_cannot_be_taken_back(world: Any) -> None:
    limit = world.limit(2, FIRST, FIRST, 100, withdrawable=True)
    gate(world, limit)
    assert refusals(gate(world, world.withdrawal(limit))) == [Refusal.NOT_ENTITLED]


def test_standing_limits_are_read_back_from_the_leaves(world: Any) -> None:
    gate(
        world,
        world.limit(2, FIRST, FIRST + 5, 100, withdrawable=True),
        world.limit(1, FIRST, FIRST + 6, 300),
    )
    assert [each.id is None for each in world.state.limits] == [False, True]
    assert state_of_leaves(world.rules, state_leaves(world.state)).limits == world.state.limits


limits = st.builds(
    lambda branch, first, more, power, withdrawable: standing(
        BranchLimit(branch, first, first + more, power, withdrawable), b"i" * 32, b"a" * 32
    ),
    st.integers(0, 2),
    st.integers(0, 2**40),
    st.integers(0, 100),
    st.integers(0, 10**12),
    st.booleans(),
)


@given(st.lists(limits, max_size=4))
def test_rows_of_the_leaf_are_the_inverse_of_what_they_are_made_of(found: list[StandingLimit]) -> None:
    rules = CellWorld().rules
    rows = decode(limits_leaf(found), max_bytes=10**6)
    assert isinstance(rows, tuple)
    assert [limit_of_row(rules, row) for row in rows if isinstance(row, tuple)] == found


@pytest.mark.parametrize(
    "row",
    [
        (2, 5, 9),
        (2, 5, 9, 1, 1),
        (2, 5, 9, 1, b"i" * 32),
        (2, 5, 9, 1, b"i" * 31, b"a" * 32),
        (2, 5, 9, 1, None, None),
        (3, 5, 9, 1),
        (3, 5, 9, 1, b"i" * 32, b"a" * 32),
    ],
)
def test_a_row_that_says_no_limit_is_refused(world: Any, row: tuple[Any, ...]) -> None:
    with pytest.raises(PeerError):
        limit_of_row(world.rules, row)
