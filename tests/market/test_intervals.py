"""Intervals and gates."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from market.intervals import Calendar

calendars = st.integers(1, 604_800).flatmap(
    lambda length: st.builds(Calendar, st.just(length), st.integers(0, length * 10**9))
)
times = st.integers(0, 2**62)


@given(calendars, times)
def test_an_interval_contains_the_times_that_have_its_index(calendar: Calendar, time_ns: int) -> None:
    index = calendar.index_of(time_ns)
    assert calendar.start_ns(index) <= time_ns < calendar.end_ns(index) == calendar.start_ns(index + 1)


@given(calendars, times)
def test_the_next_gate_is_the_first_that_is_still_open(calendar: Calendar, time_ns: int) -> None:
    interval = calendar.next_gate(time_ns)
    assert calendar.gate_closure_ns(interval - 1) <= time_ns < calendar.gate_closure_ns(interval)


@given(calendars, st.integers(0, 10**9))
def test_the_interval_before_the_last_is_over_when_a_gate_closes(calendar: Calendar, interval: int) -> None:
    assert calendar.end_ns(interval - 2) <= calendar.gate_closure_ns(interval)
    assert calendar.gate_closure_ns(interval) <= calendar.dispatch_deadline_ns(interval)


@pytest.mark.parametrize(("interval_s", "gate_lead_ns"), [(0, 0), (-1, 0), (1, -1), (1, 10**9 + 1)])
def test_a_calendar_without_sense_is_refused(interval_s: int, gate_lead_ns: int) -> None:
    with pytest.raises(ValueError, match="must be"):
        Calendar(interval_s, gate_lead_ns)
