"""Rates and offences of one peer."""

from hypothesis import given
from hypothesis import strategies as st

from node.constants import Patience, RateLimits
from node.transport.rates import PeerRates, TokenBucket

PATIENCE = Patience(offences=3, offence_memory_s=10.0, ban_s=30.0)


@given(
    rate=st.floats(0.1, 1000),
    burst=st.floats(1, 1000),
    pauses_s=st.lists(st.floats(0, 10), max_size=50),
)
def test_no_more_passes_than_the_burst_and_the_rate(rate: float, burst: float, pauses_s: list[float]) -> None:
    bucket = TokenBucket(rate, burst, 0.0)
    now_s, passed = 0.0, 0
    for pause_s in pauses_s:
        now_s += pause_s
        passed += bucket.take(1, now_s)
    assert passed <= burst + rate * now_s + 1e-6


def test_what_does_not_fit_uses_up_nothing() -> None:
    bucket = TokenBucket(1.0, 10.0, 0.0)
    assert not bucket.take(11, 0.0)
    assert bucket.take(10, 0.0)
    assert not bucket.take(1, 0.5)
    assert bucket.take(1, 1.5)


def test_a_peer_that_has_done_nothing_is_not_shut_out() -> None:
    assert PeerRates(RateLimits(), PATIENCE, 100.0).banned_until_s < 100.0


def test_repeated_offences_shut_out_for_a_while_and_are_then_forgotten() -> None:
    rates = PeerRates(RateLimits(), PATIENCE, 0.0)
    assert [rates.offend(1.0), rates.offend(2.0), rates.offend(3.0)] == [False, False, True]
    assert rates.banned_until_s == 33.0
    assert not rates.offend(40.0)


def test_offences_far_apart_are_forgiven() -> None:
    rates = PeerRates(RateLimits(), PATIENCE, 0.0)
    assert not any(rates.offend(float(now_s)) for now_s in range(0, 100, 8))
