"""The `[bidding]` table of a node's configuration: how it bids, and what its owner wants."""

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, ValidationError, model_validator

from node.configuration.section import Section, list_is_tuple

Price = Annotated[float, Field(ge=0, le=1_000)]
CarbonIntensity = Annotated[float, Field(ge=0, le=5_000)]
HOURS = 24
GOALS = ("cheapest", "greenest", "independent")


class BiddingSection(Section):
    """How this node bids, and what its owner wants. Prices are currency per kWh.

    `carbon` is the grid's intensity over a typical day, g/kWh for each of the 24 hours of UTC.
    """

    strategy: Literal["threshold", "optimising", "truthful", "zero-intelligence"] = "threshold"
    goal: Literal["cheapest", "greenest", "independent"] = "cheapest"
    price_floor: Price | None = None
    price_cap: Price | None = None
    wear: Price = 0.02
    horizon_hours: int = Field(default=24, ge=1, le=168)
    forecast: Literal["light", "full", "climate", "seasonal-naive"] = "light"
    carbon: Annotated[tuple[CarbonIntensity, ...], BeforeValidator(list_is_tuple)] = ()
    seed: int = Field(default=0, ge=0)

    def preferring(self, goal: str, price_floor: float | None, price_cap: float | None) -> "BiddingSection":
        """The section with what the owner wants; a goal that needs a bidder which looks ahead brings it along.

        Raises ValueError saying why it cannot be.
        """
        strategy = self.strategy if goal == "cheapest" else "optimising"
        wanted = {"goal": goal, "price_floor": price_floor, "price_cap": price_cap, "strategy": strategy}
        try:
            return BiddingSection.model_validate({**self.model_dump(), **wanted})
        except ValidationError as fault:
            first = fault.errors()[0]
            where = ".".join(str(part) for part in first["loc"])
            said = str(first["msg"]).removeprefix("Value error, ")
            raise ValueError(f"{where}: {said}" if where else said) from None

    @model_validator(mode="after")
    def _carbon_fits_the_goal(self) -> "BiddingSection":
        if len(self.carbon) not in (0, HOURS):
            raise ValueError(
                f"carbon has {len(self.carbon)} values; give {HOURS}, one for each hour of UTC, or none"
            )
        if self.goal == "greenest" and not self.carbon:
            raise ValueError(f"the goal greenest needs carbon: {HOURS} values, g/kWh for each hour of UTC")
        if self.strategy != "optimising" and self.goal != "cheapest":
            raise ValueError(
                f'the goal {self.goal} needs strategy = "optimising"; {self.strategy} knows no goal'
            )
        return self
