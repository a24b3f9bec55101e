"""The auction: welfare-optimal fills and locational prices on a radial feeder, in integers.

Energies are mWh, prices µ/kWh, money pico. Injection is positive: a flow is positive out of a branch.
"""

from dataclasses import dataclass

from market.feeder import Feeder
from market.orders import IntArray, OrderBook


@dataclass(frozen=True, slots=True, eq=False)
class Clearing:
    """What one auction decided; everything per branch is aligned with `feeder.branches`.

    prices: µ/kWh, None where nothing trades (no order of the branch is filled and no energy flows in or out).
    keys: the price keys behind the prices, defined on every branch.
    fills: mWh that each order of the book got, aligned with the book.
    flows: mWh from the branch to its parent (from the root to the grid), negative for into the branch.
    grid_import, grid_export: mWh over the grid connection, at most one of them above zero.
    volume: mWh bought by orders, plus the export.
    welfare: pico; value of what was bought minus cost of what was sold, the grid at its prices.
    rent: pico; what buyers pay beyond what sellers get, because limits bind. Never negative.
    """

    prices: tuple[int | None, ...]
    keys: tuple[int, ...]
    fills: IntArray
    flows: tuple[int, ...]
    grid_import: int
    grid_export: int
    volume: int
    welfare: int
    rent: int


def clear(book: OrderBook, feeder: Feeder) -> Clearing:
    """Clear the book on the feeder. Raises OrderError when an order names a branch that is not there."""
    raise NotImplementedError
