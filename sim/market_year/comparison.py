"""One seed of a comparison: the world, its baselines, its bound, and every market asked for."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from market.bidders.strategies import Strategy
from market.mechanisms.names import Mechanism
from sim.market_year.foresight import Foresight, foresight
from sim.market_year.measures import Measures, measures_of, measures_of_bound
from sim.market_year.play import Outcome, play_alone, play_market, play_tariff
from sim.market_year.world import World

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
    """Play everything on one world; see `play_market` for `known`. `progress` is told each row before it is played."""
    progress(TARIFF)
    tariff = play_tariff(world)
    progress(BOUND)
    best = foresight(world, tariff.grid_export - tariff.grid_import)
    outcomes = {TARIFF: tariff}
    measures = {TARIFF: measures_of(world, tariff, tariff=tariff, alone=None, best=best)}
    for strategy in strategies:
        progress(alone_name(strategy))
        baselines = play_alone(world, strategy, seed=seed, known=known)
        rows = {alone_name(strategy): baselines.separate, collective_name(strategy): baselines.collective}
        for mechanism in mechanisms:
            name = market_name(mechanism, strategy)
            progress(name)
            rows[name] = play_market(world, strategy, mechanism, seed=seed, known=known)
        for name, outcome in rows.items():
            alone = None if outcome is baselines.separate else baselines.separate
            outcomes[name] = outcome
            measures[name] = measures_of(world, outcome, tariff=tariff, alone=alone, best=best)
    measures[BOUND] = measures_of_bound(world, best, tariff)
    bills = {name: outcome.bills for name, outcome in outcomes.items()}
    return Played(measures, bills, outcomes, best, world)
