"""Timeliness: a proposer can neither leave out what all saw in time nor bring in what all saw too late."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.heads import Head
from ledger.membership.members import Membership
from ledger.records.blocks import Block, Header
from market.intervals import NS_PER_S, Calendar
from node.agreement.timeliness import (
    Attention,
    SeenOrder,
    countable,
    next_opening_ns,
    proposable_interval,
    unfairness,
)
from sim.cells.keys import Keys, founded

CALENDAR = Calendar(3600, 2700 * NS_PER_S)
MARGIN_NS = 360 * NS_PER_S
PATIENCE_NS = 1500 * NS_PER_S
INTERVAL = 1000
GATE_NS = CALENDAR.gate_closure_ns(INTERVAL)
MEMBER = b"m" * 32
WATCHED = Attention(0)


def header(time_ns: int, interval: int = INTERVAL, round_: int = 0) -> Header:
    return Header(
        version=1,
        height=3,
        previous=b"p" * 32,
        first_interval=interval,
        last_interval=interval,
        time_ns=time_ns,
        proposer=0,
        round=round_,
        validators_hash=bytes(32),
        next_validators_hash=bytes(32),
        clearing_hash=bytes(32),
        feeds_root=bytes(32),
        state_root=bytes(32),
        log_size=2,
        log_root=bytes(32),
        last_certificate_hash=bytes(32),
        evidence_root=bytes(32),
    )


def head(sequence: int, incarnation: int = 0) -> Head:
    return Head(MEMBER, incarnation, sequence, b"i" * 32)


def judge(
    heads: tuple[Head, ...] = (),
    orders: tuple[SeenOrder, ...] = (),
    *,
    time_ns: int = GATE_NS + MARGIN_NS,
    now_ns: int | None = None,
    interval: int = INTERVAL,
    block_round: int = 0,
    anchored: tuple[Head, ...] = (),
    attention: Attention = WATCHED,
) -> str | None:
    return unfairness(
        Block(header(time_ns, interval, block_round), heads, (), None),
        0,
        calendar=CALENDAR,
        now_ns=time_ns if now_ns is None else now_ns,
        margin_ns=MARGIN_NS,
        patience_ns=PATIENCE_NS,
        orders=orders,
        anchored={each.member: each for each in anchored},
        attention=attention,
    )


def order(seen_ns: int, sequence: int = 5, incarnation: int = 0) -> SeenOrder:
    return SeenOrder(MEMBER, incarnation, sequence, seen_ns)


IN_TIME, TOO_LATE = GATE_NS - MARGIN_NS, GATE_NS + MARGIN_NS + 1


def test_what_was_there_a_margin_before_the_gate_may_not_be_left_out() -> None:
    assert "left out" in str(judge((), (order(IN_TIME),)))
    assert "left out" in str(judge((head(4),), (order(IN_TIME),)))
    assert judge((head(5),), (order(IN_TIME),)) is None


def test_what_came_a_margin_after_the_gate_may_not_be_brought_in() -> None:
    assert "too late" in str(judge((head(5),), (order(TOO_LATE),)))
    assert judge((head(4),), (order(TOO_LATE),)) is None


@given(st.integers(IN_TIME + 1, TOO_LATE - 1), st.booleans())
def test_between_the_margins_the_proposer_may_do_either(seen_ns: int, included: bool) -> None:
    assert judge((head(5 if included else 4),), (order(seen_ns),)) is None


@given(
    st.lists(st.integers(GATE_NS - 3 * MARGIN_NS, GATE_NS + 3 * MARGIN_NS), max_size=6), st.integers(-1, 5)
)
def test_no_cut_of_a_feed_gets_through_that_all_saw_to_be_unfair(seen: list[int], cut: int) -> None:
    orders = tuple(order(seen_ns, sequence) for sequence, seen_ns in enumerate(seen))
    heads = (head(cut),) if cut >= 0 else ()
    omitted = any(each.first_seen_ns <= IN_TIME and each.sequence > cut for each in orders)
    brought_in = any(each.first_seen_ns >= TOO_LATE and each.sequence <= cut for each in orders)
    assert (judge(heads, orders) is not None) == (omitted or brought_in)


def test_what_an_earlier_block_anchored_is_not_left_out() -> None:
    assert judge((), (order(IN_TIME),), anchored=(head(5),)) is None


def test_who_did_not_watch_before_the_gate_cannot_say_what_was_there() -> None:
    asleep = Attention(GATE_NS - MARGIN_NS + 1)
    assert judge((), (order(IN_TIME),), attention=asleep) is None
    assert judge((), (order(IN_TIME),), attention=Attention(GATE_NS - MARGIN_NS)) is not None


def test_a_late_block_trades_nothing_and_is_not_judged_by_its_orders() -> None:
    late_ns = CALENDAR.trading_deadline_ns(INTERVAL)
    assert judge((), (order(IN_TIME),), time_ns=late_ns) is None
    assert judge((head(5),), (order(TOO_LATE),), time_ns=late_ns) is None
    assert judge((), (order(IN_TIME),), time_ns=late_ns - 1) is not None


@pytest.mark.parametrize(
    ("time_ns", "now_ns"),
    [
        (GATE_NS - 1, GATE_NS),
        (GATE_NS + MARGIN_NS, GATE_NS - 1),
        (GATE_NS + MARGIN_NS, GATE_NS + MARGIN_NS + PATIENCE_NS + 1),
    ],
)
def test_a_time_before_the_gate_or_from_the_future_or_too_old_is_refused(time_ns: int, now_ns: int) -> None:
    assert "time" in str(judge(time_ns=time_ns, now_ns=now_ns))


def test_a_block_made_in_another_round_is_refused() -> None:
    assert "round" in str(judge(block_round=1))


def test_an_interval_that_the_next_gate_has_overtaken_is_refused() -> None:
    time_ns = CALENDAR.gate_closure_ns(INTERVAL + 1) + 3 * MARGIN_NS
    assert "not the latest" in str(judge(time_ns=time_ns))
    assert judge(time_ns=time_ns, interval=INTERVAL + 1) is None


@given(st.integers(0, 10**17), st.integers(0, MARGIN_NS))
def test_the_proposable_interval_is_the_latest_whose_gate_closed_a_margin_ago(
    now_ns: int, margin_ns: int
) -> None:
    interval = proposable_interval(CALENDAR, now_ns, margin_ns)
    running = CALENDAR.index_of(now_ns)
    assert interval >= running
    assert CALENDAR.gate_closure_ns(interval + 1) + margin_ns > now_ns
    assert interval == running or CALENDAR.gate_closure_ns(interval) + margin_ns <= now_ns


@given(st.integers(0, 10**17), st.integers(0, 10**4))
def test_a_height_opens_when_something_can_be_proposed_for_it(now_ns: int, after: int) -> None:
    opening_ns = next_opening_ns(CALENDAR, now_ns, MARGIN_NS, after)
    assert opening_ns >= now_ns
    assert proposable_interval(CALENDAR, opening_ns, MARGIN_NS) > after


def test_orders_of_frozen_members_and_of_replaced_feeds_are_not_missed() -> None:
    keys = [Keys.of(index) for index in range(3)]
    membership = Membership.founding(founded(keys))
    frozen, renewed, good = (each.member for each in keys)
    orders = [replace(order(0), member=member) for member in (frozen, renewed, good)]
    after = membership.with_frozen((frozen,), 4).with_incarnation(renewed, 1)
    assert countable(orders, membership) == orders
    assert countable(orders, after) == orders[2:]
