"""Cuts to nameplate and collateral."""

from hypothesis import given
from hypothesis import strategies as st

from market.collateral import cut, worst_cost_of_buys, worst_cost_of_position
from market.payloads import Curve, Step
from market.rules import TariffStep
from market.settlement import imbalance_money

prices = st.integers(-30, 60)
quantities = st.integers(1, 50)
tariffs = st.tuples(prices, prices).map(lambda pair: TariffStep(0, max(pair), min(pair)))
ladders = st.dictionaries(prices, quantities, max_size=6)
curves = st.builds(
    lambda buys, sells: Curve(
        tuple(Step(price, buys[price]) for price in sorted(buys, reverse=True)),
        tuple(Step(price, sells[price]) for price in sorted(sells)),
    ),
    ladders,
    ladders,
)
limits = st.integers(0, 150)
budgets = st.integers(-500, 5000)


def total(steps: tuple[Step, ...]) -> int:
    return sum(step.quantity for step in steps)


@given(curves, tariffs, limits, limits, budgets)
def test_what_is_left_fits_the_nameplate_and_the_budget(
    curve: Curve, tariff: TariffStep, injection: int, withdrawal: int, budget: int
) -> None:
    kept = cut(curve, tariff, max_injection=injection, max_withdrawal=withdrawal, budget=budget)
    assert total(kept.sells) <= injection
    assert total(kept.buys) <= withdrawal
    cost_of_buys = worst_cost_of_buys(kept.buys)
    cost_of_sells = total(kept.sells) * max(tariff.import_price, 0)
    assert max(cost_of_buys, cost_of_sells) <= max(budget, 0)
    if kept.buys and kept.sells and kept.buys[0].price >= kept.sells[0].price:
        assert cost_of_buys + cost_of_sells <= max(budget, 0)


@given(curves, tariffs, limits, limits, budgets)
def test_a_cut_keeps_the_best_steps_and_shortens_at_most_one_per_side(
    curve: Curve, tariff: TariffStep, injection: int, withdrawal: int, budget: int
) -> None:
    kept = cut(curve, tariff, max_injection=injection, max_withdrawal=withdrawal, budget=budget)
    for before, after in ((curve.buys, kept.buys), (curve.sells, kept.sells)):
        assert after[:-1] == before[: max(len(after) - 1, 0)]
        if after:
            assert after[-1].price == before[len(after) - 1].price
            assert after[-1].quantity <= before[len(after) - 1].quantity


@given(curves, tariffs)
def test_a_curve_within_its_means_is_not_cut(curve: Curve, tariff: TariffStep) -> None:
    assert cut(curve, tariff, max_injection=10**6, max_withdrawal=10**6, budget=10**9) == curve


@given(curves, tariffs, limits, limits, budgets, st.integers(0, 100))
def test_more_budget_never_cuts_more_of_a_curve_that_does_not_cross_itself(
    curve: Curve, tariff: TariffStep, injection: int, withdrawal: int, budget: int, more: int
) -> None:
    if curve.buys and curve.sells and curve.buys[0].price >= curve.sells[0].price:
        return
    less = cut(curve, tariff, max_injection=injection, max_withdrawal=withdrawal, budget=budget)
    richer = cut(curve, tariff, max_injection=injection, max_withdrawal=withdrawal, budget=budget + more)
    assert total(richer.buys) >= total(less.buys)
    assert total(richer.sells) >= total(less.sells)


@given(
    tariffs,
    st.none() | prices,
    st.integers(-100, 100),
    st.integers(-100, 100),
)
def test_the_worst_cost_of_a_position_covers_delivering_nothing_to_delivering_all(
    tariff: TariffStep, price: int | None, position: int, share: int
) -> None:
    metered = position * abs(share) // 100
    imbalance = metered - position
    assert imbalance_money(tariff, price, imbalance) >= -worst_cost_of_position(tariff, price, position)


def test_a_budget_shortens_a_step_to_whole_energy() -> None:
    curve = Curve((Step(10, 5), Step(7, 5)), (Step(20, 9),))
    kept = cut(curve, TariffStep(0, 30, 4), max_injection=9, max_withdrawal=9, budget=70)
    assert kept == Curve((Step(10, 5), Step(7, 2)), (Step(20, 2),))


def test_a_crossed_curve_spends_its_budget_once() -> None:
    curve = Curve((Step(25, 2),), (Step(20, 9),))
    kept = cut(curve, TariffStep(0, 30, 4), max_injection=9, max_withdrawal=9, budget=120)
    assert kept == Curve((Step(25, 2),), (Step(20, 2),))
