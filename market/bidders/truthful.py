"""A bidder that says what everything is worth to it: load what the supplier asks, surplus what the supplier pays.

Stored energy is worth the middle of the prices that it has seen: it is bought for what it will bring after the losses
of charging, and sold for what it takes to replace it after those of discharging.
"""

import math
from dataclasses import dataclass

from market.bidding import PRICE_TICK, Account, Flexibility, net_curve, within_nameplate
from market.forecast import PriceForecast
from market.payloads import Curve, Step


@dataclass(frozen=True, slots=True)
class TruthfulBidder:
    """No shading and no foresight: what a mechanism that rewards honesty should be given."""

    def orders(self, flexibility: Flexibility, forecast: PriceForecast, account: Account) -> Curve:
        """The curve to offer; within the nameplate, empty when there is nothing to offer."""
        one_way = math.sqrt(max(flexibility.efficiency_ppm, 1) / 1_000_000)
        worth = min(account.import_price, max(account.export_price, (forecast.low + forecast.high) / 2))
        charge, discharge = math.floor(worth * one_way) - PRICE_TICK, math.ceil(worth / one_way)
        curve = net_curve(
            flexibility.generation - flexibility.load,
            [Step(charge, flexibility.charge)] if flexibility.charge > 0 else [],
            [Step(discharge, flexibility.discharge)] if flexibility.discharge > 0 else [],
            ceiling=account.import_price,
            floor=account.export_price,
            dearest=account.import_price,
        )
        return within_nameplate(curve, account)
