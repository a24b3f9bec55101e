"""An interval of emergency is cleared without the grid, and money follows what is metered at the emergency tariff."""

from dataclasses import replace
from typing import Any

import pytest
from cell_histories import RELAXED, histories, play
from hypothesis import given, settings
from hypothesis import strategies as st

from market.certificates.of_blocks import check_block
from market.emergency.payloads import Seen
from market.emergency.priority import CRITICAL_PRICE, ESSENTIAL_PRICE, HIGHEST_OFFER, Priority, served_first
from market.emergency.tariff import EmergencyTariff
from market.errors import InvalidRules
from market.outcomes import Confirmation, Refusal
from market.payloads import Step
from market.rules import TariffStep, decode_rules, encode_rules
from market.settlement import Reason
from market.units import MAX_PRICE

FIRST, RETAIL, FEED_IN = 100, 300, 40
PRICES = EmergencyTariff(450, 20)


def outage(world: Any, interval: int) -> list[Any]:
    """More members than may lie see the grid gone, in time for the block of an interval."""
    return [world.observe(member, interval - 1, Seen.ISLANDED) for member in (0, 1)]


def orders(world: Any, interval: int) -> list[Any]:
    """Who needs most pays more than retail; of 500 on offer nothing is left for the one who bids least."""
    return [
        world.order(0, interval, sells=[(50, 500)]),
        world.order(1, interval, buys=[(900, 400)]),
        world.order(3, interval, buys=[(200, 300)]),
    ]


def test_nothing_passes_the_grid_connection_and_scarcity_decides_who_gets_what(world: Any) -> None:
    calm = world.block(*orders(world, FIRST)).clearing
    assert (calm.emergency, calm.grid_import, calm.grid_export) == (False, 0, 0)
    lit = world.block(world.order(1, FIRST + 1, buys=[(900, 400)])).clearing
    assert lit.grid_import == 400
    dark = world.block(*outage(world, FIRST + 2), world.order(1, FIRST + 2, buys=[(900, 400)])).clearing
    assert (dark.emergency, dark.grid_import, dark.volume) == (True, 0, 0)
    island = world.block(*outage(world, FIRST + 3), *orders(world, FIRST + 3)).clearing
    assert (island.grid_import, island.grid_export) == (0, 0)
    assert {part.member: part.position for part in island.members} == {
        world.ids[0]: 500,
        world.ids[1]: -400,
        world.ids[3]: -100,
    }
    check_block(world.rules, island)


def test_scarcity_is_paid_by_nobody(cell_world: Any) -> None:
    """Each is billed what its meter shows, at the emergency tariff of the genesis; the margin is the community's."""
    world = cell_world(emergency_tariff=PRICES)
    clearing = world.block(*outage(world, FIRST), *orders(world, FIRST)).clearing
    assert clearing.prices[0] is not None and clearing.tariff == TariffStep(FIRST, 450, 20)
    after = world.block()
    assert after.confirmation == Confirmation(FIRST, timely=True, rent=0, emergency=True)
    assert not after.confirmation.stands and after.postings == ()
    metered = {0: 500, 1: -390, 2: 0, 3: -110}
    settled = world.block(*(world.reading(member, FIRST, net) for member, net in metered.items()))
    (settlement,) = settled.settlements
    assert settlement.tariff == TariffStep(FIRST, 450, 20)
    assert [world.balance(member) for member in range(4)] == [500 * 20, -390 * 450, 0, -110 * 450]
    assert (settlement.supplier, settlement.community) == (0, 500 * 450 - 500 * 20)
    assert all(line.contracted == 0 and line.price is None for line in settlement.lines)
    assert {moved.reason for block in world.outcomes for moved in block.postings} == {Reason.SETTLED}


def test_without_prices_of_its_own_an_emergency_settles_at_the_suppliers_tariff(world: Any) -> None:
    world.block(*outage(world, FIRST), *orders(world, FIRST))
    world.block()
    world.block(*(world.reading(member, FIRST, net) for member, net in enumerate((500, -390, 0, -110))))
    assert [world.balance(member) for member in range(4)] == [500 * FEED_IN, -390 * RETAIL, 0, -110 * RETAIL]


def test_intervals_that_a_block_skips_are_judged_by_what_was_said_before(cell_world: Any) -> None:
    world = cell_world(emergency_tariff=PRICES)
    world.block(*outage(world, FIRST))
    world.block(skip=4)
    records = world.state.records
    found = {interval: records[interval].tariff.import_price for interval in sorted(records)}
    assert found == {FIRST: 450, **{FIRST + at: 450 for at in (1, 2)}, FIRST + 3: RETAIL, FIRST + 4: RETAIL}


def test_when_it_is_over_the_market_goes_on_as_before(cell_world: Any) -> None:
    world, calm = cell_world(emergency_tariff=PRICES), cell_world(emergency_tariff=PRICES)
    world.block(*outage(world, FIRST))
    calm.block()
    for each in (world, calm):
        each.block(
            *(each.observe(member, FIRST, Seen.CONNECTED) for member in (0, 1)), *orders(each, FIRST + 1)
        )
        each.block()
    assert world.outcomes[1].clearing == calm.outcomes[1].clearing
    assert world.outcomes[2].confirmation == calm.outcomes[2].confirmation
    assert [world.balance(member) for member in range(4)] == [calm.balance(member) for member in range(4)]


@settings(RELAXED, max_examples=15)
@given(histories)
def test_money_and_energy_are_conserved_through_emergencies_and_blocks_prove_their_fills(
    cell_world: Any, history: list[dict[str, Any]]
) -> None:
    """What holds after every block is checked by the world itself; every other block has an outage in it."""
    world = cell_world(emergency_tariff=PRICES)
    dark = [(member, -1, Seen.ISLANDED) for member in (2, 3)]
    play(world, [{**step, "emergency": dark} if at % 2 == 0 else step for at, step in enumerate(history)])
    assert world.outcomes[0].clearing.emergency
    for outcomes in world.outcomes:
        clearing = outcomes.clearing
        if clearing.emergency:
            assert clearing.grid_import == clearing.grid_export == 0
            check_block(world.rules, clearing)
    assert world.replay()[0] == world.state


def test_a_genesis_without_emergency_prices_has_the_bytes_that_it_had(world: Any) -> None:
    plain = encode_rules(world.rules)
    assert len(plain) == 11
    priced = encode_rules(replace(world.rules, emergency_tariff=PRICES))
    assert priced == (*plain, None, None, None, (450, 20))
    assert decode_rules(priced).emergency_tariff == PRICES
    for wrong, where in (((450,), "2 fields"), ((450, b""), "export_price"), ((20, 450), "export_price")):
        with pytest.raises(InvalidRules, match=where):
            decode_rules((*plain, None, None, None, wrong))


def test_granted_power_is_served_first_whatever_the_others_offer(world: Any) -> None:
    """Of 500 on offer the one that bids least gets its critical 150 and its essential 100; the rest goes by price."""
    world.block(world.grant(3, 150, 100))
    island = world.block(*outage(world, FIRST + 1), *orders(world, FIRST + 1)).clearing
    positions = {world.ids.index(part.member): part.position for part in island.members}
    assert positions == {0: 500, 1: -250, 3: -250}
    check_block(world.rules, island)
    lit = world.block(*(world.observe(member, FIRST + 2, Seen.CONNECTED) for member in (0, 1)))
    assert not lit.clearing.emergency
    calm = world.block(*orders(world, FIRST + 3)).clearing
    assert {world.ids.index(part.member): part.position for part in calm.members} == {
        0: 500,
        1: -400,
        3: -100,
    }
    assert all(fill.limit_price < 1000 for part in calm.members for fill in part.fills)


def test_critical_power_goes_before_essential_power_and_each_class_shares_what_there_is(world: Any) -> None:
    world.block(world.grant(1, 300, 100), world.grant(3, 100, 900))
    gate = FIRST + 1
    said = [
        world.order(0, gate, sells=[(50, 500)]),
        world.order(1, gate, buys=[(60, 400)]),
        world.order(3, gate, buys=[(900, 400)]),
    ]
    island = world.block(*outage(world, gate), *said).clearing
    positions = {world.ids.index(part.member): part.position for part in island.members}
    assert positions == {0: 500, 1: -325, 3: -175}  # 300 and 100, and of the last 100 a share of 100 to 300


def test_only_an_operator_grants_and_what_is_taken_back_is_gone(world: Any) -> None:
    refused = world.block(
        world.grant(0, 10, 0, author=0), world.grant(5, 10, 0), world.grant(1, 10, 20)
    ).rejected
    assert {each.refusal for each in refused} == {Refusal.NOT_ENTITLED, Refusal.UNKNOWN_MEMBER}
    assert world.state.emergency.priorities == {world.ids[1]: Priority(10, 20)}
    world.block(world.grant(1, 0, 0))
    assert world.state.emergency.priorities == {}


steps = st.lists(
    st.tuples(st.integers(-MAX_PRICE, MAX_PRICE), st.integers(1, 10**6)),
    max_size=32,
    unique_by=lambda row: row[0],
)


@given(steps, st.integers(0, 10**6), st.integers(0, 10**6))
def test_serving_first_moves_no_energy_and_lifts_no_more_than_was_granted(
    rows: list[tuple[int, int]], critical: int, essential: int
) -> None:
    buys = tuple(Step(*row) for row in sorted(rows, reverse=True))
    lifted = served_first(buys, Priority(critical, essential), 3600)
    wanted = sum(step.quantity for step in buys)
    assert sum(step.quantity for step in lifted) == wanted
    prices = [step.price for step in lifted]
    assert prices == sorted(set(prices), reverse=True)
    first, second = (
        sum(step.quantity for step in lifted if step.price == price)
        for price in (CRITICAL_PRICE, ESSENTIAL_PRICE)
    )
    assert (first, second) == (min(wanted, critical), min(max(wanted - critical, 0), essential))
    assert all(step.price <= HIGHEST_OFFER for step in lifted[bool(first) + bool(second) :])
