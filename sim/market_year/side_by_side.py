"""Shell: ways of doing it on one world, played side by side, by as many processes as there is use for.

What comes of a way does not depend on what is played beside it, so neither on the number of processes.
"""

import multiprocessing
import signal
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from market.bidders.strategies import Strategy
from market.mechanisms.names import Mechanism
from sim.market_year.play import Alone, Outcome, alone_steps, empty_outcome, market_steps
from sim.market_year.world import World
from sim.market_year.world_view import WorldView

LOOKING_AHEAD_ALONE, LOOKING_AHEAD, PLAIN = 6, 3, 1
"""What a way costs beside another, roughly: alone each battery has a plan of its own."""


def alone_name(strategy: Strategy) -> str:
    """The row of homes with their batteries, each for itself."""
    return f"alone, {strategy.value}"


def collective_name(strategy: Strategy) -> str:
    """The row of collective self-consumption."""
    return f"collective, {strategy.value}"


def market_name(mechanism: Mechanism, strategy: Strategy) -> str:
    """The row of a market."""
    return f"{mechanism.value}, {strategy.value}"


@dataclass(frozen=True, slots=True)
class Way:
    """A strategy under a mechanism, or, without one, alone and in a collective."""

    strategy: Strategy
    mechanism: Mechanism | None

    @property
    def rows(self) -> tuple[str, ...]:
        """What it is called in a comparison: two rows without a mechanism."""
        if self.mechanism is None:
            return alone_name(self.strategy), collective_name(self.strategy)
        return (market_name(self.mechanism, self.strategy),)

    @property
    def effort(self) -> int:
        """What it costs to play beside other ways."""
        if self.strategy is not Strategy.OPTIMISING:
            return PLAIN
        return LOOKING_AHEAD if self.mechanism else LOOKING_AHEAD_ALONE


@dataclass(frozen=True, slots=True, eq=False)
class Hand:
    """The ways that one process plays; see `sim.market_year.play.play_market` for `known`."""

    world: World
    ways: tuple[Way, ...]
    seed: int
    known: bool

    def play(self, progress: Callable[[str], None] = lambda _: None) -> dict[str, Outcome]:
        """Side by side, interval by interval, on one view of the world. `progress` is told what is played."""
        view = WorldView(self.world, known=self.known)
        played: dict[str, Outcome] = {}
        steps: list[Iterator[None]] = []
        for way in self.ways:
            outcomes = [empty_outcome(self.world) for _ in way.rows]
            played |= zip(way.rows, outcomes, strict=True)
            if way.mechanism is None:
                steps.append(alone_steps(view, way.strategy, self.seed, Alone(*outcomes)))
            else:
                steps.append(market_steps(view, way.strategy, way.mechanism, self.seed, *outcomes))
        for interval, _ in enumerate(zip(*steps, strict=True)):
            if interval % self.world.day == 0:
                progress(f"day {interval // self.world.day + 1} of {self.world.days}")
        return played


def play_ways(
    world: World, ways: Sequence[Way], *, seed: int, known: bool, jobs: int, progress: Callable[[str], None]
) -> dict[str, Outcome]:
    """What came of each row, played by at most `jobs` processes, of which this is one and tells its progress."""
    mine, *others = [Hand(world, dealt, seed, known) for dealt in deal(ways, jobs)]
    if not others:
        return mine.play(progress)
    # A library's threads would not survive a fork.
    with multiprocessing.get_context("spawn").Pool(len(others), _ignore_interrupts) as pool:
        elsewhere = pool.map_async(Hand.play, others, chunksize=1)
        played = mine.play(progress)
        progress("the other processes")
        for part in elsewhere.get():
            played |= part
    return played


def deal(ways: Sequence[Way], jobs: int) -> list[tuple[Way, ...]]:
    """The ways in at most `jobs` hands, always the dearest left to the hand with least, the heaviest hand first."""
    hands: list[list[Way]] = [[] for _ in range(max(1, min(jobs, len(ways))))]
    for way in sorted(ways, key=lambda way: -way.effort):
        min(hands, key=_effort).append(way)
    return [tuple(hand) for hand in sorted(hands, key=_effort, reverse=True)]


def _effort(ways: Sequence[Way]) -> int:
    return sum(way.effort for way in ways)


def _ignore_interrupts() -> None:
    """The process that started us hears them, and ends us."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
