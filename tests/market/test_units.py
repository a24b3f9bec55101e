"""Amounts as text and as integers: exact or refused."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from market.errors import AmountError
from market.units import (
    decimal_text,
    energy_from_kwh,
    energy_of_power,
    kwh_text,
    money_text,
    power_of_energy,
    price_from_text,
    price_text,
)


@pytest.mark.parametrize(
    ("text", "energy"),
    [
        ("1", 1_000_000),
        ("0.000001", 1),
        ("-2.5", -2_500_000),
        ("+3.10", 3_100_000),
        (" 7 ", 7_000_000),
        ("00.5", 500_000),
    ],
)
def test_plain_decimals_are_read_exactly(text: str, energy: int) -> None:
    assert energy_from_kwh(text) == energy


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        ".",
        ".5",
        "5.",
        "1e3",
        "nan",
        "inf",
        "-inf",
        "0x10",
        "1,5",
        "1_000",
        "--1",
        "1 2",
        "١",
        "1\n",
        "9" * 41,
    ],
)
def test_anything_but_a_plain_decimal_is_refused(text: str) -> None:
    with pytest.raises(AmountError):
        energy_from_kwh(text)


@pytest.mark.parametrize("text", ["0.0000001", "1.0000000", "0.3000001"])
def test_more_than_six_decimals_are_refused_and_not_rounded(text: str) -> None:
    with pytest.raises(AmountError, match="more than 6 decimals"):
        price_from_text(text)


@given(st.integers(-(2**61), 2**61))
def test_what_is_written_is_read_back(value: int) -> None:
    assert energy_from_kwh(kwh_text(value)) == value
    assert price_from_text(price_text(value)) == value


def test_money_is_written_with_six_to_twelve_decimals() -> None:
    assert money_text(1_500_000_000_000) == "1.500000"
    assert money_text(-1) == "-0.000000000001"
    assert money_text(1_000_000_100_000) == "1.0000001"
    assert decimal_text(-5, 1) == "-0.5"


@given(st.integers(-(10**12), 10**12), st.sampled_from([60, 900, 3_600]))
def test_energy_of_a_power_never_exceeds_it(power_mw: int, interval_s: int) -> None:
    energy = energy_of_power(power_mw, interval_s)
    assert abs(energy) * 3_600 <= abs(power_mw) * interval_s < (abs(energy) + 1) * 3_600
    assert energy * power_mw >= 0


@given(st.integers(0, 10**12), st.sampled_from([60, 900, 3_600]))
def test_power_of_an_energy_is_the_smallest_that_gives_it(energy: int, interval_s: int) -> None:
    power = power_of_energy(energy, interval_s)
    assert energy_of_power(power, interval_s) >= energy
    assert power == 0 or energy_of_power(power - 1, interval_s) < energy
