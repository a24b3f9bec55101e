"""Splitting an amount by weights."""

from hypothesis import given
from hypothesis import strategies as st

from market.splitting import split_by_weight

weights = st.lists(st.integers(0, 10**9), min_size=1, max_size=9).filter(any)


@given(st.integers(-(10**15), 10**15), weights)
def test_shares_add_up_and_are_the_exact_ones_rounded(amount: int, of: list[int]) -> None:
    shares = split_by_weight(amount, of)
    assert sum(shares) == amount
    for share, weight in zip(shares, of, strict=True):
        assert abs(share * sum(of) - amount * weight) < sum(of)


def test_odd_units_go_to_the_first() -> None:
    assert split_by_weight(-8, [1, 1, 1]) == [-3, -3, -2]


def test_an_exact_share_gets_no_odd_unit() -> None:
    assert split_by_weight(1, [0, 1, 1]) == [0, 1, 0]
    assert split_by_weight(2, [2, 1, 1]) == [1, 1, 0]
