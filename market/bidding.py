"""Bidding: from what a member can do and expects to the curve it offers for one interval.

Energies are mWh, prices µ/kWh. A bidder sees one interval at a time; what spans intervals is in what it
remembers or is told. `SimpleBidder` is honest and knows two things: what the supplier's tariff makes a load
and a surplus worth, and where the prices of the last days put a battery's energy.
"""

from dataclasses import dataclass
from typing import Protocol

from market.forecast import PriceForecast
from market.payloads import Curve

PRICE_TICK = 1
"""The smallest difference between two prices: 1 µ/kWh."""


@dataclass(frozen=True, slots=True)
class Flexibility:
    """What a member expects to use and make in one interval, and what its storage could do in it.

    `load` and `generation` are must-run energies, both positive. `charge` is the most energy the storage can
    take from its terminals in this interval, `discharge` the most it can give at them without touching the
    reserve. `efficiency_ppm` is the round trip (energy out per energy in) in millionths.
    """

    load: int = 0
    generation: int = 0
    charge: int = 0
    discharge: int = 0
    efficiency_ppm: int = 1_000_000


@dataclass(frozen=True, slots=True)
class Account:
    """What a member trades under: the tariff of the interval and the caps of its metering point.

    `max_injection` and `max_withdrawal` are nameplate energies of one interval.
    """

    import_price: int
    export_price: int
    max_injection: int
    max_withdrawal: int


class Bidder(Protocol):
    """Turns flexibility and forecasts into a curve. Pure: the same arguments give the same curve."""

    def orders(self, flexibility: Flexibility, forecast: PriceForecast, account: Account) -> Curve:
        """The curve to offer for the interval that the arguments speak of."""
        ...
