"""Real losses against contracted ones: who the genesis names pays the supplier's metered bill, to the last unit."""

from dataclasses import replace
from typing import Any

import pytest
from cell_histories import RELAXED, histories, play
from hypothesis import given, settings
from hypothesis import strategies as st

from market.cell_state import COMMUNITY, DSO, LOSSES, SUPPLIER, IntervalRecord, member_account
from market.cell_state_reading import state_of_leaves
from market.errors import InvalidRules
from market.loss_bearer import LossBearer
from market.loss_settlement import contracted_inside, loss_amounts
from market.losses import arriving
from market.payloads import Quality, Reading
from market.rules import BranchRule, decode_rules, encode_rules
from market.settlement import Reason, bill, imbalances

LINES = (BranchRule("substation"), BranchRule("north", 0, loss=60_000), BranchRule("south", 0))
BEARERS = [bearer for bearer in LossBearer if bearer]
ACCOUNTS = {LossBearer.ACCOUNT: LOSSES, LossBearer.COMMUNITY: COMMUNITY, LossBearer.DSO: DSO}
INTERVAL = 100


def settled(world: Any, metered: int | None, drawn: int = -500) -> dict[bytes, int]:
    """Member 1, in the north, contracts 500 mWh and draws `drawn`; the root shows `metered`. What was posted for it."""
    world.block(world.order(1, INTERVAL, buys=[(400, 500)]))
    world.block()
    meters = [] if metered is None else [world.meter(0, INTERVAL, metered)]
    world.block(*(world.reading(m, INTERVAL, drawn * (m == 1)) for m in range(4)), *meters)
    world.block()
    return posted(world)


def posted(world: Any) -> dict[bytes, int]:
    """By account what the settlement of losses has moved of the interval."""
    found: dict[bytes, int] = {}
    for outcomes in world.outcomes:
        for moved in outcomes.postings:
            if (moved.reason, moved.reference) == (Reason.LOSSES, INTERVAL):
                for posting in moved.postings:
                    found[posting.account] = found.get(posting.account, 0) + posting.amount
    return {account: amount for account, amount in found.items() if amount}


@pytest.mark.parametrize("bearer", list(ACCOUNTS))
def test_who_the_genesis_names_pays_for_what_is_lost_beyond_the_contract(
    cell_world: Any, bearer: LossBearer
) -> None:
    world = cell_world(branches=LINES, loss_bearer=bearer)
    # 500 / 0.94 are 532 mWh contracted of the supplier; 560 came, 28 more at 300 µ/kWh.
    assert settled(world, -560) == {SUPPLIER: 28 * 300, ACCOUNTS[bearer]: -28 * 300}
    assert world.state.balances[SUPPLIER] == 560 * 300


def test_who_bears_losses_gets_what_is_saved(cell_world: Any) -> None:
    world = cell_world(branches=LINES, loss_bearer=LossBearer.DSO)
    assert settled(world, -520) == {SUPPLIER: -12 * 300, DSO: 12 * 300}


@pytest.mark.parametrize("metered", [None, -532])
def test_nothing_moves_without_a_meter_or_where_it_shows_what_was_contracted(
    cell_world: Any, metered: int | None
) -> None:
    assert settled(cell_world(branches=LINES, loss_bearer=LossBearer.DSO), metered) == {}


def test_nothing_moves_where_the_genesis_names_nobody(cell_world: Any) -> None:
    assert settled(cell_world(branches=LINES), -560) == {}


def test_members_share_by_what_crossed_their_meters_and_odd_units_go_to_the_lowest_ids(
    cell_world: Any,
) -> None:
    world = cell_world(branches=LINES, loss_bearer=LossBearer.MEMBERS)
    world.block()
    world.block()
    readings = [-100, -100, -100, 0]
    world.block(*(world.reading(m, INTERVAL, readings[m]) for m in range(4)), world.meter(0, INTERVAL, -302))
    world.block()
    low, middle, high = sorted(world.ids[:3])
    assert posted(world) == {
        SUPPLIER: 600,
        member_account(low): -200,
        member_account(middle): -200,
        member_account(high): -200,
    }
    record = world.state.records[INTERVAL]
    drawn = {low: Reading(0, 1), middle: Reading(0, 1), high: Reading(0, 5)}
    amounts = loss_amounts(replace(record, readings={**record.readings, **drawn}), world.rules)
    # 295 mWh at 300 are 88,500, of which a seventh is 12,642 and 6 over: two odd units after rounding down.
    assert [amounts[member_account(each)] for each in (low, middle, high)] == [-12_643, -12_643, -63_214]


def test_a_meter_that_comes_late_comes_to_the_same(cell_world: Any) -> None:
    early = cell_world(branches=LINES, loss_bearer=LossBearer.DSO)
    late = cell_world(branches=LINES, loss_bearer=LossBearer.DSO)
    settled(early, -560)
    settled(late, None)
    late.block(late.meter(0, INTERVAL, -560))
    assert posted(late) == posted(early)
    # A better reading explains ten of the mWh: they were drawn and not lost.
    assert loss_amounts(late.state.records[INTERVAL], late.rules) == posted(late)
    corrected = dict(late.state.records[INTERVAL].readings)
    corrected[late.ids[1]] = Reading(0, 510)
    record = replace(late.state.records[INTERVAL], readings=corrected)
    assert loss_amounts(record, late.rules) == {SUPPLIER: 18 * 300, DSO: -18 * 300}


def test_an_estimate_is_fitted_with_the_contracted_losses(cell_world: Any) -> None:
    world = cell_world(branches=LINES, loss_bearer=LossBearer.DSO)
    world.block(world.order(1, INTERVAL, buys=[(400, 500)]))
    world.block()
    world.block(*(world.reading(m, INTERVAL, 0) for m in (0, 2, 3)), world.meter(0, INTERVAL, -532))
    for _ in range(4):
        world.block()
    assert world.state.records[INTERVAL].readings[world.ids[1]] == Reading(0, 500, Quality.ESTIMATED)
    assert posted(world) == {}


@settings(RELAXED, max_examples=12)
@given(histories, st.sampled_from(BEARERS))
def test_a_cell_that_settles_losses_keeps_its_laws(
    cell_world: Any, history: list[dict[str, Any]], bearer: LossBearer
) -> None:
    """`CellWorld` checks conservation after every block; what was posted is what the last records say."""
    lossy = (replace(LINES[0], loss=20_000), *LINES[1:])
    world = cell_world(branches=lossy, loss_bearer=bearer)
    play(world, history)
    sums: dict[int, dict[bytes, int]] = {}
    for outcomes in world.outcomes:
        for moved in outcomes.postings:
            if moved.reason == Reason.LOSSES:
                assert sum(posting.amount for posting in moved.postings) == 0
                total = sums.setdefault(moved.reference, {})
                for posting in moved.postings:
                    total[posting.account] = total.get(posting.account, 0) + posting.amount
    for interval, record in world.state.records.items():
        if record.settled:
            amounts = loss_amounts(record, world.rules)
            total = sums.get(interval, {})
            assert {a: m for a, m in amounts.items() if m} == {a: m for a, m in total.items() if m}
    restored = state_of_leaves(decode_rules(world.genesis.application), world.leaves())
    assert list(world.cell.leaves(restored)) == world.leaves()


energies = st.integers(0, 10**9)


@settings(RELAXED, max_examples=40)
@given(
    st.sampled_from(BEARERS),
    st.lists(st.tuples(energies, energies), min_size=4, max_size=4),
    st.integers(-(10**9), 10**9),
    st.integers(0, 10**6),
    st.sampled_from([0, 1, 30_011]),
)
def test_the_supplier_is_paid_for_what_crossed_the_connection_and_nobody_else_is(
    cell_world: Any, bearer: LossBearer, rows: list[tuple[int, int]], metered: int, lost: int, own_loss: int
) -> None:
    branches = (BranchRule("substation", loss=own_loss), *LINES[1:])
    rules = cell_world(branches=branches, loss_bearer=bearer).rules
    readings = {rule.member: Reading(*row) for rule, row in zip(rules.members, rows, strict=True)}
    record = IntervalRecord(INTERVAL, rules.tariff[0], (None,) * 3, {}, readings, losses=lost)
    record = replace(record, settled=True, meters={0: Reading(max(metered, 0), max(-metered, 0))})
    amounts = loss_amounts(record, rules)
    assert sum(amounts.values()) == 0
    exchange = -arriving(metered, own_loss)
    in_all = imbalances(record, rules).supplier + amounts[SUPPLIER]
    assert in_all == bill(record.tariff, exchange) - bill(record.tariff, lost)
    shares = {account: amount for account, amount in amounts.items() if account != SUPPLIER}
    if bearer is not LossBearer.MEMBERS or not any(map(sum, rows)):
        assert len(shares) == 1
        return
    whole = sum(map(sum, rows))
    for member, reading in readings.items():
        energy = reading.contribution + reading.consumption
        exact = abs(amounts[SUPPLIER]) * energy
        share = abs(shares.get(member_account(member), 0))
        assert exact <= share * whole + whole
        assert share * whole < exact + whole


def test_contracted_losses_are_split_at_the_roots_meter(cell_world: Any) -> None:
    rules = cell_world(branches=(BranchRule("a", loss=400_000), *LINES[1:]), loss_bearer=LossBearer.DSO).rules
    member = rules.members[0].member
    # 94 mWh of 100 reach the root's meter, and 56 the grid.
    record = IntervalRecord(INTERVAL, rules.tariff[0], (None,) * 3, {member: 100}, {}, losses=44)
    assert contracted_inside(record, rules) == 6
    assert contracted_inside(record, replace(rules, loss_bearer=LossBearer.NOBODY)) == 0


def test_the_bearer_is_written_and_read_again_and_checked(cell_world: Any) -> None:
    for bearer in LossBearer:
        rules = cell_world(loss_bearer=bearer).rules
        written = encode_rules(rules)
        assert decode_rules(written).loss_bearer is bearer
        assert len(written) == (14 if bearer else 11)
    for wrong in (0, 5):
        with pytest.raises(InvalidRules, match="loss_bearer"):
            decode_rules((*written[:-1], wrong))
    with pytest.raises(InvalidRules, match="null"):
        decode_rules((*written[:-1], None))
