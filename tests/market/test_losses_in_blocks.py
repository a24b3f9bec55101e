"""A cell whose branches lose energy: money still sums to zero, and the supplier is paid once for what is lost."""

from typing import Any

import pytest
from cell_histories import RELAXED, histories, play
from hypothesis import given, settings

from market.cell_state import LOSSES, SUPPLIER
from market.cell_state_reading import state_of_leaves
from market.certificates.of_blocks import check_block
from market.errors import InvalidRules
from market.rules import BranchRule, decode_rules, encode_rules

LOSSY = (
    BranchRule("substation", loss=20_000),
    BranchRule("north", 0, loss=60_000),
    BranchRule("south", 0, 500, fee=3, loss=1),
)


@settings(RELAXED, max_examples=15)
@given(histories)
def test_a_cell_with_losses_keeps_its_laws(cell_world: Any, history: list[dict[str, Any]]) -> None:
    """`CellWorld` checks conservation after every block."""
    world = cell_world(branches=LOSSY)
    play(world, history)
    for outcomes in world.outcomes:
        check_block(world.state.rules, outcomes.clearing)
    restored = state_of_leaves(decode_rules(world.genesis.application), world.leaves())
    assert list(world.cell.leaves(restored)) == world.leaves()
    assert restored.balances == world.state.balances


def test_members_that_do_as_contracted_pay_the_lost_energy_once(world: Any, cell_world: Any) -> None:
    """Members 0 and 3 are at the substation, 1 north: what member 1 takes has crossed both branches."""
    world = cell_world(branches=LOSSY)
    world.block(world.order(1, 100, buys=[(400, 500)]))
    world.block()
    clearing = world.outcomes[0].clearing
    assert (
        clearing.prices[1] == 327
    )  # 300 / 0.98 is 307 at the substation, 307 / 0.94 is 327, both rounded up
    lost = clearing.grid_import - 500
    assert lost == 543 - 500
    settled = [
        settlement
        for outcomes in (
            world.block(*(world.reading(m, 100, -500 * (m == 1)) for m in range(4))),
            world.block(),
        )
        for settlement in outcomes.settlements
        if settlement.interval == 100
    ]
    assert [settlement.supplier for settlement in settled] == [0]
    assert world.state.balances[SUPPLIER] == 300 * clearing.grid_import
    assert world.balance(1) == -500 * clearing.prices[1]
    bound = 500 + 532
    assert abs(world.state.balances[LOSSES]) < bound


def test_losses_are_written_and_read_again_and_checked(world: Any, cell_world: Any) -> None:
    rules = cell_world(branches=LOSSY).rules
    assert decode_rules(encode_rules(rules)).branches == LOSSY
    plain = encode_rules(world.rules)
    assert all(len(row) == 3 for row in plain[4])  # type: ignore[arg-type, union-attr]
    for branches in (
        (BranchRule("a", loss=300_000), BranchRule("b", 0, loss=300_000)),
        (BranchRule("a", loss=-1),),
    ):
        with pytest.raises(InvalidRules, match="branches"):
            cell_world(branches=(*branches, *(BranchRule(f"{n}", 0) for n in range(2))))


def test_who_trades_nothing_pays_the_losses_up_to_the_grid_as_well(cell_world: Any) -> None:
    rules = cell_world(branches=LOSSY).rules
    reaching = rules.tariff_on(1, rules.tariff[0])
    assert (reaching.import_price, reaching.export_price) == (327, 36)  # 307 / 0.94; 39 x 0.94
