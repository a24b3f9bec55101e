"""The gateway's order in the parent: what its cell could inject and withdraw at which price.

The cell's curve becomes bids where it withdraws and asks where it injects, in as many steps as an order may
have. Two things make room for the cell's own market:

- A step that stands for the opposite side (a member that would go without if the cell injects, one that would
  sell less if it withdraws) moves by one µ/kWh, so that members come first at equal prices, and the order
  never meets itself.
- Nothing is offered below the cell's feed-in price nor asked for above its retail price: the cell's supplier
  would give the members more.

What this can cost is one µ/kWh on the transfer, and what compression states. Energies are mWh, prices µ/kWh.
"""

from collections.abc import Iterable, Mapping

import numpy as np

from market.collateral import cut
from market.federation.cell_curve import BID, CellCurve
from market.federation.compression import compressed
from market.federation.levels import cell_curve
from market.federation.parent_rule import gateway_of
from market.feeder import Feeder
from market.orders import OrderBook, Side
from market.payloads import MAX_STEPS, Curve, Step
from market.rules import CellRules, TariffStep
from market.units import MAX_PRICE, MAX_QUANTITY

UNBOUND_BUDGET = 10**40
"""The market cuts orders to what their members can afford; the gateway does not know their debts."""


def gateway_order(curve: CellCurve, tariff: TariffStep) -> Curve:
    """The order of a cell with this curve and this supplier."""
    short = compressed(curve, MAX_STEPS - 1)  # a step through zero becomes two
    after = short.base + np.cumsum(short.quantities)
    buys: dict[int, int] = {}
    sells: dict[int, int] = {}
    rows = zip(short.keys.tolist(), after.tolist(), short.quantities.tolist(), strict=True)
    for key, upper, quantity in rows:
        lower, price, is_bid = upper - quantity, key >> 2, key & 3 == BID
        withdrawn, injected = min(upper, 0) - min(lower, 0), max(upper, 0) - max(lower, 0)
        if withdrawn:
            _add(buys, min(price - (not is_bid), tariff.import_price), withdrawn)
        if injected:
            _add(sells, max(price + is_bid, tariff.export_price), injected)
    return Curve(_steps(buys, descending=True), _steps(sells, descending=False))


def curve_of_cell(rules: CellRules, feeder: Feeder, curves: Mapping[bytes, Curve]) -> CellCurve:
    """The curve of the members' open orders, each cut to its nameplate, without the gateway and the supplier."""
    gateway = gateway_of(rules.parent)
    rows = [
        row
        for rule in rules.members
        if rule.member in curves and rule.member != gateway
        for row in _rows(
            cut(
                curves[rule.member],
                rules.tariff[0],
                max_injection=rules.max_injection(rule),
                max_withdrawal=rules.max_withdrawal(rule),
                budget=UNBOUND_BUDGET,
            ),
            rule.branch,
        )
    ]
    columns = np.array(rows, np.int64).reshape(len(rows), 4)
    book = OrderBook.from_arrays(
        price=columns[:, 0].copy(), quantity=columns[:, 1].copy(), side=columns[:, 2], branch=columns[:, 3]
    )
    return cell_curve(book, Feeder(feeder.branches))


def _rows(curve: Curve, branch: int) -> Iterable[tuple[int, int, int, int]]:
    for side, steps in ((Side.BUY, curve.buys), (Side.SELL, curve.sells)):
        for step in steps:
            yield step.price, step.quantity, side, branch


def _add(steps: dict[int, int], price: int, quantity: int) -> None:
    bounded = min(max(price, -MAX_PRICE), MAX_PRICE)
    steps[bounded] = min(steps.get(bounded, 0) + quantity, MAX_QUANTITY)


def _steps(steps: dict[int, int], *, descending: bool) -> tuple[Step, ...]:
    return tuple(Step(price, steps[price]) for price in sorted(steps, reverse=descending))
