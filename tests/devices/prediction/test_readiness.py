"""Readiness: ready at once, relaxed only after a while, never because nothing is known, and with bounded wishes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devices.prediction.readiness import (
    Level,
    Readiness,
    ReadinessRules,
    Trouble,
    next_readiness,
    preparation,
)

RULES = ReadinessRules(watch=0.2, ready=0.5, relax=0.5, hold_s=60.0)
levels = st.sampled_from(list(Level))


def test_a_node_is_ready_at_once_and_relaxes_after_a_while() -> None:
    held = next_readiness(Readiness(), 0.6, 1.0, RULES)
    assert held.level is Level.READY
    for _ in range(59):
        held = next_readiness(held, 0.0, 1.0, RULES)
        assert held.level is Level.READY
    assert next_readiness(held, 0.0, 1.0, RULES).level is Level.REST


def test_between_the_two_bounds_nothing_relaxes() -> None:
    held = Readiness(Level.READY, 59.5)
    held = next_readiness(held, 0.3, 1.0, RULES)
    assert held == Readiness(Level.READY), "0.3 is above half of 0.5, so the wait begins anew"


@given(levels, st.floats(0, 100), st.floats(0, 10))
def test_what_is_not_known_is_no_reason_to_relax(level: Level, low_s: float, passed_s: float) -> None:
    assert next_readiness(Readiness(level, low_s), None, passed_s, RULES) == Readiness(level, low_s)


@given(levels, st.floats(0, 1), st.floats(0, 1), st.floats(0, 59))
def test_a_higher_probability_never_makes_a_node_less_ready(
    level: Level, one: float, other: float, low_s: float
) -> None:
    order = list(Level)
    less, more = (
        next_readiness(Readiness(level, low_s), each, 1.0, RULES).level for each in sorted((one, other))
    )
    assert order.index(less) <= order.index(more)


@given(levels, st.sampled_from(list(Trouble)))
def test_preparation_is_within_a_battery_and_rest_asks_for_nothing(level: Level, trouble: Trouble) -> None:
    asked = preparation(level, trouble, RULES)
    assert asked.arm == (level is Level.READY)
    assert (asked.charge is None) == (level is Level.REST)
    if asked.charge is not None:
        assert 0 <= asked.charge[0] <= asked.charge[1] <= 1
    if level is not Level.REST and trouble is Trouble.OVERLOAD:
        assert asked.charge == (0.9, 1.0)


@pytest.mark.parametrize(
    "wrong",
    [{"watch": 0.0}, {"watch": 0.6}, {"relax": 0.0}, {"hold_s": -1.0}, {"band_for_frequency": (0.6, 0.4)}],
)
def test_rules_that_contradict_each_other_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=r"readiness needs|states of charge"):
        ReadinessRules(**wrong)  # type: ignore[arg-type]
