"""Borrowing: own load first, loans exact, nobody gives what it needs."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devices.swarm.borrowing import Loan, Unit, available_mw, borrow

W = 1000
powers = st.integers(0, 10_000_000)
groups = st.lists(
    st.builds(Unit, st.text("abcdef", min_size=1, max_size=3), powers, powers),
    max_size=10,
    unique_by=lambda unit: unit.id,
).map(tuple)


def test_two_servers_share_as_in_the_example() -> None:
    # A needs 200 W and has 100 W, B needs 50 W and has 150 W.
    result = borrow((Unit("A", 100 * W, 200 * W), Unit("B", 150 * W, 50 * W)))
    assert result.own_mw == {"A": 100 * W, "B": 50 * W}
    assert result.loans == (Loan("B", "A", 100 * W),)
    assert result.short_mw == {}


@given(groups)
def test_every_lender_keeps_its_own_load_and_every_loan_is_needed(units: tuple[Unit, ...]) -> None:
    result = borrow(units)
    for unit in units:
        lent_mw = sum(loan.power_mw for loan in result.loans if loan.lender == unit.id)
        got_mw = sum(loan.power_mw for loan in result.loans if loan.borrower == unit.id)
        assert result.own_mw[unit.id] == min(unit.available_mw, unit.needed_mw)
        assert result.own_mw[unit.id] + lent_mw <= unit.available_mw
        assert result.own_mw[unit.id] + got_mw + result.short_mw.get(unit.id, 0) == unit.needed_mw
        assert not (lent_mw and got_mw)


@given(groups)
def test_all_that_is_lacking_is_lent_or_all_that_is_left(units: tuple[Unit, ...]) -> None:
    result = borrow(units)
    lacking_mw = sum(max(0, unit.needed_mw - unit.available_mw) for unit in units)
    left_mw = sum(max(0, unit.available_mw - unit.needed_mw) for unit in units)
    assert sum(loan.power_mw for loan in result.loans) == min(lacking_mw, left_mw)
    assert all(loan.power_mw > 0 for loan in result.loans)
    assert borrow(units[::-1]) == result


@given(powers, powers, powers, st.integers(1, 86_400))
def test_what_a_unit_can_give_leaves_its_reserve(
    power_mw: int, stored: int, reserve: int, duration_s: int
) -> None:
    given_mw = available_mw(power_mw, stored, reserve, duration_s)
    assert 0 <= given_mw <= power_mw
    assert given_mw == 0 or stored * 3600 - given_mw * duration_s >= reserve * 3600


def test_mistakes_are_named() -> None:
    with pytest.raises(ValueError, match="at least 0"):
        Unit("a", -1, 0)
    with pytest.raises(ValueError, match="twice"):
        borrow((Unit("a", 1, 0), Unit("a", 2, 0)))
