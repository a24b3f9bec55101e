"""The strategies that can be compared, by name."""

from enum import Enum

from market.bidders.optimising import OptimisingBidder, limited
from market.bidders.preferences import Preferences
from market.bidders.truthful import TruthfulBidder
from market.bidders.zero_intelligence import ZeroIntelligenceBidder
from market.bidding import Account, Bidder, Flexibility, SimpleBidder
from market.forecast import PriceForecast
from market.payloads import Curve


class Strategy(Enum):
    """How a member turns what it can do into orders."""

    ZERO_INTELLIGENCE = "zero-intelligence"
    TRUTHFUL = "truthful"
    THRESHOLD = "threshold"
    OPTIMISING = "optimising"


def bidder_of(strategy: Strategy, day: int, preferences: Preferences | None = None, seed: int = 0) -> Bidder:
    """The bidder of a strategy, within the owner's floor and cap whichever it is.

    `day` is the number of intervals in a day; `seed` is that of the strategy that draws.
    """
    preferences = preferences or Preferences()
    if strategy is Strategy.OPTIMISING:
        return OptimisingBidder(day, preferences)
    plain: dict[Strategy, Bidder] = {
        Strategy.ZERO_INTELLIGENCE: ZeroIntelligenceBidder(seed),
        Strategy.TRUTHFUL: TruthfulBidder(),
        Strategy.THRESHOLD: SimpleBidder(),
    }
    if preferences.floor is None and preferences.cap is None:
        return plain[strategy]
    return _Limited(plain[strategy], preferences)


class _Limited:
    """Another bidder's orders, kept within floor and cap."""

    def __init__(self, bidder: Bidder, preferences: Preferences) -> None:
        self._bidder = bidder
        self._preferences = preferences

    def orders(self, flexibility: Flexibility, forecast: PriceForecast, account: Account) -> Curve:
        """The other's curve with prices beyond the limits moved to them."""
        return limited(
            self._bidder.orders(flexibility, forecast, account),
            self._preferences.least(account.export_price),
            self._preferences.ceiling(account.import_price),
        )
