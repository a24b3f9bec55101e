"""What one more unit of stored energy is worth, for many batteries at once: the market's dynamic program by its slopes.

The program is `market.bidders.storage_value.value_of_storage`, and a test holds both against each other. Where the
value of stored energy is concave and an interval's trade earns concavely in what leaves the store, the best sum of both
is their sup-convolution, whose slopes are the slopes of both in descending order (Rockafellar, Convex Analysis, section
16). So an interval is one sort, where the program on values tries every move from every level. It is exact while no
price is negative. Energies mWh, prices µ/kWh, injection positive.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]

LEVELS = 33
"""Of stored energy, empty and full included, as market/bidders/storage_value.py has at least."""
WEIGHTS = np.array((0.175, 0.2, 0.25, 0.2, 0.175))
"""Of the quantiles of a forecast, as there."""


@dataclass(frozen=True, slots=True)
class Store:
    """A battery seen from inside: capacity, efficiency of one way, and most energy at the terminals per interval."""

    capacity: float
    one_way: float
    limit: float

    @property
    def step(self) -> float:
        """Energy between two levels."""
        return self.capacity / (LEVELS - 1)

    def at_terminals(self, drawn: npt.NDArray[np.floating]) -> FloatArray:
        """Energy at the terminals when so much is drawn from the store."""
        return np.where(drawn > 0, drawn * self.one_way, drawn / self.one_way)

    def drawn(self, terminals: FloatArray) -> FloatArray:
        """Energy drawn from the store when so much is given at the terminals."""
        return np.where(terminals > 0, terminals / self.one_way, terminals * self.one_way)


def worth_of_levels(
    store: Store, surplus: FloatArray, import_price: FloatArray, export_price: FloatArray
) -> FloatArray:
    """The slopes of the value of stored energy at the start of each interval, shape (intervals, batteries, LEVELS - 1).

    A slope is what the energy between two levels is worth, µ/kWh x mWh. `surplus` are the quantiles of what each
    battery meets, shape (intervals, batteries, quantiles), or one value each that is certain. After the last interval
    all of them come once more, and then what is stored is worth nothing.
    """
    count, batteries, cases = surplus.shape
    weights = WEIGHTS if cases == len(WEIGHTS) else np.full(cases, 1 / cases)
    charging = int(store.limit * store.one_way / store.step + 1e-9)
    discharging = int(store.limit / store.one_way / store.step + 1e-9)
    moves = store.at_terminals(np.arange(-charging, discharging + 1) * store.step)
    net = surplus[..., np.newaxis] + moves
    earned = np.minimum(net * import_price[:, None, None, None], net * export_price[:, None, None, None])
    trade = np.diff(earned, axis=-1)
    slopes = np.zeros((count, batteries, LEVELS - 1))
    worth = np.zeros((batteries, LEVELS - 1))
    both = np.empty((batteries, cases, trade.shape[-1] + LEVELS - 1))
    for again in (True, False):
        for interval in reversed(range(count)):
            both[..., : LEVELS - 1] = worth[:, np.newaxis, :]
            both[..., LEVELS - 1 :] = trade[interval]
            both.sort(axis=-1)
            # Ascending: the slopes from empty to full are the last ones but for those of charging, from behind.
            kept = both[..., ::-1][..., charging : charging + LEVELS - 1]
            worth = weights @ kept
            if not again:
                slopes[interval] = worth
    return slopes
