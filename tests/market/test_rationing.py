"""The split of what lies at the margin: exact, fair, and the same for everyone."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from market.rationing import pro_rata

quantities_and_amount = st.lists(st.integers(1, 2**40), min_size=1, max_size=30).flatmap(
    lambda quantities: st.tuples(st.just(quantities), st.integers(0, sum(quantities)))
)


@given(quantities_and_amount)
def test_shares_sum_to_the_amount_and_are_the_exact_proportion_rounded(case: tuple[list[int], int]) -> None:
    quantities, amount = case
    total = sum(quantities)
    shares = pro_rata(amount, np.array(quantities)).tolist()
    assert sum(shares) == amount
    for share, quantity in zip(shares, quantities, strict=True):
        assert share in (amount * quantity // total, -(-amount * quantity // total))
        assert 0 <= share <= quantity


@given(quantities_and_amount)
def test_left_over_units_go_to_the_largest_remainders_and_of_equals_to_the_first(
    case: tuple[list[int], int],
) -> None:
    quantities, amount = case
    total = sum(quantities)
    shares = pro_rata(amount, np.array(quantities)).tolist()
    remainders = [amount * quantity % total for quantity in quantities]
    ranked = sorted(range(len(quantities)), key=lambda place: (-remainders[place], place))
    extra = [shares[place] - amount * quantities[place] // total for place in ranked]
    assert extra == sorted(extra, reverse=True)


def test_the_odd_unit_goes_to_the_lowest_id() -> None:
    assert pro_rata(2, np.array([1, 1, 1])).tolist() == [1, 1, 0]
    assert pro_rata(5, np.array([2, 4, 2])).tolist() == [1, 3, 1]


def test_products_beyond_64_bits_are_exact() -> None:
    quantities = np.array([2**40, 2**40 - 1, 2**39])
    amount = 2**40 + 12_345
    shares = pro_rata(amount, quantities).tolist()
    total = int(quantities.sum())
    assert [
        share - amount * quantity // total
        for share, quantity in zip(shares, quantities.tolist(), strict=True)
    ] in (
        [1, 0, 0],
        [0, 1, 0],
        [0, 0, 1],
        [0, 0, 0],
        [1, 1, 0],
        [1, 0, 1],
        [0, 1, 1],
    )
    assert sum(shares) == amount
