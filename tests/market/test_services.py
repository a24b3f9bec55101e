"""Grid services pay what was armed, available and delivered, from the dso that buys; in a cell to play with."""

from typing import Any

import pytest
from cell_histories import RELAXED, histories, play
from hypothesis import given
from hypothesis import strategies as st

from ledger.encoding import Value, decode
from ledger.errors import PeerError
from market.cell_state import member_account
from market.errors import MalformedPayload
from market.outcomes import Refusal
from market.services.book import LEAF_KEY, book_of_leaves
from market.services.payloads import (
    ServiceReport,
    decode_armed,
    decode_report,
    decode_request,
    decode_terms,
    decode_withdrawal,
)
from market.services.payments import ServiceLine, _count_call, _Part
from market.services.shares import Call, eligible_branches, split
from market.settlement import Reason

FIRST, DSO = 100, 5
FEED_IN, RETAIL = 40, 300


def refusals(outcomes: Any) -> list[Refusal]:
    return [each.refusal for each in outcomes.rejected]


def armed(world: Any, *powers: tuple[int, int], **terms: Any) -> None:
    """A block with terms, and one in which members 0, 1, ... arm for the intervals 102 to 104."""
    assert not world.block(world.terms(FIRST + 1, **terms)).rejected
    arming = [
        world.arm(member, FIRST + 2, FIRST + 4, *power, name=terms.get("name", b"flex"))
        for member, power in enumerate(powers)
    ]
    assert not world.block(*arming).rejected


def settled(world: Any, interval: int, nets: dict[int, int], *entries: Any) -> dict[int, ServiceLine]:
    """Blocks until an interval settles on these readings (others: nothing); its lines by member."""
    while (delivered := world.state.last_interval - 1) < interval:
        world.block(*(world.reading(member, delivered, 0) for member in range(4) if delivered >= FIRST))
    readings = [world.reading(member, interval, nets.get(member, 0)) for member in range(4)]
    outcomes = world.block(*readings, *entries)
    assert interval in [each.interval for each in outcomes.settlements if not each.correction]
    return {world.ids.index(line.member): line for line in outcomes.services if line.interval == interval}


def test_armed_capacity_is_paid_by_the_dso_as_far_as_it_was_available(world: Any) -> None:
    armed(world, (600, 200))
    lines = settled(world, FIRST + 2, {}, world.service_report(0, FIRST + 2, 750_000))
    assert lines[0].capacity_money == 5 * 450 + 4 * 150
    assert lines[0].posted == 2850 == -world.balance(DSO) == world.balance(0)


def test_without_a_report_nothing_is_paid_for_capacity(world: Any) -> None:
    armed(world, (600, 200))
    lines = settled(world, FIRST + 2, {})
    assert lines[0].available_ppm == lines[0].posted == 0


def test_what_the_dso_activated_is_no_imbalance(world: Any) -> None:
    armed(world, (600, 0), (200, 0))
    start_ns = world.rules.calendar.start_ns(FIRST + 2)
    request = world.request(400, start_ns)
    reports = [world.service_report(member, FIRST + 2) for member in (0, 1)]
    lines = settled(world, FIRST + 2, {0: 300, 1: 90}, request, *reports)
    assert [lines[member].required for member in (0, 1)] == [300, 100]
    assert [lines[member].activated for member in (0, 1)] == [300, 90]
    assert [lines[member].energy_money for member in (0, 1)] == [30_000, 9_000]
    # The settlement paid both feed-in for a surplus; the dso takes that over, with what it pays for.
    assert world.balance(0) == FEED_IN * 300 + 30_000 - FEED_IN * 300 + 5 * 600
    assert world.balance(1) == 9_000 + 5 * (200 * 90 // 100)
    assert world.balance(DSO) == FEED_IN * 390 - 39_000 - 3_000 - 900


def test_a_request_down_pays_the_imbalance_back_and_charges_its_own_price(world: Any) -> None:
    armed(world, (0, 500), down_energy_price=-20)
    start_ns = world.rules.calendar.start_ns(FIRST + 2)
    lines = settled(
        world, FIRST + 2, {0: -450}, world.request(-400, start_ns), world.service_report(0, FIRST + 2)
    )
    assert (lines[0].required, lines[0].activated) == (-400, -400)
    assert lines[0].energy_money == -20 * 400
    assert world.balance(0) == -RETAIL * 50 - 20 * 400 + 4 * 500
    assert world.balance(DSO) == -RETAIL * 400 + 20 * 400 - 4 * 500


def test_who_gives_more_makes_up_for_who_drops_out_and_only_that(world: Any) -> None:
    armed(world, (400, 0), (400, 0), (400, 0), up_mw=1200)
    request = world.request(600, world.rules.calendar.start_ns(FIRST + 2))
    lines = settled(world, FIRST + 2, {0: 390, 1: 290, 2: 0}, request)
    assert [lines[member].required for member in range(3)] == [200, 200, 200]
    assert sum(line.activated for line in lines.values()) == 600
    # 200 are missing; beyond its share one has 190 more and the other 90.
    assert [lines[member].activated for member in range(3)] == [336, 264, 0]


def test_a_request_that_is_taken_back_asks_and_pays_for_what_was_until_then(world: Any) -> None:
    armed(world, (400, 0))
    start_ns = world.rules.calendar.start_ns(FIRST + 2)
    request = world.request(400, start_ns)
    withdrawal = world.withdrawal(request, start_ns + 900 * 10**9)
    lines = settled(world, FIRST + 2, {0: 150}, request, withdrawal)
    assert (lines[0].required, lines[0].activated) == (100, 100)
    assert lines[0].energy_money == 100 * 100
    # The rest of what the meter shows is a surplus like any other.
    assert world.balance(0) == FEED_IN * 50 + 10_000


def test_a_request_that_never_began_is_worth_nothing_once_it_is_taken_back(world: Any) -> None:
    armed(world, (400, 0))
    start_ns = world.rules.calendar.start_ns(FIRST + 2)
    request = world.request(400, start_ns)
    withdrawal = world.withdrawal(request, start_ns - 60 * 10**9)
    lines = settled(world, FIRST + 2, {0: 400}, request, withdrawal)
    assert (lines[0].required, lines[0].activated, world.balance(0)) == (0, 0, FEED_IN * 400)


def test_only_who_asked_takes_back_and_only_what_has_not_ended(world: Any) -> None:
    armed(world, (400, 0))
    start_ns = world.rules.calendar.start_ns(FIRST + 2)
    request = world.request(400, start_ns)
    at_ns = start_ns + 60 * 10**9
    strange = world.withdrawal(world.request(1, start_ns), at_ns)
    stranger = world.withdrawal(request, at_ns, member=0)
    late = world.withdrawal(request, start_ns + 3600 * 10**9)
    outcomes = world.block(request, strange, stranger, late)
    assert sorted(refusals(outcomes)) == [*[Refusal.NOT_ENTITLED] * 2, Refusal.WINDOW_CLOSED]
    again = world.block(world.withdrawal(request, at_ns), world.withdrawal(request, at_ns))
    assert refusals(again) == [Refusal.WINDOW_CLOSED]
    leaves = {
        key.removeprefix(LEAF_KEY): decode(leaf, max_bytes=10**6)
        for key, leaf in world.state.services.leaves()
    }
    assert book_of_leaves(leaves) == world.state.services
    assert world.state.services.requests[-1].end_ns == at_ns


@given(
    st.lists(st.tuples(st.integers(0, 500), st.integers(0, 500)), min_size=1, max_size=4),
    st.integers(1, 2000),
)
def test_of_an_equalised_request_nobody_owes_what_another_gave(
    powers: list[tuple[int, int]], asked: int
) -> None:
    """Each pair is what a member armed and what its meter shows; the sums are exact, whoever gave."""
    armed_mwh = {bytes([m]) * 32: armed for m, (armed, _) in enumerate(powers)}
    shown = {bytes([m]) * 32: shown for m, (_, shown) in enumerate(powers)}
    required = split(asked, armed_mwh)
    most = {member: armed_mwh[member] for member in required}
    parts = {(b"flex", member): _Part() for member in required}
    _count_call(Call(b"flex", 1, required, most, equalised=True), dict(shown), parts)
    given = {member: parts[b"flex", member].delivered[0] for member in required}
    owed = {member: parts[b"flex", member].required[0] for member in required}
    possible = sum(min(most[member], shown[member]) for member in required)
    assert sum(given.values()) == min(sum(required.values()), possible)
    assert sum(owed.values()) == sum(required.values())
    for member in required:
        assert 0 <= given[member] <= min(shown[member], most[member])
        assert given[member] <= owed[member] <= most[member]
        if sum(given.values()) == sum(required.values()):
            assert owed[member] == given[member]


def test_half_an_hour_asks_for_half_the_energy(world: Any) -> None:
    armed(world, (400, 0))
    start_ns = world.rules.calendar.start_ns(FIRST + 2) + 1800 * 10**9
    lines = settled(world, FIRST + 2, {0: 400}, world.request(400, start_ns, 3600))
    assert (lines[0].required, lines[0].activated) == (200, 200)


def test_a_branch_and_what_is_below_it_answer_for_it(world: Any) -> None:
    rules = world.rules
    assert eligible_branches(rules, None, None) == {0, 1, 2}
    assert eligible_branches(rules, 0, None) == {0, 1, 2}
    assert eligible_branches(rules, 1, None) == {1}
    assert eligible_branches(rules, 1, 1) == {0, 1}
    assert eligible_branches(rules, 1, 2) == {0, 1, 2}
    armed(world, (400, 0), (400, 0))
    request = world.request(300, rules.calendar.start_ns(FIRST + 2), branch=1)
    lines = settled(world, FIRST + 2, {}, request)
    assert [lines[member].required for member in (0, 1)] == [0, 300]


def test_more_than_the_dso_buys_is_cut_in_proportion(world: Any) -> None:
    armed(world, (600, 0), (300, 0), up_mw=300)
    reports = [world.service_report(member, FIRST + 2) for member in (0, 1)]
    lines = settled(world, FIRST + 2, {}, *reports)
    assert [lines[member].armed_up_mw for member in (0, 1)] == [200, 100]


def test_a_curve_is_paid_by_what_was_asked_reported_and_metered(world: Any) -> None:
    armed(world, (500, 500), name=b"fcr-ce", requested=False)
    report = world.service_report(0, FIRST + 2, 10**6, 200, 100, 150, 50, name=b"fcr-ce")
    lines = settled(world, FIRST + 2, {0: 70}, report)
    assert (lines[0].required, lines[0].activated) == (100, 70)
    assert lines[0].capacity_money == 5 * 375 + 4 * 250
    assert lines[0].returned_money == -FEED_IN * 70


def test_a_later_reading_corrects_what_a_service_paid(world: Any) -> None:
    armed(world, (600, 0))
    request = world.request(400, world.rules.calendar.start_ns(FIRST + 2))
    settled(world, FIRST + 2, {0: 100}, request, world.service_report(0, FIRST + 2))
    (line,) = world.block(world.reading(0, FIRST + 2, 400)).services
    assert (line.activated, line.posted) == (400, 300 * (100 - FEED_IN) + 5 * 450)
    assert world.balance(0) == 400 * 100 + 5 * 600


def test_an_estimate_proves_no_delivery(world: Any) -> None:
    armed(world, (600, 0))
    world.block(world.request(400, world.rules.calendar.start_ns(FIRST + 2)))
    while not (outcomes := world.block()).services:
        pass
    (line,) = outcomes.services
    assert (line.required, line.activated, line.posted) == (400, 0, 0)


def test_a_service_of_a_dso_that_is_frozen_ends(world: Any) -> None:
    armed(world, (600, 0))
    world.freeze(DSO)
    world.block()
    assert world.state.services.terms_at(b"flex", FIRST + 3).terms.up_mw == 0
    for _ in range(12):
        world.block()
    assert not world.state.services.terms
    assert not world.state.services.armed


@pytest.mark.parametrize(
    ("refusal", "make"),
    [
        (Refusal.NOT_ENTITLED, lambda w: w.terms(FIRST + 9, member=0)),
        (Refusal.GATE_CLOSED, lambda w: w.terms(FIRST + 2)),
        (Refusal.MALFORMED, lambda w: w.terms(FIRST + 9, requested=False)),
        (Refusal.UNKNOWN_SERVICE, lambda w: w.arm(0, FIRST + 2, FIRST + 3, 1, 1, b"other")),
        (Refusal.GATE_CLOSED, lambda w: w.arm(0, FIRST + 1, FIRST + 3, 1, 1)),
        (Refusal.MALFORMED, lambda w: w.arm(0, FIRST + 3, FIRST + 2, 1, 1)),
        (Refusal.BEYOND_HORIZON, lambda w: w.arm(0, FIRST + 2, FIRST + 99, 1, 1)),
        (Refusal.IMPLAUSIBLE, lambda w: w.arm(0, FIRST + 2, FIRST + 3, 2001, 1)),
        (Refusal.NO_METERING_POINT, lambda w: w.arm(DSO, FIRST + 2, FIRST + 3, 1, 1)),
        (Refusal.NOT_DELIVERED, lambda w: w.service_report(0, FIRST + 2)),
        (Refusal.NOT_ARMED, lambda w: w.service_report(0, FIRST)),
        (Refusal.NOT_ENTITLED, lambda w: w.request(5, w.rules.calendar.start_ns(FIRST + 2), member=0)),
        (
            Refusal.UNKNOWN_SERVICE,
            lambda w: w.request(5, w.rules.calendar.start_ns(FIRST + 2), name=b"other"),
        ),
        (Refusal.GATE_CLOSED, lambda w: w.request(5, w.rules.calendar.start_ns(FIRST - 1))),
        (Refusal.BEYOND_HORIZON, lambda w: w.request(5, w.rules.calendar.start_ns(FIRST + 30))),
        (Refusal.MALFORMED, lambda w: w.request(5, w.rules.calendar.start_ns(FIRST + 2), branch=7)),
    ],
)
def test_what_does_not_count_is_refused_with_its_reason(world: Any, refusal: Refusal, make: Any) -> None:
    world.block(world.terms(FIRST + 1))
    world.block()
    assert refusals(world.block(make(world))) == [refusal]


def test_the_first_report_counts_and_none_after_the_settlement(world: Any) -> None:
    armed(world, (600, 0))
    world.block()
    world.block()
    twice = [world.service_report(0, FIRST + 2, ppm) for ppm in (500_000, 10**6)]
    readings = [world.reading(member, FIRST + 2, 0) for member in range(4)]
    outcomes = world.block(*twice, *readings)
    assert refusals(outcomes) == [Refusal.NOT_BETTER]
    assert [line.available_ppm for line in outcomes.services] == [500_000]
    assert refusals(world.block(world.service_report(0, FIRST + 2))) == [Refusal.WINDOW_CLOSED]


@RELAXED
@given(histories)
def test_what_services_pay_comes_from_the_dso_alone(cell_world: Any, history: list[dict[str, Any]]) -> None:
    """Every posting set of services sums to zero, moves members' money only, and is what its lines say."""
    world = cell_world()
    play(world, history)
    payer = world.ids[DSO]
    for outcomes in world.outcomes:
        moved: dict[bytes, int] = {}
        for posted in outcomes.postings:
            if posted.reason == Reason.SERVICES:
                for posting in posted.postings:
                    moved[posting.account] = moved.get(posting.account, 0) + posting.amount
        said: dict[bytes, int] = {}
        for line in outcomes.services:
            assert line.payer == payer
            said[member_account(line.member)] = said.get(member_account(line.member), 0) + line.posted
        said[member_account(payer)] = -sum(said.values())
        assert {k: v for k, v in moved.items() if v} == {k: v for k, v in said.items() if v}


@RELAXED
@given(histories)
def test_no_more_is_activated_than_the_meter_shows(cell_world: Any, history: list[dict[str, Any]]) -> None:
    world = cell_world()
    play(world, history)
    for outcomes in world.outcomes:
        imbalance = {
            (settlement.interval, line.member): line.imbalance
            for settlement in outcomes.settlements
            for line in settlement.lines
        }
        activated: dict[tuple[int, bytes], list[int]] = {}
        for line in outcomes.services:
            activated.setdefault((line.interval, line.member), []).append(line.activated)
        for key, energies in activated.items():
            if key in imbalance:
                total = sum(energies)
                low, high = sorted((0, imbalance[key]))
                assert low <= total <= high
                assert all(low <= energy <= high for energy in energies)


@given(st.integers(0, 10**7), st.dictionaries(st.binary(min_size=1, max_size=2), st.integers(0, 10**6)))
def test_a_split_is_exact_and_within_its_weights(total: int, weights: dict[bytes, int]) -> None:
    parts = split(total, weights)
    assert sum(parts.values()) == min(total, sum(weights.values()))
    assert all(0 <= part <= weights[member] for member, part in parts.items())


PAYLOADS: st.SearchStrategy[tuple[Value, ...]] = st.lists(
    st.integers(-3, 300) | st.none() | st.sampled_from([b"flex", b"", b"Flex", b"x" * 49]), max_size=9
).map(tuple)


@given(PAYLOADS)
def test_a_payload_reads_or_is_malformed(payload: tuple[Value, ...]) -> None:
    for read in (decode_terms, decode_armed, decode_report, decode_request, decode_withdrawal):
        try:
            read(payload)
        except MalformedPayload:
            continue


def test_more_delivered_than_asked_is_no_report() -> None:
    with pytest.raises(PeerError):
        ServiceReport(b"flex", 10**6, 5, 0, 6, 0)
