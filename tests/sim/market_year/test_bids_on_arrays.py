"""The curves on arrays are those of the bidders that they stand for, home by home."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from market.bidders.strategies import Strategy, bidder_of
from market.bidding import Account, Flexibility, net_curve
from market.forecast import PriceForecast
from market.payloads import Curve, Step
from sim.market_year.bids import PURCHASES, Bids, Needs, bids_of, net_curves, zero_intelligence

EFFICIENCY_PPM = 900_000
energies = st.just(0) | st.integers(1, 10**7)
prices = st.integers(0, 40) | st.integers(0, 500_000)
homes = st.lists(st.tuples(energies, energies, energies, energies), min_size=1, max_size=5)


def needs_of(drawn: list[tuple[int, int, int, int]]) -> Needs:
    """Homes of load, generation, charge and discharge."""
    load, generation, charge, discharge = np.array(drawn, np.int64).T
    return Needs(generation - load, charge, discharge, EFFICIENCY_PPM)


def curve_of(bids: Bids, home: int) -> Curve:
    """One home's orders as the curve that it would sign."""
    steps = [
        (int(price), int(quantity))
        for price, quantity in zip(bids.price[home], bids.quantity[home], strict=True)
    ]
    buys = sorted((step for step in steps[:PURCHASES] if step[1]), reverse=True)
    sells = sorted(step for step in steps[PURCHASES:] if step[1])
    return Curve(tuple(Step(*step) for step in buys), tuple(Step(*step) for step in sells))


@pytest.mark.parametrize("strategy", [Strategy.THRESHOLD, Strategy.TRUTHFUL])
@given(drawn=homes, quartiles=st.tuples(prices, prices), tariff=st.tuples(prices, prices))
def test_a_home_bids_as_its_bidder_would(
    strategy: Strategy,
    drawn: list[tuple[int, int, int, int]],
    quartiles: tuple[int, int],
    tariff: tuple[int, int],
) -> None:
    export_price, import_price = sorted(tariff)
    forecast = PriceForecast(*sorted(quartiles))
    needs = needs_of(drawn)
    bids = bids_of(strategy, needs, forecast, (import_price, export_price), np.random.default_rng(0))
    for home, (load, generation, charge, discharge) in enumerate(drawn):
        flexibility = Flexibility(load, generation, charge, discharge, EFFICIENCY_PPM)
        account = Account(import_price, export_price, 2**40, 2**40)
        assert curve_of(bids, home) == bidder_of(strategy, 48).orders(flexibility, forecast, account)


@given(drawn=homes, low=prices, high=prices, ceiling=prices, floor=prices, dearest=prices)
def test_net_curves_are_the_market_s(
    drawn: list[tuple[int, int, int, int]], low: int, high: int, ceiling: int, floor: int, dearest: int
) -> None:
    low, high = sorted((low, high))
    bids = net_curves(needs_of(drawn), low, high, ceiling, floor, dearest)
    for home, (load, generation, charge, discharge) in enumerate(drawn):
        assert curve_of(bids, home) == net_curve(
            generation - load,
            [Step(low, charge)],
            [Step(high, discharge)],
            ceiling=ceiling,
            floor=floor,
            dearest=dearest,
        )


@given(drawn=homes, tariff=st.tuples(prices, prices), seed=st.integers(0, 2**32))
def test_zero_intelligence_stays_within_the_tariff_and_what_a_home_has(
    drawn: list[tuple[int, int, int, int]], tariff: tuple[int, int], seed: int
) -> None:
    export_price, import_price = sorted(tariff)
    needs = needs_of(drawn)
    draws = np.random.default_rng(seed).integers(export_price, import_price + 1, (3, len(drawn)))
    bids = zero_intelligence(needs, draws, import_price, export_price)
    offered = bids.quantity > 0
    assert ((bids.price[offered] >= export_price) & (bids.price[offered] <= import_price)).all()
    assert (bids.quantity[:, :PURCHASES].sum(axis=1) <= np.maximum(needs.charge - needs.must_run, 0)).all()
    assert (bids.quantity[:, PURCHASES:].sum(axis=1) <= np.maximum(needs.must_run + needs.discharge, 0)).all()


def test_a_strategy_that_looks_ahead_is_not_plain() -> None:
    with pytest.raises(ValueError, match="optimising"):
        bids_of(
            Strategy.OPTIMISING,
            needs_of([(1, 0, 0, 0)]),
            PriceForecast(1, 2),
            (2, 1),
            np.random.default_rng(0),
        )
