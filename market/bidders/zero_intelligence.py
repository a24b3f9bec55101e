"""Zero intelligence with a budget: prices at random, but none that would lose money against the tariff.

Source: Gode and Sunder, Allocative efficiency of markets with zero-intelligence traders (1993), the constrained traders
(ZI-C). What the auction's rules alone achieve, without anybody thinking, is what this bidder shows.
"""

from dataclasses import dataclass

import numpy as np

from market.bidding import Account, Flexibility, net_curve, within_nameplate
from market.forecast import PriceForecast
from market.payloads import Curve, Step


@dataclass(frozen=True, slots=True)
class ZeroIntelligenceBidder:
    """Net must-run energy and storage at prices drawn evenly between export and import price.

    The draw depends on `seed`, the interval and what the member can do in it, and on nothing else.
    """

    seed: int = 0

    def orders(self, flexibility: Flexibility, forecast: PriceForecast, account: Account) -> Curve:
        """The curve to offer; within the nameplate, empty when there is nothing to offer. The forecast is ignored."""
        state = (flexibility.interval, flexibility.load, flexibility.generation, flexibility.charge)
        draw = np.random.default_rng([self.seed, *state, flexibility.discharge])
        low, high = sorted((account.export_price, account.import_price))
        must_run, storing, giving = (int(price) for price in draw.integers(low, high + 1, 3))
        surplus = flexibility.generation - flexibility.load
        # It never buys dearer than it sells, or it would trade with itself.
        cheap, dear = sorted((storing, giving))
        curve = net_curve(
            surplus,
            [Step(cheap, flexibility.charge)] if flexibility.charge > 0 else [],
            [Step(dear, flexibility.discharge)] if flexibility.discharge > 0 else [],
            ceiling=must_run if surplus < 0 else high,
            floor=must_run if surplus > 0 else low,
            dearest=high,
        )
        return within_nameplate(_within(curve, low, high), account)


def _within(curve: Curve, low: int, high: int) -> Curve:
    """Without what a split step would pay or ask a tick beyond the tariff."""
    return Curve(
        tuple(step for step in curve.buys if step.price >= low),
        tuple(step for step in curve.sells if step.price <= high),
    )
