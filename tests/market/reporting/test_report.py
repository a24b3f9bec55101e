"""The report: every figure follows from the outcomes, and adds up to the journal exactly."""

import json
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from market.reporting.report import Fate, Report, build_report
from market.reporting.tables import report_json, report_tables

FIRST, RETAIL, FEED_IN, PRICE = 100, 300, 40, 150
IDLE = (0, 0, 0, 0)


def trade(world: Any) -> None:
    """Member 0 sells 100 to member 1 at PRICE in interval FIRST, in the next block."""
    world.block(world.order(0, FIRST, sells=[(50, 100)]), world.order(1, FIRST, buys=[(250, 100)]))


def read_all(world: Any, interval: int, *nets: int) -> list[Any]:
    return [world.reading(member, interval, net) for member, net in enumerate(nets)]


def report_of(world: Any) -> Report:
    return build_report(world.genesis, world.outcomes, world.state)


def member_row(world: Any, member: int) -> Any:
    return next(row for row in report_of(world).members if row.id == world.ids[member])


def first_line(world: Any, member: int) -> Any:
    """The member's settlement of interval FIRST."""
    lines = report_of(world).lines
    return next(line for line in lines if (line.interval, line.member) == (FIRST, world.ids[member]))


def test_a_trade_shows_as_price_volume_and_money(world: Any) -> None:
    trade(world)
    world.block()
    world.block(*read_all(world, FIRST, 100, -100, 0, 0))
    report = report_of(world)
    first = report.intervals[0]
    assert (first.interval, first.fate, first.settled) == (FIRST, Fate.TRADED, True)
    assert (first.volume, first.between_members, first.grid_import, first.grid_export) == (100, 100, 0, 0)
    assert (first.contribution, first.consumption, first.local) == (100, 100, 100)
    assert {branch.price for branch in first.branches if branch.price is not None} == {PRICE}
    seller, buyer = member_row(world, 0), member_row(world, 1)
    assert (seller.sold, seller.bought, seller.money) == (100, 0, PRICE * 100)
    assert (buyer.sold, buyer.bought, buyer.money) == (0, 100, -PRICE * 100)


def test_the_bill_is_compared_with_the_same_energy_at_the_tariff(world: Any) -> None:
    trade(world)
    world.block()
    world.block(*read_all(world, FIRST, 100, -110, 0, 0))
    seller, buyer = member_row(world, 0), member_row(world, 1)
    assert seller.tariff_money == 100 * FEED_IN
    assert seller.saving == 100 * (PRICE - FEED_IN)
    assert buyer.tariff_money == -110 * RETAIL
    assert buyer.money == -100 * PRICE - 10 * RETAIL
    assert (buyer.imbalance, buyer.imbalance_absolute) == (-10, 10)


def test_an_interval_decided_too_late_is_void(world: Any) -> None:
    trade(world)
    world.block(timely=False)
    assert [row.fate for row in report_of(world).intervals] == [Fate.VOID, Fate.PENDING]
    totals = report_json(report_of(world))["totals"]
    assert isinstance(totals, dict)
    assert (totals["volume_kwh"], totals["void"]) == (0, 1)


def test_skipped_intervals_are_listed(world: Any) -> None:
    world.block(skip=2)
    report = report_of(world)
    assert [(row.interval - FIRST, row.fate) for row in report.intervals] == [
        (0, Fate.SKIPPED),
        (1, Fate.SKIPPED),
        (2, Fate.PENDING),
    ]


def test_where_nothing_trades_the_quotes_are_shown(world: Any) -> None:
    world.block(world.order(0, FIRST, sells=[(400, 10)], buys=[(20, 10)]))
    branch = report_of(world).intervals[0].branches[0]
    assert (branch.price, branch.best_bid, branch.best_ask) == (None, 20, 400)


def test_a_late_reading_replaces_the_estimate_in_the_report(world: Any) -> None:
    trade(world)
    world.block()
    world.block(*read_all(world, FIRST, 0, -100, 0, 0)[1:])
    for _ in range(2):
        world.block()
    estimated = first_line(world, 0)
    assert (estimated.estimated, estimated.contribution, estimated.imbalance) == (True, 0, -100)
    world.block(world.reading(0, FIRST, 100))
    corrected = first_line(world, 0)
    assert (corrected.estimated, corrected.contribution, corrected.imbalance) == (False, 100, 0)
    assert corrected.imbalance_money == 0
    assert report_of(world).intervals[0].contribution == 100


def test_deposits_are_apart_from_trade(world: Any) -> None:
    world.block(world.deposit(0, 5_000))
    row = member_row(world, 0)
    assert (row.deposits, row.balance, row.money) == (5_000, 5_000, 0)


@settings(max_examples=40)
@given(
    st.lists(
        st.tuples(
            st.lists(st.integers(-200, 200), min_size=4, max_size=4),
            st.integers(20, 320),
            st.integers(20, 320),
            st.booleans(),
        ),
        min_size=1,
        max_size=6,
    )
)
def test_money_adds_up_to_the_journal(
    cell_world: Any, rounds: list[tuple[list[int], int, int, bool]]
) -> None:
    world = cell_world()
    for offset, (nets, ask, bid, timely) in enumerate(rounds):
        interval = FIRST + offset
        entries = [world.order(0, interval, sells=[(ask, 150)]), world.order(1, interval, buys=[(bid, 120)])]
        if offset >= 2:
            entries += read_all(world, interval - 2, *nets)
        world.block(*entries, timely=timely)
    for _ in range(6):
        world.block()
    report = report_of(world)
    settled = {row.interval for row in report.intervals if row.settled}
    assert settled >= set(range(FIRST, FIRST + len(rounds)))
    for row in report.members:
        assert row.balance == row.money + row.deposits
    outside = sum(row.rent + row.supplier + row.community for row in report.intervals)
    contracts_of_supplier = -sum(row.money for row in report.members) - outside
    exchange = sum(
        row.tariff.import_price * row.grid_import - row.tariff.export_price * row.grid_export
        for row in report.intervals
        if row.fate is Fate.TRADED
    )
    assert contracts_of_supplier == exchange
    assert report.local <= min(report.consumption, report.contribution)


def test_json_has_numbers_and_nulls_only_where_nothing_is(world: Any) -> None:
    trade(world)
    world.block()
    world.block(*read_all(world, FIRST, 100, -100, 0, 0))
    value = json.loads(json.dumps(report_json(report_of(world)), allow_nan=False))
    assert value["totals"]["self_sufficiency"] == 1
    assert value["intervals"][0]["volume_kwh"] == 0.0001
    assert value["intervals"][0]["prices"]["north"] == PRICE / 1_000_000
    assert value["intervals"][1]["prices"]["north"] is None
    assert value["intervals"][0]["start"] == "1970-01-05T04:00:00+00:00"
    assert [member["member"] for member in value["members"]] == ["m0", "m1", "m2", "m3"]


def test_tables_are_exact_to_the_last_digit(world: Any) -> None:
    trade(world)
    world.block()
    world.block(*read_all(world, FIRST, 101, -100, 0, 0))
    tables = report_tables(report_of(world))
    assert set(tables) == {"intervals", "branches", "members", "settlements"}
    members = tables["members"]
    assert members["money"].to_list()[0] == Decimal(100 * PRICE + FEED_IN) / 10**12
    assert members["sold_kwh"].to_list()[0] == Decimal("0.000100")
    assert tables["intervals"]["start"].to_list()[0] == datetime(1970, 1, 5, 4, tzinfo=UTC)
    assert tables["branches"].height == 3 * tables["intervals"].height
    assert tables["settlements"].height == 4


def test_a_cell_without_blocks_has_an_empty_report(world: Any) -> None:
    report = report_of(world)
    assert (report.blocks, report.intervals, len(report.members)) == (0, (), 4)
    assert all(table.width for table in report_tables(report).values())
    assert isinstance(report_json(report)["totals"], dict)
