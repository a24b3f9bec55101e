"""One seed of a comparison: the world, its baselines, its bound, and every market asked for."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from market.bidders.strategies import Strategy
from market.mechanisms.names import Mechanism
from sim.market_year.foresight import Foresight, foresight
from sim.market_year.measures import Measures, measures_of, measures_of_bound
from sim.market_year.play import Outcome, check_money, play_tariff
from sim.market_year.side_by_side import Way, alone_name, play_ways
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


def compare(
    world: World,
    strategies: Sequence[Strategy],
    mechanisms: Sequence[Mechanism],
    *,
    seed: int,
    known: bool = False,
    jobs: int = 1,
    progress: Callable[[str], None] = lambda _: None,
) -> Played:
    """Play everything on one world, in at most `jobs` processes; see `play_market` for `known`.

    `progress` is told what is played.
    """
    progress(TARIFF)
    check_money(world)
    tariff = play_tariff(world)
    progress(BOUND)
    best = foresight(world, tariff.grid_export - tariff.grid_import)
    ways = [Way(strategy, mechanism) for strategy in strategies for mechanism in (None, *mechanisms)]
    played = play_ways(world, ways, seed=seed, known=known, jobs=jobs, progress=progress)
    outcomes = {TARIFF: tariff}
    measures = {TARIFF: measures_of(world, tariff, tariff=tariff, alone=None, best=best)}
    for way in ways:
        alone = alone_name(way.strategy)
        for name in way.rows:
            outcomes[name] = played[name]
            against = None if name == alone else played[alone]
            measures[name] = measures_of(world, played[name], tariff=tariff, alone=against, best=best)
    measures[BOUND] = measures_of_bound(world, best, tariff)
    bills = {name: outcome.bills for name, outcome in outcomes.items()}
    return Played(measures, bills, outcomes, best, world)
