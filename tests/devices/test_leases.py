"""Leases, ranges and readings: everything ends, narrows or goes stale."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from devices.image import Quality, Reading
from devices.leases import Accepted, Lease, Refused, judge
from devices.limits import PowerRange, narrow

LEASE = Lease(value=500.0, reversion=0.0, issued_ns=100, expires_ns=200, issuer="a", sequence=7)
watts = st.floats(-1e6, 1e6)
ranges = st.tuples(watts, watts).map(lambda pair: PowerRange(min(pair), max(pair)))


def test_a_lease_holds_from_its_issue_until_just_before_its_expiry() -> None:
    assert [LEASE.at(now) for now in (99, 100, 199, 200)] == [0.0, 500.0, 500.0, 0.0]


def test_a_lease_is_taken_when_nothing_is_held() -> None:
    assert judge(None, LEASE, 150, 1000) == Accepted()


def test_expired_future_and_overlong_leases_are_refused() -> None:
    for now_ns, longest_ns in ((200, 1000), (99, 1000), (150, 99)):
        assert isinstance(judge(None, LEASE, now_ns, longest_ns), Refused)


def test_a_repeated_lease_is_refused_and_a_newer_one_taken() -> None:
    assert isinstance(judge(LEASE, LEASE, 150, 1000), Refused)
    assert judge(LEASE, replace(LEASE, sequence=8), 150, 1000) == Accepted()


def test_another_issuer_may_take_over_but_not_with_something_older() -> None:
    assert judge(LEASE, replace(LEASE, issuer="b", sequence=0), 150, 1000) == Accepted()
    assert isinstance(judge(LEASE, replace(LEASE, issuer="b", issued_ns=99), 150, 1000), Refused)


@given(ranges, ranges, watts)
def test_narrowing_never_widens_and_keeps_to_the_higher_layer(
    higher: PowerRange, lower: PowerRange, power_w: float
) -> None:
    left, conflict = narrow(higher, lower)
    assert left.within(higher)
    assert conflict == (not left.within(lower))
    assert left.contains(left.clip(power_w))
    if conflict:
        assert not any(lower.contains(each) for each in (higher.minimum_w, higher.maximum_w))


def test_a_reading_that_is_no_number_is_not_usable() -> None:
    reading = Reading.of(float("nan"), 10)
    assert reading.quality is Quality.INVALID
    assert reading.usable(10, 100) is None


def test_a_reading_is_usable_until_it_is_stale() -> None:
    reading = Reading.of(5.0, 10)
    assert reading.usable(110, 100) == 5.0
    assert reading.usable(111, 100) is None
    assert Reading.missing(10).usable(10, 100) is None
