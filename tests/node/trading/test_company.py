"""Members of a virtual battery at the node: one bids for all, and each follows its share of what was contracted."""

from dataclasses import dataclass, field, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.membership.members import Membership
from market.bidding import Account, Flexibility, SimpleBidder, Storage
from market.cell_state import CellState, ClearedInterval
from market.forecast import PriceForecast, PriceHistory, SeasonalNaive
from market.outcomes import BlockOutcomes, ClearingOutcome, MemberClearing
from market.payloads import Curve, Kind, Step
from market.rules import TariffStep, decode_rules
from market.units import NS_PER_S
from market.virtual_battery.book import VirtualBatteryBook
from node.constants import CAPACITY
from node.events import CommandPosition, Now, Publish, Report, SignEntry
from node.trading import trading_together
from node.trading.capacities import PLANS_KEPT, Capacities
from node.trading.company import Company, company_among, credible, flexibility_together, plan_of, shares_of
from node.trading.trading import Trading
from node.wire import MOST_PLANNED, Capacity, Plan, decode_capacity, encode_capacity
from sim.cells.keys import FIRST_INTERVAL, Keys, founded

KEYS = [Keys.of(index) for index in range(5)]
GENESIS = founded(KEYS)
RULES = decode_rules(GENESIS.application)
CALENDAR = RULES.calendar
MEMBERSHIP = Membership.founding(GENESIS)
AGGREGATOR, MEMBER, OTHER = (KEYS[index].member for index in (0, 2, 4))
"""All three sit on one branch."""
BOOK = (
    VirtualBatteryBook()
    .with_delegation(MEMBER, AGGREGATOR)
    .with_delegation(OTHER, AGGREGATOR)
    .with_aggregation(AGGREGATOR, tuple(sorted((MEMBER, OTHER))))
)
STATE = CellState(RULES, FIRST_INTERVAL - 1, balances={}, virtual_batteries=BOOK)  # type: ignore[arg-type]
COMPANY = company_among(BOOK.aggregators(RULES, FIRST_INTERVAL), MEMBER)
LEAD_NS = 300 * NS_PER_S
GATE_NS = CALENDAR.gate_closure_ns(FIRST_INTERVAL)
SPEED = 1200

energies = st.integers(0, 10**9)


@st.composite
def plans(draw: st.DrawFn) -> Plan:
    """What a member may say: it gives and takes in the interval no more than it has and has room for."""
    room, stored = draw(energies), draw(energies)
    charge, discharge = draw(st.integers(0, room)), draw(st.integers(0, stored))
    return Plan(FIRST_INTERVAL, draw(energies), draw(energies), room, stored, charge, discharge)


companies = st.sets(st.binary(min_size=32, max_size=32), min_size=2, max_size=6).map(
    lambda ids: Company(min(ids), min(ids), tuple(sorted(ids)))
)


@given(companies, st.data(), st.integers(-(10**10), 10**10))
def test_shares_sum_to_the_contract_and_ask_no_storage_for_more_than_it_said(
    company: Company, data: st.DataObject, position: int
) -> None:
    speaking = data.draw(st.sets(st.sampled_from(company.members)))
    said = {member: data.draw(plans()) for member in speaking}
    shares = shares_of(position, company, said)
    assert sum(shares.values()) == position
    assert shares.keys() == speaking | {company.aggregator}
    for member, plan in said.items():
        if member != company.aggregator:
            by_storage = shares[member] - (plan.generation - plan.load)
            assert -plan.charge <= by_storage <= plan.discharge


@given(companies, st.data(), st.integers(-(10**10), 10**10), st.randoms(use_true_random=False))
def test_everybody_computes_the_same_shares(
    company: Company, data: st.DataObject, position: int, chance: object
) -> None:
    said = {member: data.draw(plans()) for member in company.members}
    order = data.draw(st.permutations(list(said)))
    others_view = {member: said[member] for member in order}
    assert shares_of(position, company, said) == shares_of(position, company, others_view)


energy_or_more = st.integers(0, MOST_PLANNED)


@given(st.builds(Plan, st.just(FIRST_INTERVAL), *[energy_or_more] * 6))
def test_no_word_moves_more_than_the_metering_point_of_who_said_it(plan: Plan) -> None:
    stranger = KEYS[1].member
    (found,) = credible(COMPANY, {MEMBER: plan, stranger: plan}, RULES).values()
    point = RULES.member_index[MEMBER]
    most = max(RULES.max_injection(point), RULES.max_withdrawal(point))
    assert max(found.load, found.generation, found.charge, found.discharge) <= most
    assert (found.room, found.stored, found.interval) == (plan.room, plan.stored, plan.interval)
    shares = shares_of(0, COMPANY, {MEMBER: found})
    assert all(abs(share) <= 2 * most for share in shares.values())


def test_who_is_short_of_power_is_served_from_the_others_surplus() -> None:
    """A needs 200 and can give 100, B needs 50 and can give 150: nothing is contracted, and both run."""
    a, b = bytes(32), b"\x01" * 32
    company = Company(a, a, (a, b))
    said = {
        a: Plan(0, load=200, generation=0, room=0, stored=100, charge=0, discharge=100),
        b: Plan(0, load=50, generation=0, room=0, stored=150, charge=0, discharge=150),
    }
    assert shares_of(0, company, said) == {a: -100, b: 100}


def test_the_fullest_give_first_and_the_emptiest_take_first() -> None:
    full, empty = bytes(32), b"\x01" * 32
    company = Company(full, full, (full, empty))
    said = {
        full: Plan(0, 0, 0, room=1000, stored=9000, charge=1000, discharge=4000),
        empty: Plan(0, 0, 0, room=9000, stored=1000, charge=4000, discharge=1000),
    }
    assert shares_of(3000, company, said) == {full: 3000, empty: 0}
    assert shares_of(-3000, company, said) == {full: 0, empty: -3000}


def test_what_storages_cannot_do_falls_to_the_aggregator() -> None:
    said = {MEMBER: Plan(0, load=700, generation=0, room=0, stored=100, charge=0, discharge=100)}
    assert shares_of(-1000, COMPANY, said) == {MEMBER: -700, AGGREGATOR: -300}


def test_all_together_are_offered_as_if_they_stood_on_one_connection() -> None:
    own = Flexibility(10, 20, 30, 40, 900_000, 7, Storage(100, 200, 30, 40, 900_000, 5))
    whole = flexibility_together(own, [Plan(7, 1, 2, 3, 4, 3, 4), Plan(7, 5, 6, 7, 8, 7, 8)])
    assert whole == Flexibility(16, 28, 40, 52, 900_000, 7, Storage(110, 212, 40, 52, 900_000, 5))


@given(st.lists(st.builds(Plan, st.just(7), *[st.integers(0, MOST_PLANNED)] * 6), max_size=30))
def test_whatever_others_say_an_order_can_be_made_of_it(others: list[Plan]) -> None:
    own = Flexibility(10, 20, 30, 40, 900_000, 7, Storage(100, 200, 30, 40, 900_000, 5))
    history = PriceHistory(4, (50_000, 100_000, 200_000, 300_000)).forecast()
    assert history is not None
    account = Account(300_000, 40_000, 10**12, 10**12)
    curve = SimpleBidder().orders(flexibility_together(own, others), history, account)
    assert sum(step.quantity for step in curve.buys) <= account.max_withdrawal


def test_a_plan_survives_its_message_and_is_never_more_than_one_may_say() -> None:
    huge = plan_of(Flexibility(interval=3), Storage(2**60, 2**60, 5, 6))
    assert (huge.room, huge.stored, huge.charge, huge.discharge) == (MOST_PLANNED, MOST_PLANNED, 5, 6)
    capacity = Capacity(1, 2, 3, 500, 1000, 0, 4, 5, plan=huge)
    assert decode_capacity(encode_capacity(capacity)) == capacity


@dataclass(slots=True)
class Asked:
    """A bidder that offers the same and remembers what it was told."""

    told: list[tuple[Flexibility, Account]] = field(default_factory=list)

    def orders(self, flexibility: Flexibility, forecast: PriceForecast, account: Account) -> Curve:
        self.told.append((flexibility, account))
        return Curve((Step(200_000, 1_000),), ())


def trader(member: bytes) -> Trading:
    rule = RULES.member(member)
    assert rule is not None
    return Trading(
        rules=RULES,
        rule=rule,
        bidder=Asked(),
        first_interval=FIRST_INTERVAL,
        last_trading_interval=None,
        order_lead_ns=LEAD_NS,
        efficiency_ppm=900_000,
        load=SeasonalNaive(24),
        generation=SeasonalNaive(24),
        prices=PriceHistory(24),
    )


def at(cell_ns: int) -> Now:
    return Now(cell_ns // SPEED, cell_ns, SPEED)


@dataclass(frozen=True, slots=True)
class Seen:
    """As much of a tip as trading looks at."""

    state: CellState = STATE
    membership: Membership = MEMBERSHIP


def test_members_say_their_plan_before_the_aggregator_bids_for_all() -> None:
    member, aggregator = trader(MEMBER), trader(AGGREGATOR)
    heard, own = Capacities(), Capacities()
    for trading in (member, aggregator):
        assert trading_together.bid(trading, Capacities(), Seen(), at(GATE_NS - 3 * LEAD_NS)) == []  # type: ignore[arg-type]
    speaks_ns, bids_ns = (each.next_order_ns(GATE_NS - 3 * LEAD_NS) for each in (member, aggregator))
    assert (speaks_ns, bids_ns) == (GATE_NS - 2 * LEAD_NS, GATE_NS - LEAD_NS)
    (said,) = trading_together.bid(member, own, Seen(), at(GATE_NS - 2 * LEAD_NS))  # type: ignore[arg-type]
    assert isinstance(said, Publish) and said.topic == CAPACITY
    assert trading_together.bid(member, own, Seen(), at(GATE_NS - LEAD_NS)) == []  # type: ignore[arg-type]
    heard.hear(KEYS[2].public, said.data)
    plan = decode_capacity(said.data).plan
    assert plan is not None and plan.interval == FIRST_INTERVAL
    published, order = trading_together.bid(aggregator, heard, Seen(), at(GATE_NS - LEAD_NS))  # type: ignore[arg-type]
    assert isinstance(published, Publish) and isinstance(order, SignEntry)
    assert (order.kind, order.interval) == (Kind.ORDER, FIRST_INTERVAL)
    assert isinstance(aggregator.bidder, Asked)
    ((_, account),) = aggregator.bidder.told
    points = [RULES.member_index[each] for each in COMPANY.members]
    assert account.max_injection == sum(RULES.max_injection(point) for point in points)


def cleared(position: int) -> tuple[CellState, BlockOutcomes]:
    """A state and outcomes in which the aggregator has contracted something for all."""
    tariff = TariffStep(0, 300_000, 40_000)
    part = MemberClearing(AGGREGATOR, 1, 150_000, position, ())
    clearing = ClearingOutcome(
        FIRST_INTERVAL, tariff, (None, 150_000, None), (0, 0, 0), 0, 0, 0, 0, (part,), ()
    )
    aggregators = BOOK.aggregators(RULES, FIRST_INTERVAL)
    pending = ClearedInterval(
        FIRST_INTERVAL, tariff, (None, 150_000, None), {AGGREGATOR: position}, 0, 0, aggregators=aggregators
    )
    outcomes = BlockOutcomes(1, range(0), None, (), clearing, (), (), (), ())
    return replace(STATE, pending=pending), outcomes


SAID = {
    AGGREGATOR: Plan(FIRST_INTERVAL, 100, 0, 0, 0, 0, 0),
    MEMBER: Plan(FIRST_INTERVAL, 300, 0, 500, 500, 500, 500),
    OTHER: Plan(FIRST_INTERVAL, 0, 0, 1000, 0, 1000, 0),
}


def test_each_follows_its_share_and_they_sum_to_what_was_contracted() -> None:
    state, outcomes = cleared(-700)
    commanded = [
        trader(member).decided(state, outcomes, True, at(GATE_NS + NS_PER_S), SAID)
        for member in (AGGREGATOR, MEMBER, OTHER)
    ]
    positions = [effect.energy for _, effect in commanded if isinstance(effect, CommandPosition)]
    assert positions == [-100, -300, -300]
    reports = [told.fields for told, _ in commanded if isinstance(told, Report)]
    assert [each["energy_mwh"] for each in reports] == positions
    assert all((each["contracted_mwh"], each["members"], each["heard"]) == (-700, 3, 3) for each in reports)


def test_a_member_nobody_has_heard_runs_on_its_own_and_the_others_share_without_it() -> None:
    state, outcomes = cleared(-400)
    said = {AGGREGATOR: SAID[AGGREGATOR], OTHER: SAID[OTHER]}
    _, report = trader(MEMBER).decided(state, outcomes, True, at(GATE_NS + NS_PER_S), said)
    assert isinstance(report, Report) and report.event == "local_fallback"
    _, command = trader(OTHER).decided(state, outcomes, True, at(GATE_NS + NS_PER_S), said)
    assert command == CommandPosition(FIRST_INTERVAL, -300)


@pytest.mark.parametrize("later", range(PLANS_KEPT + 2))
def test_the_plan_of_an_interval_is_still_known_when_the_next_ones_were_said(later: int) -> None:
    heard = Capacities()
    for interval in range(FIRST_INTERVAL, FIRST_INTERVAL + later + 1):
        plan = replace(SAID[MEMBER], interval=interval)
        heard.hear(KEYS[2].public, encode_capacity(Capacity(1, 2, 3, 500, 1000, 0, 4, 5, plan=plan)))
    found = heard.plans(FIRST_INTERVAL, MEMBERSHIP, AGGREGATOR)
    assert found == ({MEMBER: SAID[MEMBER]} if later < PLANS_KEPT else {})


def test_who_is_gone_has_still_said_its_plan_and_who_is_no_member_has_not() -> None:
    heard = Capacities()
    message = encode_capacity(Capacity(1, 2, 3, 500, 1000, 0, 4, 5, plan=SAID[MEMBER]))
    heard.hear(KEYS[2].public, message)
    heard.hear(b"?" * 32, message)
    heard.forget(KEYS[2].public)
    assert heard.plans(FIRST_INTERVAL, MEMBERSHIP, AGGREGATOR) == {MEMBER: SAID[MEMBER]}
    heard.keep(())
    assert heard.plans(FIRST_INTERVAL, MEMBERSHIP, AGGREGATOR) == {}
