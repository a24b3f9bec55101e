"""Who is served first in an emergency: power that the operator grants to a member as critical or essential.

In an island nobody stands behind the grid connection, and the auction says who may take how much. There, what a
member buys up to its granted power is bid above all others: critical power first, then essential power, then everybody
at the price offered. Nobody grants itself anything, nobody pays these prices (`market.cell`), and what is granted means
nothing while the public grid is there. Energies are mWh, power mW, prices µ/kWh.
"""

from dataclasses import dataclass
from typing import Final

from market.payloads import Step
from market.units import MAX_PRICE, energy_of_power

CRITICAL_PRICE: Final = MAX_PRICE
ESSENTIAL_PRICE: Final = MAX_PRICE - 1
HIGHEST_OFFER: Final = MAX_PRICE - 2
"""An offer of more counts as this much in an emergency, so that no price buys what is granted."""


@dataclass(frozen=True, slots=True)
class Priority:
    """Power of a member that is served first, mW, both at least 0: what is critical, and what is essential besides."""

    critical_mw: int
    essential_mw: int

    def __add__(self, other: "Priority") -> "Priority":
        return Priority(self.critical_mw + other.critical_mw, self.essential_mw + other.essential_mw)


NO_PRIORITY: Final = Priority(0, 0)


def served_first(buys: tuple[Step, ...], priority: Priority, interval_s: int) -> tuple[Step, ...]:
    """The buys of a member, best first, as they stand in an emergency; their quantities add up to the same."""
    tiers = [
        (CRITICAL_PRICE, energy_of_power(priority.critical_mw, interval_s)),
        (ESSENTIAL_PRICE, energy_of_power(priority.essential_mw, interval_s)),
    ]
    quantities: dict[int, int] = {}
    for step in buys:
        left = step.quantity
        for index, (price, room) in enumerate(tiers):
            lifted = min(left, room)
            quantities[price] = quantities.get(price, 0) + lifted
            tiers[index], left = (price, room - lifted), left - lifted
        offered = min(step.price, HIGHEST_OFFER)
        quantities[offered] = quantities.get(offered, 0) + left
    return tuple(
        Step(price, quantities[price]) for price in sorted(quantities, reverse=True) if quantities[price]
    )
