"""Cuts a curve to what a member can deliver and afford, before anything is cleared.

Energies are mWh, prices µ/kWh, money pico-currency. The budget of a member is

    balance + credit limit - worst cost of its unsettled positions

where the contract money of those positions is in the balance already, so that what can still come is the
imbalance: a sold unit that is not delivered costs max(retail, price), a bought one that is not used costs
only where its imbalance price is negative. The worst cost of an order is its own limit price per bought unit
and the imbalance price, retail, per sold unit; nothing is ever cheaper than free.

The cut, exactly: steps count from the best for the market (dearest buy, cheapest sell) to the worst. The buys
are cut to the withdrawal and the sells to the injection nameplate of one interval; then the buys to the
budget, and the sells to the whole budget if the curve does not cross itself (then at most one side can fill)
or to what the buys left of it if it does. A cut keeps the steps that fit, shortens the first that does not to
the largest whole mWh that does, and drops the rest. Members do not share budgets, so the agreed order among
them makes no difference.
"""

from collections.abc import Callable

from market.payloads import Curve, Step
from market.rules import TariffStep
from market.settlement import long_price, short_price


def worst_cost_of_position(tariff: TariffStep, price: int | None, position: int) -> int:
    """The most that the imbalance of an unsettled position can still cost, at least zero."""
    if position > 0:
        return position * max(short_price(tariff, price), 0)
    return position * min(long_price(tariff, price), 0)


def worst_cost_of_buys(buys: tuple[Step, ...]) -> int:
    """What the buys cost if all fill at their own limit, at least zero."""
    return sum(step.quantity * max(step.price, 0) for step in buys)


def cut(curve: Curve, tariff: TariffStep, *, max_injection: int, max_withdrawal: int, budget: int) -> Curve:
    """The part of the curve that takes part in the auction."""
    buys = _within_energy(curve.buys, max_withdrawal)
    sells = _within_energy(curve.sells, max_injection)
    crosses = bool(buys and sells) and buys[0].price >= sells[0].price
    buys = _within_budget(buys, budget, lambda step: step.price)
    left = budget - worst_cost_of_buys(buys) if crosses else budget
    return Curve(buys, _within_budget(sells, left, lambda step: tariff.import_price))


def _within_energy(steps: tuple[Step, ...], energy: int) -> tuple[Step, ...]:
    return _within_budget(steps, energy, lambda step: 1)


def _within_budget(steps: tuple[Step, ...], budget: int, cost_of: Callable[[Step], int]) -> tuple[Step, ...]:
    kept = []
    for step in steps:
        cost = max(cost_of(step), 0)
        affordable = step.quantity if cost == 0 else min(step.quantity, max(budget, 0) // cost)
        if affordable:
            kept.append(Step(step.price, affordable))
        if affordable < step.quantity:
            break
        budget -= affordable * cost
    return tuple(kept)
