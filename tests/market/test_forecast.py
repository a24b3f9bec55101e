"""Running quantiles and seasonal-naive energies."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from market.forecast import PriceForecast, PriceHistory, SeasonalNaive


@given(st.lists(st.integers(-(10**6), 10**6), min_size=1, max_size=40), st.integers(1, 20))
def test_a_quantile_has_its_share_of_recent_prices_at_or_below_it(prices: list[int], capacity: int) -> None:
    history = PriceHistory(capacity)
    for price in prices:
        history = history.with_price(price)
    recent = prices[-capacity:]
    assert list(history.prices) == recent
    for numerator in (1, 2, 3, 4):
        quantile = history.quantile(numerator, 4)
        assert quantile in recent
        at_most = sum(price <= quantile for price in recent)
        below = sum(price < quantile for price in recent)
        assert below * 4 < numerator * len(recent) <= at_most * 4


def test_without_history_there_are_no_quartiles() -> None:
    assert PriceHistory(5).forecast() is None
    assert PriceHistory(8, (1, 2, 3, 4)).forecast() == PriceForecast(1, 3)
    with pytest.raises(ValueError, match="quantile"):
        PriceHistory(5, (1,)).quantile(0, 4)


def test_yesterday_is_expected_again_and_else_the_latest() -> None:
    forecaster = SeasonalNaive(season=24, initial=7)
    assert forecaster.expect(100) == 7
    forecaster = forecaster.observe(76, 500).observe(98, 300)
    assert forecaster.expect(100) == 500
    assert forecaster.expect(101) == 300
    assert forecaster.expect(98) == 500


@given(st.lists(st.integers(0, 10**9), max_size=60))
def test_what_is_remembered_is_bounded(energies: list[int]) -> None:
    forecaster = SeasonalNaive(season=4)
    for interval, energy in enumerate(energies):
        forecaster = forecaster.observe(interval, energy)
        assert len(forecaster.seen) <= 8
        assert forecaster.expect(interval + 4) == energy
