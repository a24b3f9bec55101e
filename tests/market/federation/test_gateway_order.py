"""The order that a gateway makes of its cell's curve."""

import numpy as np
from hypothesis import given, settings
from test_compression import curves

from market.federation.cell_curve import CellCurve
from market.federation.gateway_order import gateway_order
from market.payloads import MAX_STEPS, Step
from market.rules import TariffStep

WIDE = TariffStep(0, 10**6, -(10**6))


def curve(base: int, *steps: tuple[int, int]) -> CellCurve:
    return CellCurve(
        base, np.array([k for k, _ in steps], np.int64), np.array([q for _, q in steps], np.int64)
    )


def test_members_come_first_at_equal_prices() -> None:
    # An ask at 10 through zero, a bid at 20 that the cell would give up: 4 * 10 and 4 * 20 + 3.
    order = gateway_order(curve(-3, (40, 5), (83, 4)), WIDE)
    assert order.buys == (Step(9, 3),)
    assert order.sells == (Step(10, 2), Step(21, 4))


def test_nothing_is_offered_that_the_supplier_would_pay_better() -> None:
    order = gateway_order(curve(-3, (-400, 2), (90 * 4, 5), (400 * 4 + 3, 4)), TariffStep(0, 60, 50))
    assert order.buys == (Step(60, 1), Step(-101, 2))
    assert order.sells == (Step(90, 4), Step(401, 4))
    cheap = gateway_order(curve(0, (40, 5)), TariffStep(0, 60, 50))
    assert cheap.sells == (Step(50, 5),)


@settings(max_examples=40, deadline=None)
@given(curves())
def test_an_order_reaches_as_far_as_the_curve_and_never_meets_itself(drawn: CellCurve) -> None:
    order = gateway_order(drawn, WIDE)
    assert sum(step.quantity for step in order.buys) == -drawn.base
    assert sum(step.quantity for step in order.sells) == drawn.top
    assert len(order.buys) + len(order.sells) <= MAX_STEPS
    assert not order.buys or not order.sells or order.buys[0].price < order.sells[0].price
