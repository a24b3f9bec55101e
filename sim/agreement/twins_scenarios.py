"""Twins scenarios (Bano et al., "Twins: BFT Systems Made Robust", arXiv 2004.10617) for four validators.

One validator is faulty: two instances run the correct protocol with its key, each unaware of the other. A scenario says
for each of its first rounds who leads and how the network is split. In the paper a split lasts for a round; a
round of ours has two exchanges whose difference is what locks are for, so each has a split of its own: one for
proposals and prevotes, one for precommits.

Who leads is a mapping of the scenario instead of (height + round) mod k, because safety may not depend on that
function: every sequence of leaders is tried, those with the faulty validator several times in a row too. After the
scenario's rounds the network is whole and the leaders take turns as usual.
"""

from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from random import Random

from ledger.validators import ValidatorSet

VALIDATORS = 4
TWINNED = 0
"""The validator with two instances; which one does not matter, since the leaders are drawn."""
INSTANCES = VALIDATORS + 1
"""Instance i runs validator i; the last one is the twin."""
ROUNDS = 4
"""Rounds with a leader and splits of their own: enough to lock, to decide alone, and to be led elsewhere twice."""
MOST_GROUPS = 2
"""Into how many groups a split divides the instances at most."""

Groups = tuple[int, ...]
"""A split of the network: the group of each instance."""

WHOLE: Groups = (0,) * INSTANCES

_KEYS = tuple(sha256(b"twins validator %d" % index).digest() for index in range(VALIDATORS))


def validator_of(instance: int) -> int:
    """The validator that an instance runs."""
    return instance if instance < VALIDATORS else TWINNED


@dataclass(frozen=True, slots=True)
class ScenarioRound:
    """Who leads a round, and who hears whom: in proposals and prevotes, and in precommits."""

    leader: int
    prevoting: Groups
    precommitting: Groups

    def __str__(self) -> str:
        return f"leader {self.leader}, prevotes {_shown(self.prevoting)}, precommits {_shown(self.precommitting)}"


@dataclass(frozen=True, slots=True)
class Scenario:
    """One scenario; its number decides everything."""

    number: int
    rounds: tuple[ScenarioRound, ...]

    @classmethod
    def numbered(cls, number: int) -> "Scenario":
        """The scenario with a number."""
        random = Random(number)
        splits = all_splits()
        return cls(
            number,
            tuple(
                ScenarioRound(random.randrange(VALIDATORS), random.choice(splits), random.choice(splits))
                for _ in range(ROUNDS)
            ),
        )

    def __str__(self) -> str:
        return "\n".join(f"  round {index}: {each}" for index, each in enumerate(self.rounds))


@dataclass(frozen=True)
class ScenarioValidators(ValidatorSet):
    """Validators whose turn to lead is the scenario's while that lasts."""

    leaders: tuple[int, ...]

    @classmethod
    def of(cls, scenario: Scenario) -> "ScenarioValidators":
        """The four validators of a scenario."""
        return cls(_KEYS, tuple(each.leader for each in scenario.rounds))

    def proposer(self, height: int, round_: int) -> int:
        """The index of the leader of a round."""
        return self.leaders[round_] if round_ < len(self.leaders) else super().proposer(height, round_)


@cache
def all_splits() -> tuple[Groups, ...]:
    """Every way to divide the instances into at most `MOST_GROUPS` groups, each once."""
    splits: list[Groups] = [()]
    for _ in range(INSTANCES):
        splits = [
            (*split, group)
            for split in splits
            for group in range(min(max(split, default=-1) + 2, MOST_GROUPS))
        ]
    return tuple(splits)


def _shown(groups: Groups) -> str:
    names = [str(index) for index in range(VALIDATORS)] + [f"{TWINNED}'"]
    members = (
        " ".join(name for name, own in zip(names, groups, strict=True) if own == group)
        for group in range(max(groups) + 1)
    )
    return "".join(f"{{{each}}}" for each in members)
