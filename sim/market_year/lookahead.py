"""The optimising bidder for all homes at once: `market.bidders.optimising.OptimisingBidder` on arrays.

Must-run energy is promised by its risk, stored energy by what it is worth later. That worth is common where the homes
trade with each other: in one market it makes no difference whose surplus fills a battery and whose load empties it, so
each battery looks at the surplus of the whole cell in its share of all batteries (`PriceForecast.storage_horizon`), and
all bid the steps of one curve at the level that each has. The auction then takes the fullest first and stops where
later is better, as if one plan steered them all. A home alone looks at its own surplus. The tariff is known a day
ahead. A test holds the curves against the bidder's, home by home. Energies mWh, prices µ/kWh, injection positive.
"""

import numpy as np
import numpy.typing as npt
from scipy.optimize import isotonic_regression

from market.bidders.expectations import Expectations
from market.bidding import PRICE_TICK
from market.forecasting.forecaster import LEVELS as QUANTILES
from market.forecasting.selection import light
from market.units import S_PER_HOUR
from sim.homes.neighbourhood import CHALLENGE_BATTERY
from sim.market_year.batteries import Batteries
from sim.market_year.bids import Bids
from sim.market_year.expected import Expected
from sim.market_year.stored_worth import LEVELS, WEIGHTS, Store, worth_of_levels
from sim.market_year.world import World

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

PLANS_PER_DAY = 24
"""Times a day at which what stored energy is worth is computed anew, where the homes trade."""
PLANS_PER_DAY_ALONE = 4
"""The same where each home has a plan of its own."""


class Lookahead:
    """What stored energy is worth to the homes of a world, planned anew every hour or so."""

    def __init__(self, world: World, expected: Expected, *, together: bool) -> None:
        self._world, self._expected, self._together = world, expected, together
        self._store = Store(
            float(CHALLENGE_BATTERY.energy),
            (CHALLENGE_BATTERY.efficiency_per_mille / 1000) ** 0.5,
            CHALLENGE_BATTERY.power * world.interval_s / S_PER_HOUR,
        )
        self._owners = np.flatnonzero(world.battery)
        self._cell = Expectations(world.day, light)
        self._every = max(1, world.day // (PLANS_PER_DAY if together else PLANS_PER_DAY_ALONE))
        self._planned = -self._every
        self._slopes = np.zeros((world.day, 1, LEVELS - 1))

    def learn(self, interval: int) -> None:
        """The meters of an interval became known: a cell's readings and dispatch records are in everyone's ledger.

        They tell each home's surplus, not what of it is load and what is solar.
        """
        if self._together:
            surplus = self._world.surplus_of(interval)
            self._cell.metered(interval, -int(surplus[surplus < 0].sum()), int(surplus[surplus > 0].sum()))

    def bids(self, interval: int, surplus: FloatArray, batteries: Batteries) -> Bids:
        """The curves of all homes, given the quantiles of their surplus in this interval (homes, levels)."""
        import_price, export_price = self._world.prices_of(interval)
        homes, owners = len(surplus), self._owners
        steps = LEVELS + 1
        lowest = np.zeros(homes, np.int64)
        price, quantity = np.zeros((homes, steps), np.int64), np.zeros((homes, steps), np.int64)
        others = np.flatnonzero(~self._world.battery)
        rounded = np.rint(surplus[others]).astype(np.int64)
        lowest[others] = rounded[:, 0]
        quantity[others, : len(QUANTILES) - 1] = np.diff(rounded, axis=1)
        price[others, : len(QUANTILES) - 1] = prices_of_risk(import_price, export_price)
        if len(owners):
            if interval - self._planned >= self._every:
                self._plan(interval)
            # The slopes at the start of the next interval are what this one leaves behind.
            slopes = self._slopes[(interval - self._planned + 1) % len(self._slopes)]
            curves = storage_curves(
                self._store,
                slopes,
                batteries.stored[owners].astype(np.float64),
                (batteries.most_charge()[owners], batteries.most_discharge()[owners]),
                surplus[owners],
                (import_price, export_price),
            )
            lowest[owners], price[owners], quantity[owners] = curves
        return rising_curves(lowest, price, quantity, import_price, export_price)

    def _plan(self, interval: int) -> None:
        world = self._world
        self._planned = interval
        ahead = interval + np.arange(world.day)
        # Beyond the last interval that is played, prices are taken to be those of a day before.
        ahead = np.where(ahead < world.intervals, ahead, ahead - world.day)
        tariff = np.array([world.prices_of(each) for each in ahead.tolist()], np.float64)
        together = self._together
        surplus = self._of_cell(interval) if together else self._expected.day_ahead(interval, self._owners)
        self._slopes = worth_of_levels(self._store, surplus, tariff[:, 0], tariff[:, 1])

    def _of_cell(self, interval: int) -> FloatArray:
        """Quantiles of the cell's surplus in the share of one battery: (intervals, 1, levels)."""
        horizon = self._cell.horizon(interval, self._world.day, lambda _: (0, 0), lambda _: 0.0)
        if not horizon:
            return np.zeros((self._world.day, 1, len(QUANTILES)))
        return np.array([outlook.surplus for outlook in horizon])[:, np.newaxis, :] / len(self._owners)


def prices_of_risk(import_price: int, export_price: int) -> IntArray:
    """The prices from which on a home without a battery promises its next quantile, as the bidder's newsvendor."""
    spread = max(0, import_price - export_price)
    return np.array(
        [
            export_price + round(spread * (QUANTILES[at - 1] + QUANTILES[at]) / 2)
            for at in range(1, len(QUANTILES))
        ],
        np.int64,
    )


def storage_curves(
    store: Store,
    slopes: FloatArray,
    level: FloatArray,
    limits: tuple[IntArray, IntArray],
    surplus: FloatArray,
    prices: tuple[int, int],
) -> tuple[IntArray, IntArray, IntArray]:
    """The lowest position of each home with a battery, and prices and quantities of the steps by which it rises.

    `slopes` are what the energy between levels is worth after the interval, for each battery or for all (batteries or
    1, LEVELS - 1); `level` what is stored, `limits` the most charge and discharge, `surplus` quantiles (batteries,
    levels), `prices` import and export price.
    """
    import_price, export_price = prices
    least, most = -limits[0][:, np.newaxis].astype(np.float64), limits[1][:, np.newaxis].astype(np.float64)
    must_run = np.rint(surplus[:, [len(QUANTILES) // 2]])
    grid = np.arange(LEVELS) * store.step
    crossed = np.trunc(store.at_terminals(level[:, np.newaxis] - grid))
    corners = np.concatenate((crossed, np.zeros_like(must_run), -must_run), axis=1)
    positions = must_run + np.sort(np.clip(corners, least, most), axis=1)
    value = np.concatenate((np.zeros((len(slopes), 1)), slopes.cumsum(axis=1)), axis=1)
    row = np.arange(len(level))[:, np.newaxis] if len(slopes) > 1 else 0
    # What may come, by quantile, battery and position.
    real = surplus.T[:, :, np.newaxis]
    moved = np.clip(positions - real, least, most)
    missed = real + moved - positions
    settled = np.where(missed < 0, missed * import_price, missed * export_price)
    place = np.clip(level[:, np.newaxis] - store.drawn(moved), 0.0, store.capacity) / store.step
    below = np.minimum(place.astype(np.intp), LEVELS - 2)
    worth = np.tensordot(WEIGHTS, settled + value[row, below] + (place - below) * slopes[row, below], axes=1)
    quantity = np.diff(positions, axis=1)
    asked = np.where(quantity > 0, -np.diff(worth, axis=1) / np.maximum(quantity, 1.0), -np.inf)
    rising = np.maximum.accumulate(asked, axis=1)
    bent = np.flatnonzero(((quantity > 0) & (asked < rising)).any(axis=1))
    if len(bent):
        rising[bent] = envelope(positions[bent], worth[bent])
    asked = np.clip(rising, export_price - 2.0, import_price + 2.0)
    return positions[:, 0].astype(np.int64), np.ceil(asked).astype(np.int64), quantity.astype(np.int64)


def envelope(positions: FloatArray, worth: FloatArray) -> FloatArray:
    """What each step asks along the upper concave envelope, as `market.bidders.supply.jumps`, shape (curves, steps).

    All curves in one isotonic regression, each far above the one before, which tells the steps that belong together;
    what these ask is then computed from their ends. What is said of a step without width means nothing.
    """
    width = np.diff(positions, axis=1)
    curve, step = np.nonzero(width > 0)
    asked = np.full_like(width, -np.inf)
    if not len(curve):
        return asked
    single = -np.diff(worth, axis=1)[curve, step] / width[curve, step]
    apart = 2 * (float(single.max()) - float(single.min()) + 1)
    blocks = isotonic_regression(single + curve * apart, weights=width[curve, step]).blocks
    first, last = blocks[:-1], blocks[1:] - 1
    row, low, high = curve[first], step[first], step[last] + 1
    mean = (worth[row, low] - worth[row, high]) / (positions[row, high] - positions[row, low])
    asked[curve, step] = np.repeat(mean, np.diff(blocks))
    # Steps that asked all but the same may have stayed apart.
    rising: FloatArray = np.maximum.accumulate(asked, axis=1)
    return rising


def rising_curves(
    lowest: IntArray, price: IntArray, quantity: IntArray, import_price: int, export_price: int
) -> Bids:
    """`market.bidding.net_curve` for steps that are all sales, without those that no auction can fill.

    The supplier buys at the export price and sells at the import price, so nothing trades beyond them.
    """
    before = lowest[:, np.newaxis] + np.concatenate(
        (np.zeros_like(price[:, :1]), quantity.cumsum(axis=1)), axis=1
    )
    bought = np.minimum(np.maximum(-before[:, :-1], 0), quantity)
    sold = quantity - bought
    bought[price - PRICE_TICK < export_price] = 0
    sold[price > import_price] = 0
    last = np.maximum(-before[:, -1:], 0)
    first = np.maximum(lowest, 0)[:, np.newaxis]
    return Bids(
        np.concatenate(
            (
                np.minimum(price - PRICE_TICK, import_price),
                np.full_like(last, import_price),
                np.full_like(first, export_price),
                np.maximum(price, export_price),
            ),
            axis=1,
        ),
        np.concatenate((bought, last, first, sold), axis=1),
    )
