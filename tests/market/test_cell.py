"""The cell's state function, step by step; `CellWorld` (conftest) checks conservation after every block."""

from dataclasses import replace
from typing import Any

import pytest

from market.cell_state import COMMUNITY, DSO, EXTERNAL, SUPPLIER
from market.errors import InvalidRules
from market.outcomes import BlockOutcomes, Refusal
from market.payloads import Kind, Quality, Record, encode_record

FIRST, RETAIL, FEED_IN = 100, 300, 40
PRICE = 150
"""Where an ask at 50 and a bid at 250 meet: the middle."""


def trade(world: Any, interval: int = FIRST) -> BlockOutcomes:
    """Member 0 sells 100 to member 1."""
    return world.block(
        world.order(0, interval, sells=[(50, 100)]),
        world.order(1, interval, buys=[(250, 100)]),
        skip=interval - world.state.last_interval - 1,
    )


def read_all(world: Any, interval: int, *nets: int) -> list[Any]:
    return [world.reading(member, interval, net) for member, net in enumerate(nets)]


def refusals(outcomes: BlockOutcomes) -> list[Refusal]:
    return [rejected.refusal for rejected in outcomes.rejected]


def test_a_trade_is_contracted_confirmed_and_settled(world: Any) -> None:
    outcomes = trade(world)
    assert outcomes.position_of(world.ids[0]) == 100
    assert outcomes.position_of(world.ids[1]) == -100
    assert outcomes.position_of(world.ids[2]) == 0
    assert outcomes.clearing.prices[1] == PRICE
    assert outcomes.confirmation is None
    assert world.balance(0) == 0

    confirmation = world.block().confirmation
    assert confirmation is not None
    assert (confirmation.interval, confirmation.timely, confirmation.rent) == (FIRST, True, 0)
    assert (world.balance(0), world.balance(1)) == (PRICE * 100, -PRICE * 100)

    (settlement,) = world.block(*read_all(world, FIRST, 100, -100, 0, 0)).settlements
    assert settlement.interval == FIRST
    assert not any(line.imbalance or line.posted or line.estimated for line in settlement.lines)
    assert (world.balance(0), world.balance(1)) == (PRICE * 100, -PRICE * 100)


def test_the_imbalance_of_a_trade_is_settled_at_the_tariff(world: Any) -> None:
    trade(world)
    world.block()
    (settlement,) = world.block(*read_all(world, FIRST, 70, -110, 5, 0)).settlements
    assert world.balance(0) == PRICE * 100 - 30 * RETAIL
    assert world.balance(1) == -PRICE * 100 - 10 * RETAIL
    assert world.balance(2) == 5 * FEED_IN
    assert world.state.balances[SUPPLIER] == settlement.supplier == 35 * RETAIL
    assert world.state.balances[COMMUNITY] == settlement.community == 5 * RETAIL - 5 * FEED_IN


def test_a_block_decided_too_late_leaves_its_interval_to_the_tariff(world: Any) -> None:
    trade(world)
    confirmation = world.block(timely=False).confirmation
    assert confirmation is not None
    assert not confirmation.timely
    assert not world.state.balances
    world.block(*read_all(world, FIRST, 100, -100, 0, 0))
    assert (world.balance(0), world.balance(1)) == (100 * FEED_IN, -100 * RETAIL)
    assert world.state.balances[SUPPLIER] == 0
    assert world.state.balances[COMMUNITY] == 100 * (RETAIL - FEED_IN)


def test_a_reading_counts_only_after_its_interval_is_delivered(world: Any) -> None:
    world.block()
    assert refusals(world.block(world.reading(0, FIRST, 5))) == [Refusal.NOT_DELIVERED]
    assert refusals(world.block(world.reading(0, FIRST, 5))) == []
    assert refusals(world.block(world.reading(0, FIRST - 1, 5))) == [Refusal.WINDOW_CLOSED]


def test_a_late_block_takes_readings_that_came_before_it_and_settles_them_in_time(world: Any) -> None:
    trade(world)
    end = world.rules.calendar.end_ns(FIRST)
    entries = read_all(world, FIRST, 100, -100, 0, 0)
    early = world.block(*entries[:2], time_ns=end - 1)
    assert refusals(early) == [Refusal.NOT_DELIVERED] * 2
    late = world.block(*read_all(world, FIRST + 1, 5, 0, 0, 0), *entries, time_ns=end + 3600 * 10**9)
    assert [settlement.interval for settlement in late.settlements] == [FIRST]
    assert refusals(world.block(world.reading(0, FIRST + 3, 5), time_ns=10**19)) == [Refusal.NOT_DELIVERED]
    assert world.balance(0) == 100 * PRICE + 5 * FEED_IN


def test_a_missing_reading_is_estimated_at_the_deadline_and_corrected_later(world: Any) -> None:
    trade(world)
    world.block()
    assert world.block(*read_all(world, FIRST, 90, -100, 0)).settlements == ()
    assert world.block().settlements == ()
    (settlement,) = (s for s in world.block().settlements if s.interval == FIRST)
    assert [line.member for line in settlement.lines if line.estimated] == [world.ids[3]]
    assert world.balance(3) == 0

    outcomes = world.block(
        world.reading(3, FIRST, -20), world.reading(0, FIRST, 100), *read_all(world, FIRST + 1, 0, 0, 0, 0)
    )
    (correction,) = (s for s in outcomes.settlements if s.correction)
    assert {line.member for line in correction.lines} == {world.ids[0], world.ids[3]}
    assert all(not line.estimated for line in correction.lines)
    assert world.balance(3) == -20 * RETAIL
    assert world.balance(0) == 100 * PRICE
    assert world.state.balances[SUPPLIER] == 20 * RETAIL
    assert world.state.balances[COMMUNITY] == 0


def test_an_estimate_repeats_the_latest_measurement(world: Any) -> None:
    world.block()
    world.block()
    world.block(*read_all(world, FIRST, 0, -30, 0, 0))
    for _ in range(3):
        outcomes = world.block()
    (settlement,) = outcomes.settlements
    line = next(line for line in settlement.lines if line.member == world.ids[1])
    assert (line.interval, line.consumption, line.estimated) == (FIRST + 1, 30, True)
    assert world.balance(1) == -60 * RETAIL


def test_a_late_reading_of_an_older_interval_is_not_the_latest_measurement(world: Any) -> None:
    for _ in range(3):
        world.block()
    world.block(world.reading(1, FIRST + 1, -30))
    world.block(world.reading(1, FIRST, -7))
    outcomes = world.block(*read_all(world, FIRST + 1, 0))
    line = next(line for line in world.block().settlements[0].lines if line.member == world.ids[1])
    assert refusals(outcomes) == []
    assert (line.interval, line.consumption, line.estimated) == (FIRST + 2, 30, True)


def test_after_its_trading_deadline_a_block_trades_nothing(world: Any) -> None:
    deadline = world.rules.calendar.trading_deadline_ns(FIRST)
    orders = [world.order(0, FIRST, sells=[(50, 100)]), world.order(1, FIRST, buys=[(250, 100)])]
    assert world.block(*orders, time_ns=deadline).clearing.members == ()
    again = [world.order(0, FIRST + 1, sells=[(50, 100)]), world.order(1, FIRST + 1, buys=[(250, 100)])]
    deadline = world.rules.calendar.trading_deadline_ns(FIRST + 1)
    assert world.block(*again, time_ns=deadline - 1).position_of(world.ids[0]) == 100


def test_a_measured_reading_is_not_replaced_by_an_estimated_one(world: Any) -> None:
    world.block()
    world.block()
    assert refusals(world.block(world.reading(0, FIRST, 7, Quality.ESTIMATED))) == []
    outcomes = world.block(
        world.reading(0, FIRST, 9), world.reading(0, FIRST, 8, Quality.ESTIMATED), world.reading(0, FIRST, 9)
    )
    assert refusals(outcomes) == [Refusal.NOT_BETTER, Refusal.NOT_BETTER]
    assert world.state.records[FIRST].readings[world.ids[0]].net == 9


def test_corrections_end_with_their_window(world: Any) -> None:
    for _ in range(8):
        world.block()
    assert world.state.last_interval == FIRST + 7
    assert refusals(world.block(world.reading(0, FIRST, 1))) == []
    assert refusals(world.block(world.reading(0, FIRST, 2))) == [Refusal.WINDOW_CLOSED]


def test_the_state_stays_bounded(world: Any) -> None:
    sizes = []
    for interval in range(FIRST, FIRST + 30):
        world.block(
            world.order(0, interval, buys=[(10, 1)]),
            world.order(1, interval + 5, buys=[(10, 1)]),
            world.limit(1, interval, interval + 2, 700),
            world.tariff(interval + 1, RETAIL, FEED_IN),
        )
        sizes.append((len(world.leaves()), len(world.state.tariffs), len(world.state.limits)))
    assert len(set(sizes[-10:])) == 1
    assert len(world.state.records) == 7


def test_the_latest_order_replaces_and_an_empty_one_cancels(world: Any) -> None:
    outcomes = world.block(
        world.order(0, FIRST, sells=[(50, 100)]),
        world.order(0, FIRST, sells=[(60, 30)]),
        world.order(2, FIRST, sells=[(50, 100)]),
        world.order(2, FIRST),
        world.order(1, FIRST, buys=[(250, 100)]),
    )
    assert outcomes.position_of(world.ids[0]) == 30
    assert outcomes.part_of(world.ids[2]) is None
    assert outcomes.clearing.grid_import == 0


def test_an_order_waits_for_its_interval_and_no_longer(world: Any) -> None:
    outcomes = world.block(
        world.order(0, FIRST + 1, sells=[(50, 100)]),
        world.order(1, FIRST + 1, buys=[(250, 100)]),
        world.order(2, FIRST - 1, buys=[(250, 100)]),
        world.order(3, FIRST + 11, buys=[(250, 100)]),
    )
    assert sorted(refusals(outcomes)) == [Refusal.GATE_CLOSED, Refusal.BEYOND_HORIZON]
    assert outcomes.clearing.volume == 0
    assert world.block().position_of(world.ids[1]) == -100
    assert world.block().clearing.members == ()


def test_skipped_intervals_trade_nothing_and_settle_at_the_tariff(world: Any) -> None:
    outcomes = world.block(world.order(0, FIRST + 1, sells=[(50, 100)]), skip=3)
    assert refusals(outcomes) == [Refusal.GATE_CLOSED]
    assert outcomes.skipped == range(FIRST, FIRST + 3)
    outcomes = world.block(
        *read_all(world, FIRST, 0, -10, 0, 0), *read_all(world, FIRST + 1, 0, -20, 0, 0), skip=1
    )
    assert [(s.interval, s.lines[0].price) for s in outcomes.settlements] == [
        (FIRST, None),
        (FIRST + 1, None),
    ]
    assert world.balance(1) == -30 * RETAIL


def test_the_open_position_of_a_frozen_member_goes_to_the_supplier(world: Any) -> None:
    trade(world)
    world.freeze(0)
    outcomes = world.block(
        world.order(0, FIRST + 1, sells=[(50, 100)]), world.order(1, FIRST + 1, buys=[(250, 100)])
    )
    assert refusals(outcomes) == [Refusal.FROZEN]
    (taken,) = outcomes.taken_over
    assert (taken.member, taken.interval, taken.position, taken.price) == (world.ids[0], FIRST, 100, PRICE)
    assert (world.balance(0), world.balance(1)) == (0, -100 * PRICE)
    assert world.state.balances[SUPPLIER] == 100 * PRICE
    assert outcomes.position_of(world.ids[0]) == 0

    outcomes = world.block(*read_all(world, FIRST, 100, -100, 0, 0))
    assert refusals(outcomes) == [Refusal.FROZEN]
    (settlement,) = outcomes.settlements
    assert [line.member for line in settlement.lines if line.estimated] == [world.ids[0]]
    assert world.balance(0) == 0


def test_a_frozen_members_waiting_orders_do_not_trade(world: Any) -> None:
    world.block(world.order(0, FIRST + 1, sells=[(50, 100)]), world.order(1, FIRST + 1, buys=[(250, 100)]))
    world.freeze(0)
    outcomes = world.block()
    assert outcomes.part_of(world.ids[0]) is None
    assert outcomes.clearing.grid_import == 0


def test_a_member_whose_feed_lost_entries_does_not_trade_this_interval(world: Any) -> None:
    world.block(world.order(0, FIRST + 1, sells=[(50, 100)]), world.order(0, FIRST + 2, sells=[(50, 100)]))
    outcomes = world.block(
        world.order(0, FIRST + 1, sells=[(50, 10)]),
        world.order(1, FIRST + 1, buys=[(250, 100)]),
        world.order(1, FIRST + 2, buys=[(250, 100)]),
        voided=[0],
    )
    assert refusals(outcomes) == [Refusal.VOIDED]
    assert outcomes.clearing.volume == 0
    assert world.block().position_of(world.ids[0]) == 100


def test_only_the_operator_sets_tariffs_and_never_backwards(world: Any) -> None:
    outcomes = world.block(
        world.tariff(FIRST + 1, 500, 100),
        world.tariff(FIRST, 500, 100),
        world.tariff(FIRST + 1, 900, 100, member=0),
    )
    assert sorted(refusals(outcomes)) == [Refusal.NOT_ENTITLED, Refusal.GATE_CLOSED]
    assert outcomes.clearing.tariff.import_price == RETAIL
    assert world.block().clearing.tariff.import_price == 500
    world.block(*read_all(world, FIRST, 0, -1, 0, 0))
    world.block(*read_all(world, FIRST + 1, 0, -1, 0, 0))
    assert world.balance(1) == -RETAIL - 500


def test_only_the_operator_books_deposits(world: Any) -> None:
    outcomes = world.block(world.deposit(0, 500), world.deposit(0, -100), world.deposit(0, 10, author=1))
    assert refusals(outcomes) == [Refusal.NOT_ENTITLED]
    assert world.balance(0) == 400
    assert world.state.balances[EXTERNAL] == -400


def test_only_the_dso_limits_a_branch_and_rent_is_its_own(world: Any) -> None:
    def gate(*entries: Any) -> BlockOutcomes:
        interval = world.state.last_interval + 1
        return world.block(
            world.order(2, interval, sells=[(50, 400)]), world.order(1, interval, buys=[(250, 400)]), *entries
        )

    refused = gate(world.limit(2, FIRST, FIRST, 100, member=0), world.limit(3, FIRST, FIRST, 100))
    assert sorted(refusals(refused)) == [Refusal.MALFORMED, Refusal.NOT_ENTITLED]
    assert refused.clearing.prices[2] == refused.clearing.prices[1]
    limited = gate(world.limit(2, FIRST + 1, FIRST + 1, 100))
    assert limited.position_of(world.ids[2]) == 100
    assert limited.clearing.prices[2] == 50
    assert limited.clearing.prices[1] == 250
    assert [limit.limit_mw for limit in limited.clearing.limits] == [100]
    assert gate().position_of(world.ids[2]) == 400
    assert world.state.balances[DSO] == 100 * 200


def test_without_means_nothing_is_bought_until_money_comes_in(cell_world: Any) -> None:
    plain = cell_world()
    members = tuple(replace(rule, credit_limit=0) for rule in plain.rules.members)
    world = cell_world(members=members)
    outcomes = world.block(world.order(1, FIRST, buys=[(250, 100)]))
    assert outcomes.part_of(world.ids[1]).fills == ()
    outcomes = world.block(
        world.deposit(1, 320 * 10),
        world.order(1, FIRST + 1, buys=[(320, 100)]),
    )
    assert outcomes.position_of(world.ids[1]) == -10


def test_unsettled_sales_tie_up_credit(cell_world: Any) -> None:
    plain = cell_world()
    members = tuple(replace(rule, credit_limit=RETAIL * 150) for rule in plain.rules.members)
    world = cell_world(members=members)
    positions = []
    for interval in range(FIRST, FIRST + 3):
        outcomes = world.block(world.order(0, interval, sells=[(40, 100)]))
        positions.append(outcomes.position_of(world.ids[0]))
    revenue = 100 * FEED_IN
    second = (RETAIL * 150 + revenue - RETAIL * 100) // RETAIL
    third = (RETAIL * 150 + revenue + second * FEED_IN - RETAIL * (100 + second)) // RETAIL
    assert positions == [100, second, third]


def test_a_reading_beyond_any_fuse_is_refused(world: Any) -> None:
    world.block()
    world.block()
    outcomes = world.block(world.reading(0, FIRST, 2001), world.reading(1, FIRST, -2000))
    assert refusals(outcomes) == [Refusal.IMPLAUSIBLE]


def test_members_without_a_metering_point_do_not_trade_or_meter(world: Any) -> None:
    world.block()
    world.block()
    outcomes = world.block(world.order(4, FIRST + 2, buys=[(250, 1)]), world.reading(5, FIRST, 1))
    assert refusals(outcomes) == [Refusal.NO_METERING_POINT] * 2


def test_records_and_unknown_kinds_change_nothing_but_are_told(world: Any) -> None:
    alarm = world.entry(0, Kind.ALARM, FIRST, encode_record(Record(3, b"hot")))
    outcomes = world.block(alarm, world.entry(0, 99, FIRST, ()), world.entry(0, 0, FIRST, ()))
    assert [(entry.kind, entry.code) for entry in outcomes.recorded] == [(Kind.ALARM, 3)]
    assert refusals(outcomes) == [Refusal.UNKNOWN_KIND]


def test_rules_about_strangers_found_no_cell(world: Any, cell_world: Any) -> None:
    rule = replace(world.rules.members[0], member=bytes(32))
    with pytest.raises(InvalidRules, match=r"members\[0\].member is not a member"):
        cell_world(members=(rule,))
