"""What a member expects, as it learns it from its meter and from the auction."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from market.bidders.expectations import MOST_DAYS_MISSING, Expectations, OnlineSeries
from market.forecasting.forecaster import LEVELS, MEDIAN
from market.forecasting.seasonal import Climate, SeasonalNaive

SEASON = 4


def no_carbon(interval: int) -> float:
    return 0.0


def tariff(interval: int) -> tuple[int, int]:
    return 300_000, 100_000


def test_before_the_first_reading_nothing_is_expected() -> None:
    expectations = Expectations(SEASON, Climate)
    assert expectations.expected(7) is None
    assert expectations.horizon(7, 3, tariff, no_carbon) == ()


def test_without_local_trade_the_tariff_is_certain() -> None:
    expectations = Expectations(SEASON, Climate)
    expectations.metered(5, 2_000, 500)
    expectations.priced(5, 300_000, 100_000, None)
    for outlook in expectations.horizon(6, 2, tariff, no_carbon):
        assert set(outlook.buy) == {300_000.0}
        assert set(outlook.sell) == {100_000.0}
        assert outlook.surplus == pytest.approx((-1_500,) * len(LEVELS))


@given(
    st.lists(
        st.tuples(
            st.integers(0, 10**7),
            st.integers(0, 10**7),
            st.none() | st.integers(-100_000, 500_000),
        ),
        min_size=1,
        max_size=40,
    )
)
def test_what_is_expected_ascends_and_stays_within_the_tariff(
    days: list[tuple[int, int, int | None]],
) -> None:
    expectations = Expectations(SEASON, SeasonalNaive)
    for interval, (load, generation, price) in enumerate(days):
        expectations.metered(interval, load, generation)
        expectations.priced(interval, 300_000, 100_000, price)
    for outlook in expectations.horizon(len(days) + 1, 6, tariff, no_carbon):
        for quantiles in (outlook.buy, outlook.sell, outlook.surplus):
            assert list(quantiles) == sorted(quantiles)
        assert len(outlook.surplus) == len(LEVELS)
        assert outlook.buy[-1] <= 300_000 + 1e-6
        assert outlook.sell[0] >= 100_000 - 1e-6


def test_the_middle_of_the_surplus_is_what_is_expected_of_generation_less_load() -> None:
    expectations = Expectations(SEASON, Climate)
    for interval in range(20):
        expectations.metered(interval, 1_000 + 37 * (interval % 7), 53 * (interval % 5))
    (outlook,) = expectations.horizon(20, 1, tariff, no_carbon)
    expected = expectations.expected(20)
    assert expected is not None
    assert outlook.surplus[MEDIAN] == pytest.approx(expected[1] - expected[0], abs=1)


def test_late_values_are_dropped_gaps_are_missing_and_long_gaps_begin_anew() -> None:
    series = OnlineSeries(SEASON, Climate, 0.0)
    for interval in range(8):
        series.observe(interval, 5.0)
    series.observe(3, 99.0)
    series.observe(11, 5.0)
    told = series.forecast(12, 2)
    assert told is not None
    assert (told == 5.0).all()
    assert series.forecast(11, 1) is None, "what is over is no forecast"
    series.observe(12 + MOST_DAYS_MISSING * SEASON + 1, 7.0)
    anew = series.forecast(12 + MOST_DAYS_MISSING * SEASON + 2, 1)
    assert anew is not None
    assert (anew == 7.0).all()
    assert not math.isnan(float(anew[0, 0]))
