"""Laws of the cell over random histories; `CellWorld` (conftest) checks conservation after every block."""

import random
from typing import Any

from cell_histories import FIRST, RELAXED, VALUES, apply, blocks, entries_of, histories, play
from hypothesis import given
from hypothesis import strategies as st

from ledger.encoding import Value
from market.payloads import Kind
from market.settlement import Reason


@RELAXED
@given(histories)
def test_money_and_energy_are_conserved_and_a_replay_is_identical(
    cell_world: Any, history: list[dict[str, Any]]
) -> None:
    world = cell_world()
    play(world, history)
    state, outcomes = world.replay()
    assert list(world.cell.leaves(state)) == world.leaves()
    assert outcomes == world.outcomes
    assert [list(one.leaves()) for one in outcomes] == [list(one.leaves()) for one in world.outcomes]


@RELAXED
@given(histories, st.randoms(use_true_random=False))
def test_the_order_in_which_entries_arrive_makes_no_difference(
    cell_world: Any, history: list[dict[str, Any]], chance: random.Random
) -> None:
    """What counts is each member's own order, which its feed fixes: arrival only interleaves feeds."""
    one, other = cell_world(), cell_world()
    for step in history:
        if step["freeze"] is not None:
            one.freeze(step["freeze"])
            other.freeze(step["freeze"])
        entries = entries_of(one, step)
        for world in (one, other):
            chance.shuffle(entries)
            apply(world, step, entries)
    assert one.leaves() == other.leaves()
    assert one.outcomes == other.outcomes


@RELAXED
@given(histories)
def test_balances_are_the_sum_of_all_postings(cell_world: Any, history: list[dict[str, Any]]) -> None:
    world = cell_world()
    play(world, history)
    total: dict[bytes, int] = {}
    for outcomes in world.outcomes:
        for moved in outcomes.postings:
            assert moved.reason in set(Reason)
            for posting in moved.postings:
                total[posting.account] = total.get(posting.account, 0) + posting.amount
    assert {account: amount for account, amount in total.items() if amount} == dict(world.state.balances)


@RELAXED
@given(histories)
def test_every_delivered_interval_is_settled_once_and_by_its_deadline(
    cell_world: Any, history: list[dict[str, Any]]
) -> None:
    world = cell_world()
    play(world, history)
    settled = [
        settlement.interval
        for outcomes in world.outcomes
        for settlement in outcomes.settlements
        if not settlement.correction
    ]
    assert len(settled) == len(set(settled))
    due = world.state.last_interval - 2 - world.rules.reading_deadline
    assert set(range(FIRST, due + 1)) <= set(settled)
    assert all(interval <= world.state.last_interval - 2 for interval in settled)


@RELAXED
@given(histories)
def test_no_fill_exceeds_its_order_its_nameplate_or_its_limit_price(
    cell_world: Any, history: list[dict[str, Any]]
) -> None:
    world = cell_world()
    play(world, history)
    for outcomes in world.outcomes:
        for part in outcomes.clearing.members:
            assert abs(part.position) <= 1000
            for fill in part.fills:
                assert 0 <= fill.filled <= fill.offered
                if fill.filled:
                    assert part.price is not None
                    loss = part.price - fill.limit_price if fill.side == 1 else fill.limit_price - part.price
                    assert loss <= 0


@RELAXED
@given(
    st.lists(
        st.lists(
            st.tuples(
                st.integers(0, 5),
                st.sampled_from([int(kind) for kind in Kind]) | st.integers(0, 2**62),
                st.integers(FIRST - 3, FIRST + 12) | st.integers(0, 2**63 - 1),
                st.lists(VALUES, max_size=4).map(tuple),
            ),
            max_size=8,
        ),
        max_size=5,
    )
)
def test_no_payload_whatsoever_makes_apply_raise(
    cell_world: Any, blocks: list[list[tuple[int, int, int, tuple[Value, ...]]]]
) -> None:
    world = cell_world()
    for block in blocks:
        entries = [world.entry(*arguments) for arguments in block]
        outcomes = world.block(*entries)
        ids = {entry.id for _, entry in entries}
        assert {rejected.entry_id for rejected in outcomes.rejected} <= ids
        list(outcomes.leaves())


@RELAXED
@given(st.lists(blocks(), min_size=2, max_size=6), st.integers(1, 900), st.integers(-20, 400))
def test_selling_air_does_not_pay_at_the_price_it_got(
    cell_world: Any, history: list[dict[str, Any]], quantity: int, limit_price: int
) -> None:
    """Member 3 only sells, and its meter never moves: whatever the others do, it ends with nothing or less."""
    world = cell_world()
    for step in history:
        honest = {**step, "orders": [row for row in step["orders"] if row[0] != 3]}
        honest |= {
            "readings": [row for row in step["readings"] if row[0] != 3],
            "deposits": [],
            "meters": [],  # drawn ones lie: a branch that injects by its meter credits who is silent
            "services": [],
            "complete": False,
            "freeze": None,
        }
        gate = world.state.last_interval + 1 + step["skip"]
        air = world.order(3, gate, sells=[(limit_price, quantity)])
        apply(world, step, [*entries_of(world, honest), air])
    for _ in range(6):
        world.block()
    assert world.balance(3) <= 0
