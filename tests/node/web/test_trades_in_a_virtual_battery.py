"""What a member of a virtual battery sees of its trades: who bid for it, and the energy that was passed on."""

from types import SimpleNamespace
from typing import Any

import pytest
from cell_world import CellWorld

from node.web.cell_history import CellHistory
from node.web.views.market_view import fills_of
from node.web.watched_node import WatchedNode

RETAIL = 300
TRADED = 101


def seen_by(world: CellWorld, name: str) -> WatchedNode:
    """The node of a member, which has followed all blocks of a played cell."""
    history, state = CellHistory(world.genesis), world.cell.initial(world.genesis)
    for block in world.history:
        state, outcomes = world.cell.apply(state, block)
        replayed: Any = SimpleNamespace(
            tip=SimpleNamespace(
                header_id=bytes(32), height=block.height, state=state, membership=block.membership
            ),
            block=SimpleNamespace(header=SimpleNamespace(height=block.height), heads=()),
            certificate=None,
            outcomes=outcomes,
        )
        history.add(replayed)
    config: Any = SimpleNamespace(node=SimpleNamespace(name=name))
    unused: Any = None
    return WatchedNode(config, unused, unused, history)


@pytest.fixture
def settled() -> CellWorld:
    """m0 has bought for itself and m3, and both have withdrawn; m1 has nothing to do with it."""
    world = CellWorld()
    world.block(world.aggregate(0, 3), world.delegate(3, 0))
    world.block(world.order(0, world.state.last_interval + 1, buys=[(RETAIL, 1700)]))
    world.block()
    metered = {0: -900, 3: -850}
    world.block(*(world.reading(member, TRADED, metered.get(member, 0)) for member in range(4)))
    return world


def fill(world: CellWorld, name: str) -> Any:
    return next(each for each in fills_of(seen_by(world, name), 9) if each.interval == TRADED)


def test_who_is_bid_for_sees_who_did_and_what_it_got(settled: CellWorld) -> None:
    seen = fill(settled, "m3")
    assert (seen.aggregator, seen.position, seen.passed_on, seen.metered) == ("m0", 0, -850, -850)
    assert (seen.price, seen.fate) == (RETAIL, "stands")
    assert float(seen.imbalance_money) == 0


def test_the_aggregator_sees_its_contract_and_what_it_gave(settled: CellWorld) -> None:
    seen = fill(settled, "m0")
    assert (seen.aggregator, seen.position, seen.passed_on, seen.metered) == (None, -1700, 850, -900)


def test_before_it_is_settled_nothing_was_passed_on(settled: CellWorld) -> None:
    newest = fills_of(seen_by(settled, "m3"), 1)[0]
    assert (newest.aggregator, newest.passed_on, newest.metered) == ("m0", None, None)


def test_who_is_in_none_passes_nothing_on(settled: CellWorld) -> None:
    assert all(
        each.passed_on is None and each.aggregator is None for each in fills_of(seen_by(settled, "m1"), 9)
    )
