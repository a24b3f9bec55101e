"""Merit order, duration curves and who supplied whom: what they show adds up to what the auction decided."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from market.orders import Side
from market.reporting.command import print_report
from market.reporting.duration import exceeded, falling
from market.reporting.energy_flows import energy_flows, name_of, split
from market.reporting.merit_order import merit_order, telling_interval
from market.reporting.report import build_report
from market.terminal import table_console

FIRST = 100


def played(world: Any) -> Any:
    """Two sellers and two buyers in one interval, of whom the cheapest and the dearest trade; then a quiet one."""
    world.block(
        world.order(0, FIRST, sells=[(50, 100)]),
        world.order(1, FIRST, buys=[(250, 60), (100, 10)]),
        world.order(2, FIRST, sells=[(280, 30)]),
        world.order(3, FIRST, buys=[(200, 40)]),
    )
    world.block()
    return build_report(world.genesis, world.outcomes, world.state)


def test_who_gave_and_who_took_is_what_was_contracted(world: Any) -> None:
    report = played(world)
    flows = energy_flows(report)
    for side, end in ((Side.SELL, "source"), (Side.BUY, "target")):
        contracted: dict[bytes, int] = {}
        for interval in report.standing:
            for order in interval.orders:
                if order.side is side and order.filled:
                    contracted[order.member] = contracted.get(order.member, 0) + order.filled
        told: dict[bytes, int] = {}
        for flow in flows:
            who = getattr(flow, end)
            if who is not None:
                told[who] = told.get(who, 0) + flow.energy
        assert told == contracted
    assert all(flow.energy > 0 for flow in flows)
    assert name_of(report, None) == "supplier"


@given(whole=st.integers(0, 10**12), weights=st.lists(st.integers(1, 10**9), min_size=1, max_size=9))
def test_a_split_loses_nothing_and_is_in_proportion(whole: int, weights: list[int]) -> None:
    parts = split(whole, weights)
    assert sum(parts) == whole
    assert all(
        abs(part * sum(weights) - whole * weight) <= sum(weights)
        for part, weight in zip(parts, weights, strict=True)
    )


def test_the_merit_order_is_of_the_interval_with_most_trade_and_sorted(world: Any) -> None:
    report = played(world)
    telling = telling_interval(report)
    assert telling is not None
    assert telling.interval == FIRST
    merit = merit_order(telling)
    assert [order.limit_price for order in merit.bids] == [250, 200, 100]
    assert [order.limit_price for order in merit.asks] == [50, 280]
    assert merit.asks[0].filled == 100 == sum(order.filled for order in merit.bids)


def test_a_duration_curve_falls_and_is_read_by_its_share() -> None:
    assert falling([1.0, None, 3.0, 2.0]) == [3.0, 2.0, 1.0]
    assert [exceeded([1.0, 3.0, 2.0, 4.0], share) for share in (0.0, 0.5, 1.0)] == [4.0, 2.0, 1.0]
    assert exceeded([None], 0.5) is None


def test_the_terminal_tells_all_three(world: Any) -> None:
    console = table_console()
    with console.capture() as captured:
        print_report(played(world), console)
    said = " ".join(captured.get().split())
    for words in ("who supplied whom", "merit order of", "reached or exceeded", "price substation"):
        assert words in said


def test_a_cell_without_blocks_has_neither(world: Any) -> None:
    empty = build_report(world.genesis, [], world.state)
    assert energy_flows(empty) == ()
    assert telling_interval(empty) is None
