"""Shell: what a node has learned of its own home, for its owner: advice at the cell's prices.

Commands and page read it here, from the file that the control process keeps; see docs/devices.md, the hub.
"""

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from devices.errors import MessageError
from devices.hub.advice import HOURS, Advice, advise
from devices.hub.home_use import HomeUse
from devices.process.hub_memory import HUB_NAME, read_hub
from market.cell_state import CellState
from market.units import NS_PER_S, PRICE_PER_UNIT, S_PER_DAY, S_PER_HOUR
from node.errors import InputRefusedError

NO_PRICES = (0.0,) * HOURS
"""Where there is no ledger yet: advice then says energy and no money."""


@dataclass(frozen=True, slots=True)
class Circuit:
    """What a circuit or socket is taken for and why, and whether its usual day is known."""

    name: str
    kind: str
    why: str
    whole_day: bool


@dataclass(frozen=True, slots=True)
class HomeView:
    """A home for its owner."""

    circuits: tuple[Circuit, ...]
    advice: tuple[Advice, ...]


def read_home(directory: Path) -> HomeUse | None:
    """What the hub of a node has kept; None before its first quarter of an hour, and where nothing is watched.

    Raises `InputRefusedError` for a file that does not read back.
    """
    try:
        seen = (directory / HUB_NAME).stat()
        return _read(directory, seen.st_ino, seen.st_size, seen.st_mtime_ns)
    except FileNotFoundError:
        return None
    except (OSError, MessageError) as error:
        raise InputRefusedError(
            f"{directory / HUB_NAME}: {error}; move it away, it is learned again"
        ) from error


@lru_cache(maxsize=1)
def _read(directory: Path, *_stamp: int) -> HomeUse | None:
    """Read once per version of the file, which changes every quarter of an hour: a page asks far more often, and a week
    of ten circuits takes a tenth of a second to read.
    """
    return read_hub(directory)


def home_view(use: HomeUse, prices: tuple[float, ...]) -> HomeView:
    """What its owner may know of a home, at a price per kWh for each of the 24 hours of the UTC day."""
    days = use.days()
    circuits = (Circuit(each.name, each.kind.value, each.why, each.name in days) for each in use.circuits)
    return HomeView(tuple(circuits), advise(tuple(days.values()), prices))


def retail_by_hour(state: CellState, branch: int, from_ns: int) -> tuple[float, ...]:
    """What a kWh from the supplier costs on a branch in each hour of the UTC day: of the 24 hours after `from_ns`, as
    the tariff stands; the mean where it changes within an hour.
    """
    rules = state.rules
    first_s = -(-from_ns // NS_PER_S // S_PER_HOUR) * S_PER_HOUR
    prices = [0.0] * HOURS
    for start_s in range(first_s, first_s + S_PER_DAY, S_PER_HOUR):
        intervals = range(start_s // rules.interval_s, -(-(start_s + S_PER_HOUR) // rules.interval_s))
        tariffs = [rules.tariff_on(branch, rules.tariff_at(each, state.tariffs)) for each in intervals]
        mean = sum(each.import_price for each in tariffs) / len(tariffs)
        prices[start_s // S_PER_HOUR % HOURS] = mean / PRICE_PER_UNIT
    return tuple(prices)
