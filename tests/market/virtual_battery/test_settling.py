"""Virtual batteries in a cell: who bids, what members get, and the laws of their money over random histories.

Members 0 and 3 of the world sit on one branch (retail 300, feed-in 40 unless said).
"""

from typing import Any

import pytest
from cell_histories import RELAXED, blocks, entries_of, play
from cell_histories import apply as apply_step
from hypothesis import given
from hypothesis import strategies as st

from market.cell_state import member_account
from market.outcomes import Refusal
from market.rules import BranchRule, MemberRule
from market.settlement import Reason

RETAIL, FEED_IN = 300, 40
MIDDLE = (RETAIL + FEED_IN) // 2


def formed(world: Any) -> Any:
    """The world after its members 0 and 3 became one virtual battery."""
    outcomes = world.block(world.aggregate(0, 3), world.delegate(3, 0))
    assert outcomes.rejected == ()
    return world


def moved(world: Any, member: int, interval: int) -> int:
    """All money that a member has got for one interval."""
    return sum(
        posting.amount
        for outcomes in world.outcomes
        for each in outcomes.postings
        for posting in each.postings
        if each.reference == interval and posting.account == member_account(world.ids[member])
    )


def settled(world: Any, *readings: tuple[int, int], orders: Any = ()) -> Any:
    """Trade one interval on these orders, meter it like that, and return its settlement."""
    gate = world.state.last_interval + 1
    world.block(*orders)
    nets = dict(readings)
    said = [world.reading(member, gate, nets.get(member, 0)) for member in range(4)]
    world.block()
    outcomes = world.block(*said)
    (settlement,) = [each for each in outcomes.settlements if each.interval == gate]
    return settlement


def of_member(world: Any, settlement: Any, member: int) -> Any:
    return next(line for line in settlement.lines if line.member == world.ids[member])


def test_it_takes_both_to_agree_and_holds_from_the_next_auction_on(world: Any) -> None:
    world.block(world.aggregate(0, 3))
    assert world.state.virtual_batteries.aggregators(world.rules, 101) == {}
    gate = world.state.last_interval + 1
    outcomes = world.block(world.delegate(3, 0), world.order(3, gate, buys=[(350, 10)]))
    assert outcomes.rejected == ()
    assert outcomes.position_of(world.ids[3]) == -10
    outcomes = world.block(world.order(3, gate + 1, buys=[(350, 10)]))
    assert [each.refusal for each in outcomes.rejected] == [Refusal.DELEGATED]
    assert outcomes.position_of(world.ids[3]) == 0
    assert world.state.pending.aggregators == {world.ids[3]: world.ids[0]}


@pytest.mark.parametrize("end", ["leaves", "let go"])
def test_either_side_ends_it(world: Any, end: str) -> None:
    formed(world)
    world.block(world.delegate(3, None) if end == "leaves" else world.aggregate(0))
    gate = world.state.last_interval + 1
    outcomes = world.block(world.order(3, gate, buys=[(350, 10)]))
    assert outcomes.position_of(world.ids[3]) == -10
    assert dict(world.state.pending.aggregators) == {}


def test_an_order_given_before_does_not_trade_beside_the_aggregators(world: Any) -> None:
    gate = world.state.last_interval + 1
    world.block(world.order(3, gate + 1, buys=[(350, 10)]), world.delegate(3, 0), world.aggregate(0, 3))
    assert world.block().clearing.members == ()


def test_what_cannot_be_is_refused_with_its_reason(world: Any) -> None:
    outcomes = world.block(
        world.delegate(1, 0),  # another branch
        world.delegate(4, 0),  # no metering point
        world.delegate(2, 4),
        world.delegate(0, 0),
        world.aggregate(0, 1),
        world.aggregate(3, 3),
        world.aggregate(4, 0),
        world.aggregate(1, 4),
    )
    refused = {(world.ids.index(each.member), each.refusal) for each in outcomes.rejected}
    assert refused == {
        (1, Refusal.OTHER_BRANCH),
        (4, Refusal.NO_METERING_POINT),
        (2, Refusal.UNKNOWN_MEMBER),
        (0, Refusal.MALFORMED),
        (0, Refusal.OTHER_BRANCH),
        (3, Refusal.MALFORMED),
        (1, Refusal.UNKNOWN_MEMBER),
    }


def test_the_aggregator_offers_what_all_nameplates_allow_and_has_one_imbalance(world: Any) -> None:
    formed(world)
    gate = world.state.last_interval + 1
    orders = [world.order(0, gate, buys=[(RETAIL, 1700)])]
    settlement = settled(world, (0, -900), (3, -850), orders=orders)
    aggregator, member = of_member(world, settlement, 0), of_member(world, settlement, 3)
    assert (member.contracted, member.imbalance, member.imbalance_money) == (-850, 0, 0)
    assert (member.posted, member.contract_money, member.passed_on) == (0, -850 * RETAIL, -850)
    assert (aggregator.contracted, aggregator.imbalance, aggregator.passed_on) == (-850, -50, 850)
    assert aggregator.posted == -50 * RETAIL
    assert moved(world, 3, gate) == -850 * RETAIL
    assert moved(world, 0, gate) + moved(world, 3, gate) == -1750 * RETAIL


def test_opposite_deviations_meet_inside_at_the_middle_price_when_nothing_traded(world: Any) -> None:
    formed(world)
    settlement = settled(world, (0, 500), (3, -500))
    assert moved(world, 3, settlement.interval) == -500 * MIDDLE
    assert moved(world, 0, settlement.interval) == 500 * MIDDLE
    assert settlement.supplier == settlement.community == 0
    assert of_member(world, settlement, 0).price == MIDDLE


def test_a_correction_moves_the_money_of_the_member_and_of_its_aggregator(world: Any) -> None:
    formed(world)
    gate = world.state.last_interval + 1
    settled(world, (0, 500), (3, -500))
    outcomes = world.block(world.reading(3, gate, -400))
    (settlement,) = [each for each in outcomes.settlements if each.correction]
    assert {line.member for line in settlement.lines} == {world.ids[0], world.ids[3]}
    assert of_member(world, settlement, 3).passed_on == -400
    assert of_member(world, settlement, 0).posted == 100 * FEED_IN
    assert moved(world, 0, gate) == 400 * MIDDLE + 100 * FEED_IN
    assert moved(world, 3, gate) == -400 * MIDDLE
    world.block(world.reading(3, gate, -500))
    assert (moved(world, 0, gate), moved(world, 3, gate)) == (500 * MIDDLE, -500 * MIDDLE)


def nested(cell_world: Any) -> Any:
    """A cell whose members all sit on one branch, 3 below 2 below 1 below 0."""
    world = cell_world()
    points = tuple(
        sorted(
            (MemberRule(world.ids[index], 0, 1000, 1000, 10**9) for index in range(4)),
            key=lambda rule: rule.member,
        )
    )
    world = cell_world(branches=(BranchRule("street"),), members=points)
    world.block(
        *(world.delegate(index, index - 1) for index in (1, 2, 3)),
        *(world.aggregate(index - 1, index) for index in (1, 2, 3)),
    )
    return world


def test_an_aggregator_may_delegate_and_the_end_of_the_chain_bids_for_all(cell_world: Any) -> None:
    world = nested(cell_world)
    top = world.ids[0]
    gate = world.state.last_interval + 1
    outcomes = world.block(world.order(0, gate, sells=[(FEED_IN, 5000)]))
    assert outcomes.position_of(top) == 4000  # four nameplates
    assert dict(world.state.pending.aggregators) == dict.fromkeys(world.ids[1:4], top)
    world.block()
    readings = [world.reading(member, gate, 900 + 100 * (member > 0)) for member in range(4)]
    settlement = next(each for each in world.block(*readings).settlements if each.interval == gate)
    assert [of_member(world, settlement, member).imbalance for member in range(4)] == [-100, 0, 0, 0]
    assert [moved(world, member, gate) for member in (1, 2, 3)] == [1000 * FEED_IN] * 3


def test_a_ring_is_no_virtual_battery(cell_world: Any) -> None:
    world = nested(cell_world)
    world.block(world.delegate(0, 3), world.aggregate(3, 0))
    gate = world.state.last_interval + 1
    outcomes = world.block(*(world.order(member, gate, buys=[(RETAIL, 10)]) for member in range(4)))
    assert outcomes.rejected == ()
    assert [outcomes.position_of(world.ids[member]) for member in range(4)] == [-10] * 4


def test_who_is_frozen_leaves_its_aggregator_with_the_contract(world: Any) -> None:
    formed(world)
    gate = world.state.last_interval + 1
    world.block(world.order(0, gate, buys=[(RETAIL, 600)]))
    world.freeze(3)
    world.block()
    assert dict(world.state.records[gate].aggregators) == {}
    assert world.state.records[gate].contracts == {world.ids[0]: -600}
    assert world.state.virtual_batteries.delegations == {}


def test_the_members_of_a_frozen_aggregator_settle_alone(world: Any) -> None:
    formed(world)
    gate = world.state.last_interval + 1
    world.block(world.order(0, gate, buys=[(RETAIL, 600)]))
    world.freeze(0)
    world.block()
    world.block(*(world.reading(member, gate, -100 if member == 3 else 0) for member in (1, 2, 3)))
    for _ in range(3):
        world.block()
    settlements = [each for outcomes in world.outcomes for each in outcomes.settlements]
    lines = [line for each in settlements for line in each.lines if each.interval == gate]
    (line,) = [line for line in lines if line.member == world.ids[3]]
    assert (line.contracted, line.posted) == (0, -100 * RETAIL)


def test_the_aggregator_delivers_services_by_the_sum_of_its_meters(world: Any) -> None:
    formed(world)
    gate = world.state.last_interval + 1
    start_ns = world.rules.calendar.start_ns(gate + 2)
    world.block(world.terms(gate + 1), world.arm(0, gate + 1, gate + 5, 1000, 1000))
    world.block(world.request(1000, start_ns))
    world.block()
    readings = [world.reading(member, gate + 2, {0: -200, 3: 900}.get(member, 0)) for member in range(4)]
    world.block(world.service_report(0, gate + 2))
    outcomes = world.block(*readings)
    (line,) = outcomes.services
    assert (line.member, line.activated) == (world.ids[0], 700)


@RELAXED
@given(st.lists(blocks(), min_size=2, max_size=6), st.integers(-1000, 1000), st.integers(-1000, 1000))
def test_nobody_in_a_virtual_battery_is_worse_off_than_alone_without_a_contract(
    cell_world: Any, history: list[dict[str, Any]], mine: int, theirs: int
) -> None:
    """Member 3 is in one, with whatever its aggregator trades: at prices between feed-in and retail it gains."""
    world = formed(cell_world())
    gates = []
    for step in history:
        quiet = step | {
            "batteries": [],
            "freeze": None,
            "meters": [],
            "services": [],
            "tariffs": [],
            "voided": (),
        }
        quiet |= {"emergency": [], "complete": False, "deposits": [], "limits": []}
        quiet["readings"] = [row for row in step["readings"] if row[0] not in (0, 3)]
        gate = world.state.last_interval + 1 + step["skip"]
        gates.append(gate)
        metered = [world.reading(0, gate - 2, theirs), world.reading(3, gate - 2, mine)]
        apply_step(world, quiet, [*entries_of(world, quiet), *metered])
    for _ in range(6):
        gate = world.state.last_interval + 1
        world.block(world.reading(0, gate - 2, theirs), world.reading(3, gate - 2, mine))
    for outcomes in world.outcomes:
        for settlement in outcomes.settlements:
            line = of_member(world, settlement, 3) if not settlement.correction else None
            if line is None or line.price is None or not FEED_IN <= line.price <= RETAIL:
                continue
            assert line.imbalance == 0
            money = line.contract_money + line.posted
            assert money >= line.metered * (RETAIL if line.metered < 0 else FEED_IN)


@RELAXED
@given(st.lists(blocks(), min_size=3, max_size=9))
def test_money_inside_sums_to_zero_and_contracts_keep_their_sum(
    cell_world: Any, history: list[dict[str, Any]]
) -> None:
    world = formed(cell_world())
    play(world, history)
    names = {member_account(member) for member in world.ids}
    for outcomes in world.outcomes:
        for settlement in outcomes.settlements:
            of_interval = {
                each.reason: {posting.account: posting.amount for posting in each.postings}
                for each in outcomes.postings
                if each.reference == settlement.interval
            }
            reason = Reason.CORRECTED if settlement.correction else Reason.SETTLED
            own, passed = of_interval.get(reason, {}), of_interval.get(Reason.PASSED_ON, {})
            assert sum(passed.values()) == 0
            for line in settlement.lines:
                account = member_account(line.member)
                assert own.get(account, 0) == line.posted
                if not settlement.correction:
                    assert passed.get(account, 0) == line.passed_on * (line.price or 0)
            told = {member_account(line.member) for line in settlement.lines}
            assert (own.keys() | passed.keys()) & names <= told
