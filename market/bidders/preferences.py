"""What the owner of a member wants: the goal, and the floor and cap on prices that no order may pass."""

from dataclasses import dataclass
from enum import Enum

from market.errors import InputError


class Goal(Enum):
    """What a bidder makes small: the bill, the carbon of what the member draws, or its trade with others."""

    CHEAPEST = "cheapest"
    GREENEST = "greenest"
    INDEPENDENT = "independent"


GREEN_PRICE = 1_000.0
"""µ per gram that a member pays itself for carbon when it wants to be green: one currency unit per kilogram."""


class PreferenceError(InputError):
    """Preferences that can not be meant; the message says why."""


@dataclass(frozen=True, slots=True)
class Preferences:
    """`floor` is the least price to sell at and `cap` the highest to buy at, µ/kWh; None where there is none.

    Raises PreferenceError for a negative cap, which would forbid every purchase.
    """

    goal: Goal = Goal.CHEAPEST
    floor: int | None = None
    cap: int | None = None

    def __post_init__(self) -> None:
        if self.cap is not None and self.cap < 0:
            raise PreferenceError(
                f"a cap of {self.cap} µ/kWh would forbid every purchase; give zero or more, or none"
            )

    @property
    def carbon_price(self) -> float:
        """What a gram of carbon counts, µ/g."""
        return GREEN_PRICE if self.goal is Goal.GREENEST else 0.0

    def premium(self, import_price: int, export_price: int) -> float:
        """What a kWh traded either way counts beside its price, µ/kWh.

        Whoever wants to be independent counts the whole spread of the tariff, so that own energy goes to own loads
        first.
        """
        return float(max(0, import_price - export_price)) if self.goal is Goal.INDEPENDENT else 0.0

    def ceiling(self, import_price: int) -> int:
        """The dearest price to buy at."""
        return import_price if self.cap is None else min(import_price, self.cap)

    def least(self, export_price: int) -> int:
        """The cheapest price to sell at."""
        return export_price if self.floor is None else max(export_price, self.floor)
