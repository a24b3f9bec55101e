"""Shell: the bidder and the expectations that a configuration asks for; reads the profile's past to teach them."""

from collections.abc import Callable

from devices.profiles import read_profile
from market.bidders.expectations import Expectations, Maker
from market.bidders.preferences import Goal, Preferences
from market.bidders.strategies import Strategy, bidder_of
from market.bidding import Bidder
from market.forecasting.seasonal import DAYS, Climate, SeasonalNaive
from market.forecasting.selection import light, selected
from market.rules import CellRules
from market.units import PRICE_PER_UNIT, S_PER_HOUR
from node.configuration.bidding_section import HOURS, BiddingSection
from node.configuration.config import Config
from node.events import Now

FORECASTS: dict[str, Maker] = {
    "light": light,
    "full": selected,
    "climate": Climate,
    "seasonal-naive": SeasonalNaive,
}


def configured_bidder(section: BiddingSection, season: int) -> Bidder:
    """The bidder of the section; `season` is the number of intervals in a day."""
    preferences = Preferences(
        goal=Goal(section.goal), floor=_price(section.price_floor), cap=_price(section.price_cap)
    )
    return bidder_of(Strategy(section.strategy), season, preferences, section.seed)


def configured_expectations(config: Config, rules: CellRules, season: int, now: Now) -> Expectations | None:
    """What a bidder that looks ahead expects, taught with the profile's past; None for one that does not."""
    if config.bidding.strategy != Strategy.OPTIMISING.value:
        return None
    expectations = Expectations(season, FORECASTS[config.bidding.forecast])
    path = config.profile_path
    if path is None:
        return expectations
    with path.open(encoding="utf-8", newline="") as lines:
        profile = read_profile(lines, str(path))
    calendar = rules.calendar
    present = calendar.index_of(now.cell_ns)
    for interval in range(present - DAYS * season, present):
        start_ns, end_ns = calendar.start_ns(interval), calendar.end_ns(interval)
        if profile.load.covers(start_ns):
            load = profile.load.energy_between(start_ns, end_ns)
            expectations.metered(interval, load, profile.pv.energy_between(start_ns, end_ns))
    return expectations


def carbon_of(section: BiddingSection, interval_s: int) -> Callable[[int], float]:
    """The grid's carbon intensity of an interval by its index, g/kWh; 0 where none is configured."""
    carbon = section.carbon
    if not carbon:
        return lambda interval: 0.0
    return lambda interval: carbon[interval * interval_s // S_PER_HOUR % HOURS]


def _price(price: float | None) -> int | None:
    return None if price is None else round(price * PRICE_PER_UNIT)
