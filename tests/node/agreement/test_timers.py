"""What is due comes out in the order of its time, and once."""

from hypothesis import given
from hypothesis import strategies as st

from node.agreement.timers import Timers


def test_equal_times_come_out_in_the_order_they_were_set() -> None:
    timers: Timers[str] = Timers()
    for what in ("c", "a", "b"):
        timers.at(5, what)
    assert timers.take_due(5) == ["c", "a", "b"]


def test_the_same_thing_at_the_same_moment_is_kept_once() -> None:
    timers: Timers[str] = Timers()
    timers.at(5, "open")
    timers.at(5, "open")
    timers.at(6, "open")
    assert timers.take_due(10) == ["open", "open"]


def test_nothing_is_due_before_its_time() -> None:
    timers: Timers[str] = Timers()
    timers.at(5, "open")
    assert (timers.take_due(4), timers.next()) == ([], 5)


def test_a_cleared_queue_wants_nothing() -> None:
    timers: Timers[str] = Timers()
    timers.at(5, "open")
    timers.clear()
    assert (timers.next(), timers.take_due(9)) == (None, [])


@given(st.lists(st.integers(0, 50), unique=True), st.lists(st.integers(0, 60)))
def test_everything_comes_out_exactly_once_in_order(times: list[int], moments: list[int]) -> None:
    timers: Timers[int] = Timers()
    for time in times:
        timers.at(time, time)
    taken = [what for moment in sorted(moments) for what in timers.take_due(moment)]
    assert taken == sorted(time for time in times if time <= max(moments, default=-1))
    assert timers.next() == min((time for time in times if time not in taken), default=None)
