"""Shell: the household of a simulated node, a script: it offers and uses energy drawn from the world's seed.

Energies are mWh, injection positive.
"""

from dataclasses import dataclass
from random import Random

from devices.messages.control_messages import MeterRecord
from market.bidding import Account, Flexibility
from market.forecast import PriceForecast
from market.payloads import Curve, Step

MOST_METERED_MW = 2_000_000
"""Net power of an interval, either way."""


@dataclass(slots=True)
class Household:
    """A bidder without a plan: each time it buys or sells something else, at prices between feed-in and retail.

    `exaggerates` is how many times its meter reports what it counted.
    """

    random: Random
    interval_s: int
    exaggerates: int = 1

    def orders(self, flexibility: Flexibility, forecast: PriceForecast, account: Account) -> Curve:
        """A curve of one step."""
        quantity = self.random.randint(1, account.max_injection // 4)
        price = self.random.randint(account.export_price, account.import_price)
        steps = (Step(price, quantity),)
        return Curve(steps, ()) if self.random.random() < 0.5 else Curve((), steps)

    def meter(self, interval: int) -> MeterRecord:
        """What its meter counted."""
        most = MOST_METERED_MW * self.interval_s // 3600
        net = self.random.randint(-most, most) * self.exaggerates
        return MeterRecord(interval, max(net, 0), max(-net, 0), True, ())
