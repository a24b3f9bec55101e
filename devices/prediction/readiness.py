"""What follows from a probability of trouble: how ready a node is, what it arms, and how full it wants to be.

Pure: probability and readiness before in, readiness out. Becoming ready costs little and being late costs much, so a
node becomes ready at once and relaxes only after the probability has stayed low for a while. Readiness is a wish of the
owner's node: dispatch clips it like any other, and the reserve stands above it.
"""

from dataclasses import dataclass
from enum import Enum


class Level(Enum):
    """How ready a node is."""

    REST = "rest"
    WATCH = "watch"
    READY = "ready"


class Trouble(Enum):
    """What is expected: a frequency that leaves its band either way, or a branch that will carry too much."""

    FREQUENCY = "frequency"
    OVERLOAD = "overload"


@dataclass(frozen=True, slots=True)
class ReadinessRules:
    """Probabilities at which a node watches and is ready, and below which (times `relax`), for how long, it relaxes.

    `charge_for_overload`: the state of charge that is to be there before an overload. `band_for_frequency`: between
    what it is to be, so that energy can be given and taken. Raises ValueError for rules that contradict each other.
    """

    watch: float = 0.2
    ready: float = 0.5
    relax: float = 0.5
    hold_s: float = 60.0
    charge_for_overload: float = 0.9
    band_for_frequency: tuple[float, float] = (0.4, 0.6)

    def __post_init__(self) -> None:
        lowest, highest = self.band_for_frequency
        if not 0 < self.watch <= self.ready <= 1 or not 0 < self.relax <= 1 or self.hold_s < 0:
            raise ValueError(
                "readiness needs 0 < watch <= ready <= 1, 0 < relax <= 1 and a hold that is not negative"
            )
        if not 0 <= lowest <= highest <= 1 or not 0 <= self.charge_for_overload <= 1:
            raise ValueError("states of charge are from 0 to 1, the lower one first")


@dataclass(frozen=True, slots=True)
class Readiness:
    """`level` since when it could have relaxed (`low_s`: seconds that the probability has been low)."""

    level: Level = Level.REST
    low_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Preparation:
    """What a level asks for: whether to arm, and between which states of charge to be (None: as it was)."""

    arm: bool
    charge: tuple[float, float] | None


def next_readiness(
    held: Readiness, probability: float | None, passed_s: float, rules: ReadinessRules
) -> Readiness:
    """Readiness after `passed_s` at this probability. Unknown (None) changes nothing: it is no reason to relax."""
    if probability is None:
        return held
    asked = (
        Level.READY
        if probability >= rules.ready
        else Level.WATCH
        if probability >= rules.watch
        else Level.REST
    )
    order = tuple(Level)
    if order.index(asked) >= order.index(held.level):
        return Readiness(asked)
    leaves = (rules.ready if held.level is Level.READY else rules.watch) * rules.relax
    if probability >= leaves:
        return Readiness(held.level)
    low_s = held.low_s + passed_s
    return Readiness(asked) if low_s >= rules.hold_s else Readiness(held.level, low_s)


def preparation(level: Level, trouble: Trouble, rules: ReadinessRules) -> Preparation:
    """What a node does at a level. Watching charges and does not arm: arming withholds power from its owner."""
    if level is Level.REST:
        return Preparation(arm=False, charge=None)
    charge = (rules.charge_for_overload, 1.0) if trouble is Trouble.OVERLOAD else rules.band_for_frequency
    return Preparation(arm=level is Level.READY, charge=charge)
