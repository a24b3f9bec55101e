"""What a node does of events: leases of limits, requests slice by slice, limits of a branch, prices to expect."""

import json
from dataclasses import replace
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from vtn_bench import PROGRAM, event

from devices.limits import PowerRange
from devices.messages.control_messages import MeterRecord
from devices.messages.orders import Restrict
from devices.openadr.book import Client, EventBook
from devices.openadr.timeline import Matter, Timeline
from market.intervals import Calendar
from market.payloads import Kind, decode_limit
from market.services.payloads import ServiceRequest, decode_request
from node.demand.baseline import MOST_KEPT, Baseline
from node.demand.calls import Calls, DsoRule
from node.demand.demand import Demand
from node.demand.site_limits import SiteLimits, SiteRule
from node.events import Effect, Now, Order, Report, SignEntry

S = 10**9
DAY_NS = 1_700_006_400 * S
RULE = SiteRule(import_limit_w=10_000.0, level_shares=(1.0, 0.75, 0.5, 0.25), least_import_w=500.0)


def book(*events: dict[str, Any]) -> EventBook:
    found = EventBook(Client("ada", "site"))
    found.take([PROGRAM], events)
    assert found.refused == ()
    return found


def now(seconds: float, speed: int = 1) -> Now:
    return Now(round(seconds * S / speed), DAY_NS + round(seconds * S), speed)


def leases(effects: list[Effect]) -> list[tuple[float, float, float]]:
    orders = [each.order for each in effects if isinstance(each, Order)]
    return [
        (order.limits.minimum_w, order.limits.maximum_w, order.duration_s)
        for order in orders
        if isinstance(order, Restrict)
    ]


def test_a_limit_is_leased_once_until_its_events_end_and_then_it_is_over() -> None:
    timeline = book(
        event("e", "IMPORT_CAPACITY_LIMIT", 4.0), event("x", "EXPORT_CAPACITY_LIMIT", 1.0)
    ).timeline
    limits = SiteLimits(RULE)
    assert leases(limits.due(None, timeline, now(-1))) == []
    assert leases(limits.due(None, timeline, now(0))) == [(-4000.0, 1000.0, 3600.0)]
    assert leases(limits.due(None, timeline, now(1))) == []
    assert leases(limits.due(None, timeline, now(3600))) == [(-1e9, 1e9, 1.0)]
    assert leases(limits.due(None, timeline, now(3601))) == []


def test_cell_time_runs_faster_than_a_lease() -> None:
    timeline = book(event("e", "IMPORT_CAPACITY_LIMIT", 4.0)).timeline
    assert leases(SiteLimits(RULE).due(None, timeline, now(0, speed=1200))) == [(-4000.0, 1e9, 3.0)]


def test_a_deleted_event_frees_the_site_at_once_and_a_new_value_holds_at_once() -> None:
    limits = SiteLimits(RULE)
    limits.due(None, book(event("e", "IMPORT_CAPACITY_LIMIT", 4.0)).timeline, now(0))
    changed = book(event("e", "IMPORT_CAPACITY_LIMIT", 2.0)).timeline
    assert leases(limits.due(None, changed, now(5))) == [(-2000.0, 1e9, 3595.0)]
    assert leases(limits.due(None, Timeline(), now(6))) == [(-1e9, 1e9, 1.0)]


def test_levels_leave_a_share_and_never_less_than_the_owner_keeps() -> None:
    for level, drawn_w in ((1, 7_500), (2, 5_000), (3, 2_500)):
        wanted = RULE.wanted(book(event("e", "SIMPLE", level)).timeline, DAY_NS)
        assert wanted == PowerRange(-drawn_w, 1e9)
    assert RULE.wanted(book(event("e", "SIMPLE", 0)).timeline, DAY_NS) is None
    shut = book(event("e", "SIMPLE", 3), event("f", "DISPATCH_SETPOINT", 0.0)).timeline
    assert RULE.wanted(shut, DAY_NS) == PowerRange(-500.0, 1e9)


def test_a_part_of_a_branch_limit_and_an_event_hold_together() -> None:
    timeline = book(event("e", "IMPORT_CAPACITY_LIMIT", 4.0)).timeline
    limits = SiteLimits(RULE)
    part = (PowerRange(-3000.0, 2000.0), DAY_NS + 900 * S)
    assert leases(limits.due(part, timeline, now(0))) == [(-3000.0, 2000.0, 3600.0)]
    assert leases(limits.due(None, timeline, now(900))) == [(-4000.0, 1e9, 2700.0)]


def test_without_a_vtn_a_part_of_a_branch_limit_is_leased_for_its_interval() -> None:
    limits = SiteLimits(None)
    part = (PowerRange(-3000.0, 2000.0), DAY_NS + 900 * S)
    assert leases(limits.due(part, Timeline(), now(100))) == [(-3000.0, 2000.0, 800.0)]
    assert leases(limits.due(None, Timeline(), now(101))) == []
    assert leases(limits.due(None, Timeline(), now(901))) == []


@settings(max_examples=20)
@given(st.lists(st.tuples(st.integers(0, 8), st.integers(1, 4)), max_size=6), st.integers(1, 5))
def test_what_was_leased_is_always_what_is_wanted(steps: list[tuple[int, int]], every: int) -> None:
    """Laws: at every moment a lease runs that is what events and parts leave, or nothing is wanted and none runs."""
    timeline = Timeline()
    limits = SiteLimits(RULE)
    held: tuple[PowerRange, float] | None = None
    events = [
        event(f"e{number}", "IMPORT_CAPACITY_LIMIT", float(kw), start_ns=DAY_NS + at * 60 * S, lasts="PT2M")
        for number, (at, kw) in enumerate(steps)
    ]
    if events:
        timeline = book(*events).timeline
    for second in range(0, 700, 7 * every):
        for minimum_w, maximum_w, lasts_s in leases(limits.due(None, timeline, now(second))):
            held = (PowerRange(minimum_w, maximum_w), second + lasts_s)
        wanted = RULE.wanted(timeline, DAY_NS + second * S)
        running = None if held is None or held[1] <= second or held[0].minimum_w == -1e9 else held[0]
        assert running == wanted


HOUR_NS = 3_600 * S
CALENDAR = Calendar(3600, 0)
BEFORE = DAY_NS // HOUR_NS - 1
"""The interval before the events."""


def metered(site: Demand, interval: int, drawn: int, given: int = 0, *, complete: bool = True) -> None:
    """The own meter counted so many mWh in an hour."""
    site.metered(MeterRecord(interval, given, drawn, complete, ()), CALENDAR)


def test_a_site_draws_so_much_less_than_just_before_for_the_whole_change() -> None:
    site = Demand(book(event("e", "DISPATCH_SETPOINT_RELATIVE", -1.5, -1.0, -9.0)), SiteLimits(RULE))
    metered(site, BEFORE - 1, 9_000_000)
    assert site.limits.due(None, site.timeline, now(-1)) == []
    assert leases(site.limits.due(None, site.timeline, now(0))) == [(-7500.0, 1e9, 10_800.0)]
    metered(site, BEFORE, 5_000_000, 1_000_000)  # what is metered last comes a moment late
    assert leases(site.limits.due(None, site.timeline, now(2))) == [(-2500.0, 1e9, 10_798.0)]
    metered(site, BEFORE + 1, 2_400_000)  # what it draws meanwhile is not what it is measured by
    assert leases(site.limits.due(None, site.timeline, now(3600))) == [(-3000.0, 1e9, 7200.0)]
    assert leases(site.limits.due(None, site.timeline, now(7200))) == [(-500.0, 1e9, 3600.0)]
    assert leases(site.limits.due(None, site.timeline, now(10_800))) == [(-1e9, 1e9, 1.0)]


def test_a_change_and_a_limit_hold_together_and_a_lease_is_no_longer_than_they_are() -> None:
    both = event("c", "DISPATCH_SETPOINT_RELATIVE", -1.0), event("e", "IMPORT_CAPACITY_LIMIT", 4.0, 2.0)
    site = Demand(book(*both), SiteLimits(RULE))
    metered(site, BEFORE, 4_500_000)
    assert leases(site.limits.due(None, site.timeline, now(0))) == [(-3500.0, 1e9, 7200.0)]
    assert leases(site.limits.due(None, site.timeline, now(3600))) == [(-2000.0, 1e9, 3600.0)]


def test_a_site_is_never_made_to_draw_more_and_does_not_say_that_it_does() -> None:
    more = event(
        "e", "DISPATCH_SETPOINT_RELATIVE", 2.0, reportDescriptors=[{"payloadType": "OPERATING_STATE"}]
    )
    site = Demand(book(more), SiteLimits(RULE))
    metered(site, BEFORE, 4_000_000)
    assert site.limits.due(None, site.timeline, now(0)) == []
    ((_, report),) = site.reports(now(3601))
    assert '"NORMAL"' in json.dumps(report)


def test_without_a_whole_interval_just_before_nothing_is_done_and_that_is_said_once() -> None:
    site = Demand(book(event("e", "DISPATCH_SETPOINT_RELATIVE", -1.0)), SiteLimits(RULE))
    metered(site, BEFORE - 3, 4_000_000)
    metered(site, BEFORE, 4_000_000, complete=False)
    first, again = (site.limits.due(None, site.timeline, now(at)) for at in (0, 1))
    assert [each.event for each in first if isinstance(each, Report)] == ["demand_not_called"]
    assert leases(first) == [] and again == []


def test_what_the_site_changed_is_reported_against_what_it_drew_before() -> None:
    less = event("e", "DISPATCH_SETPOINT_RELATIVE", -1.0, reportDescriptors=[{"payloadType": "DELTA_USAGE"}])
    site = Demand(book(less), SiteLimits(RULE))
    metered(site, BEFORE, 4_000_000)
    metered(site, BEFORE + 1, 2_900_000)
    ((_, report),) = site.reports(now(3601))
    assert report["resources"][0]["intervals"][0]["payloads"][0]["values"] == [-1.1]


def test_what_was_drawn_is_kept_over_a_restart_and_no_longer_than_it_is_of_use() -> None:
    first, again = Baseline(), Baseline()
    for number in range(MOST_KEPT + 3):
        first.count(
            DAY_NS + (number - MOST_KEPT - 3) * HOUR_NS, DAY_NS + (number - MOST_KEPT - 2) * HOUR_NS, number
        )
    again.recall(json.loads(json.dumps(first.rows)))
    assert again.rows == first.rows and len(again.rows) == MOST_KEPT
    timeline = book(event("e", "DISPATCH_SETPOINT_RELATIVE", -1.0)).timeline
    assert again.before_less(timeline, DAY_NS) == (MOST_KEPT + 2) / 1000
    assert again.before_less(Timeline(), DAY_NS) is None


@given(st.lists(st.tuples(st.integers(-50, 2), st.integers(0, 9_000_000)), max_size=8), st.integers(1, 90))
def test_a_site_never_draws_more_for_a_change_than_without_it(
    rows: list[tuple[int, int]], tenth_kw: int
) -> None:
    """Laws: a change only lowers the most that is drawn, and never below what the owner keeps."""
    timeline = book(event("e", "DISPATCH_SETPOINT_RELATIVE", -tenth_kw / 10)).timeline
    baseline = Baseline()
    for after, drawn in rows:
        baseline.count(DAY_NS + after * HOUR_NS, DAY_NS + (after + 1) * HOUR_NS, drawn)
    drawn_w = baseline.before_less(timeline, DAY_NS)
    wanted = RULE.wanted(timeline, DAY_NS, drawn_w)
    known = dict(rows).get(-1, dict(rows).get(-2, dict(rows).get(-3)))
    assert (drawn_w is None) == (known is None)
    if drawn_w is None or known is None:
        assert wanted is None
    else:
        assert wanted == PowerRange(-max(500.0, known / 1000 - 100 * tenth_kw), 1e9)


class Terms:
    """As much of a cell's state as calls look at."""

    def __init__(self, payer: bytes = b"dso", requested: bool = True) -> None:
        self.rules = self.services = self
        self.calendar = Calendar(3600, 900 * S)
        self.payer, self.requested = payer, requested
        self.terms = self
        self.branches = [self, self]
        self.name = "north"

    def terms_at(self, name: bytes, interval: int) -> "Terms | None":
        return self if name == b"flex" else None


DSO = DsoRule(b"dso", b"flex", "north", (0.0, 1000.0, 2000.0, 3000.0), request_s=300)


def said(calls: Calls, timeline: Timeline, at: Now, state: Terms | None = None) -> list[ServiceRequest]:
    effects = calls.due(state or Terms(), timeline, at)  # type: ignore[arg-type]
    entries = [each for each in effects if isinstance(each, SignEntry) and each.kind == Kind.REQUEST]
    return [decode_request(entry.payload) for entry in entries]


def run(calls: Calls, timeline: Timeline, seconds: range, speed: int = 1) -> list[ServiceRequest]:
    return [each for second in seconds for each in said(calls, timeline, now(second, speed))]


def power_at(requests: list[ServiceRequest], second: float) -> int:
    at = DAY_NS + round(second * S)
    return sum(each.power_mw for each in requests if each.start_ns <= at < each.end_ns)


def test_a_call_is_asked_for_slice_by_slice_without_a_gap_and_ends_with_its_event() -> None:
    timeline = book(event("e", "SIMPLE", 2, 1, lasts="PT8M20S")).timeline
    requests = run(Calls(DSO), timeline, range(-10, 1100))
    assert all(each.duration_s <= 300 for each in requests)
    for second in range(1000):
        assert power_at(requests, second + 0.5) == (2_000_000 if second < 500 else 1_000_000)
    assert power_at(requests, 1000.5) == power_at(requests, -0.5) == 0
    assert len(requests) == 5


def test_less_consumption_is_more_injection() -> None:
    raw = book(event("e", "DISPATCH_SETPOINT_RELATIVE", -1.5), event("s", "SIMPLE", 3))
    assert [each.power_mw for each in run(Calls(DSO), raw.timeline, range(3))] == [1_500_000]
    up = book(event("e", "DISPATCH_SETPOINT_RELATIVE", 0.5)).timeline
    assert [each.power_mw for each in run(Calls(DSO), up, range(3))] == [-500_000]


def test_a_deleted_event_is_called_no_longer_than_its_slice() -> None:
    calls = Calls(DSO)
    requests = run(calls, book(event("e", "SIMPLE", 1)).timeline, range(100))
    requests += run(calls, Timeline(), range(100, 700))
    assert max(each.end_ns for each in requests) == DAY_NS + 300 * S


def test_more_is_asked_for_at_once_and_less_with_the_next_slice() -> None:
    calls = Calls(DSO)
    requests = run(calls, book(event("e", "SIMPLE", 1)).timeline, range(100))
    requests += run(calls, book(event("e", "SIMPLE", 3)).timeline, range(100, 200))
    assert power_at(requests, 150) == 3_000_000
    requests += run(calls, book(event("e", "SIMPLE", 1)).timeline, range(200, 600))
    assert power_at(requests, 250) == 3_000_000
    assert power_at(requests, 350) == 1_000_000


def test_a_restarted_node_does_not_ask_again() -> None:
    timeline = book(event("e", "SIMPLE", 1)).timeline
    first, again = Calls(DSO), Calls(DSO)
    effects = first.due(Terms(), timeline, now(0))  # type: ignore[arg-type]
    entries = [each for each in effects if isinstance(each, SignEntry)]
    again.remember(entries)  # type: ignore[arg-type]
    assert entries and said(again, timeline, now(1)) == []


def test_a_service_of_somebody_else_is_not_called_and_that_is_said_once() -> None:
    calls, timeline = Calls(DSO), book(event("e", "SIMPLE", 1)).timeline
    told = [calls.due(Terms(payer=b"other"), timeline, now(at)) for at in (0, 1)]  # type: ignore[arg-type]
    assert [[getattr(each, "event", "") for each in effects] for effects in told] == [
        ["demand_not_called"],
        [],
    ]


def test_a_fast_clock_makes_no_more_entries_than_a_slow_one_would() -> None:
    timeline = book(event("e", "SIMPLE", 1, lasts="PT12H")).timeline
    requests = run(Calls(DSO), timeline, range(0, 43_200, 1200), speed=1200)
    assert len(requests) == 8
    assert all(power_at(requests, second) == 1_000_000 for second in range(0, 43_200, 600))


def test_a_branch_is_limited_interval_by_interval_for_the_next_gate() -> None:
    calls = Calls(replace(DSO, service=None))
    hourly = book(event("e", "IMPORT_CAPACITY_LIMIT", 30.0, 20.0)).timeline
    found = []
    for second in range(-4000, 7200, 50):
        effects = calls.due(Terms(), hourly, now(second))  # type: ignore[arg-type]
        found += [decode_limit(each.payload) for each in effects if isinstance(each, SignEntry)]
    first = DAY_NS // (3600 * S)
    assert [(each.branch, each.first, each.last, each.limit_mw) for each in found] == [
        (0, first, first, 30_000_000),
        (0, first + 1, first + 1, 20_000_000),
    ]


def test_prices_and_carbon_take_the_place_of_tariff_and_typical_day_where_they_are_known() -> None:
    known = book(
        event("p", "PRICE", 0.5, 0.1),
        event("x", "EXPORT_PRICE", 0.3, payloadDescriptors=[{"payloadType": "EXPORT_PRICE", "units": "KWH"}]),
        event("g", "GHG", 120.0),
    )
    demand = Demand(known, SiteLimits(RULE))
    calendar, first = Calendar(3600, 0), DAY_NS // (3600 * S)
    assert demand.prices(first, calendar, (310_000, 40_000)) == (500_000, 300_000)
    assert demand.prices(first + 1, calendar, (310_000, 40_000)) == (100_000, 40_000)
    assert demand.prices(first + 2, calendar, (310_000, 40_000)) == (310_000, 40_000)
    assert demand.carbon(first, calendar, 400.0) == 120.0
    assert demand.carbon(first + 1, calendar, 400.0) == 400.0


def test_an_owner_who_opted_out_is_left_alone() -> None:
    demand = Demand(book(event("e", "IMPORT_CAPACITY_LIMIT", 1.0)), SiteLimits(RULE), acts=False)
    assert demand.due(Terms(), None, active=True, now=now(0)) == []  # type: ignore[arg-type]
    assert demand.timeline.at(Matter.IMPORT_LIMIT, DAY_NS) is None
