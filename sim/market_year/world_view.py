"""What every way that is played on one world sees before an interval: computed once, however many are played.

Meters, tariff and forecasts of load and solar do not depend on who trades how: what a home uses and makes is the same
in every way, and only its battery is not. So neither do the plans of what stored energy is worth.
"""

import numpy as np
import numpy.typing as npt

from sim.market_year.expected import LAG, Expected
from sim.market_year.lookahead import Lookahead
from sim.market_year.world import World


class WorldView:
    """The current interval of a world: `surplus` is what each home will have (mWh, injection positive), `quantiles`
    what it expects of that, `prices` the supplier's import and export price (µ/kWh).

    With `known` every home knows its surplus of the interval that it bids for.
    """

    def __init__(self, world: World, *, known: bool = False) -> None:
        self.world = world
        self._known = known
        self._now = -1
        self._expected = Expected(world.homes, world.day)
        self._lookaheads: dict[bool, Lookahead] = {}
        self.surplus: npt.NDArray[np.int64] = np.zeros(world.homes, np.int64)
        self.quantiles: npt.NDArray[np.float64] = np.zeros((world.homes, 0))
        self.prices = (0, 0)

    def lookahead(self, *, together: bool) -> Lookahead:
        """The plans of homes that trade with each other or not; to be asked for before the first interval."""
        if together not in self._lookaheads:
            self._lookaheads[together] = Lookahead(self.world, self._expected, together=together)
        return self._lookaheads[together]

    def reach(self, interval: int) -> None:
        """Go on to an interval, the next one or the one that is reached already."""
        if interval == self._now:
            return
        self._now = interval
        world = self.world
        self.surplus, self.prices = world.surplus_of(interval), world.prices_of(interval)
        if interval >= LAG:
            self._expected.learn(interval - LAG, world.surplus_of(interval - LAG))
            for lookahead in self._lookaheads.values():
                lookahead.learn(interval - LAG)
        self.quantiles = self._expected.quantiles(interval)
        if self._known:
            certain = self.surplus[:, np.newaxis].astype(np.float64)
            self.quantiles = np.repeat(certain, self.quantiles.shape[1], axis=1)
