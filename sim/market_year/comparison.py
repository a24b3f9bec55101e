"""One seed of a comparison: the world, its baselines, its bound, and every market asked for."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from market.bidders.strategies import Strategy
from market.mechanisms.names import Mechanism
from sim.market_year.foresight import Foresight, foresight
from sim.market_year.measures import Measures, measures_of, measures_of_bound
from sim.market_year.play import (
    Alone,
    Outcome,
    alone_steps,
    check_money,
    empty_outcome,
    market_steps,
    play_tariff,
)
from sim.market_year.world import World
from sim.market_year.world_view import WorldView

TARIFF, BOUND = "tariff only", "perfect foresight"


@dataclass(frozen=True, slots=True, eq=False)
class Played:
    """The rows of one seed, by name in the order to show; bills by home where homes have one."""

    measures: dict[str, Measures]
    bills: dict[str, npt.NDArray[np.int64]]
    outcomes: dict[str, Outcome]
    best: Foresight
    world: World


def alone_name(strategy: Strategy) -> str:
    """The row of homes with their batteries, each for itself."""
    return f"alone, {strategy.value}"


def collective_name(strategy: Strategy) -> str:
    """The row of collective self-consumption."""
    return f"collective, {strategy.value}"


def market_name(mechanism: Mechanism, strategy: Strategy) -> str:
    """The row of a market."""
    return f"{mechanism.value}, {strategy.value}"


def compare(
    world: World,
    strategies: Sequence[Strategy],
    mechanisms: Sequence[Mechanism],
    *,
    seed: int,
    known: bool = False,
    progress: Callable[[str], None] = lambda _: None,
) -> Played:
    """Play everything on one world, side by side; see `play_market` for `known`. `progress` is told what is played."""
    progress(TARIFF)
    check_money(world)
    tariff = play_tariff(world)
    progress(BOUND)
    best = foresight(world, tariff.grid_export - tariff.grid_import)
    view = WorldView(world, known=known)
    baselines: dict[Strategy, Alone] = {}
    rows: dict[Strategy, dict[str, Outcome]] = {}
    steps: list[Iterator[None]] = []
    for strategy in strategies:
        alone = baselines[strategy] = Alone(empty_outcome(world), empty_outcome(world))
        rows[strategy] = {alone_name(strategy): alone.separate, collective_name(strategy): alone.collective}
        steps.append(alone_steps(view, strategy, seed, alone))
        for mechanism in mechanisms:
            outcome = rows[strategy][market_name(mechanism, strategy)] = empty_outcome(world)
            steps.append(market_steps(view, strategy, mechanism, seed, outcome))
    for interval, _ in enumerate(zip(*steps, strict=True)):
        if interval % world.day == 0:
            progress(f"day {interval // world.day + 1} of {world.days}")
    outcomes = {TARIFF: tariff}
    measures = {TARIFF: measures_of(world, tariff, tariff=tariff, alone=None, best=best)}
    for strategy in strategies:
        separate = baselines[strategy].separate
        for name, outcome in rows[strategy].items():
            outcomes[name] = outcome
            against = None if outcome is separate else separate
            measures[name] = measures_of(world, outcome, tariff=tariff, alone=against, best=best)
    measures[BOUND] = measures_of_bound(world, best, tariff)
    bills = {name: outcome.bills for name, outcome in outcomes.items()}
    return Played(measures, bills, outcomes, best, world)
