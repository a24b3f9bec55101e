"""What a chaos run does to a testnet: a pure function of the seed and the size of the cell.

Times are in intervals after the first gate. So many disturbances run side by side as the cell tolerates faults; a link
between two nodes counts as one of its ends, because without that end every link left is whole. Some seeds hold one
surge, which stops more nodes than the cell tolerates for a moment, while nothing else is disturbed.
"""

from dataclasses import dataclass
from enum import StrEnum
from random import Random
from typing import Final

from ledger.records.validators import TOLERANT_SIZE

FIRST: Final = 1.0
"""Intervals before the first disturbance: every node has decided a block."""

LAST: Final = 3.0
"""Intervals before the end of trading within which nothing new begins or lasts."""

RECOVERY: Final = 3.0
"""Intervals that a plan leaves a node to come back in: a validator waits out a height or two intervals."""

SHORTEST, LONGEST = 1.0, 3.0
"""Intervals that a disturbance lasts."""

SURGE_SHARE: Final = 0.4
"""Of the seeds that have room for a surge, so many have one."""

DELAYS_S: Final = (0.02, 0.3)
"""Real seconds that a slow link holds back what it carries, each direction by itself."""

BYTES_PER_S: Final = (8_000, 64_000)
"""What a slow link carries, bytes per real second and direction."""


class Action(StrEnum):
    """What is done. All but the last four are done to nodes, of which only a surge takes several."""

    KILL = "kill"
    """SIGKILL to the daemon; its control process lives on."""
    POWER_CUT = "power-cut"
    """SIGKILL to the daemon and its control process."""
    PAUSE = "pause"
    """SIGSTOP, then SIGCONT."""
    STOP = "stop"
    """SIGTERM; what the stopped directory holds is copied as a backup."""
    OLD_COPY = "old-copy"
    """The backup of an earlier stop is started in place of the newest directory, which comes back afterwards."""
    LOST_GUARD = "lost-guard"
    """Started without the sign guard, which comes back afterwards."""
    LOST_LEDGER = "lost-ledger"
    """Started without ledger and write-ahead log, which the peers give back."""
    ISOLATE = "isolate"
    """All links of one node lose everything that they carry."""
    CUT = "cut"
    """One link loses everything that it carries; nobody is told."""
    RESET = "reset"
    """The connections of one link are reset and new ones refused."""
    SLOW = "slow"
    """One link delays, and limits bandwidth."""


LINK_ACTIONS: Final = (Action.CUT, Action.RESET, Action.SLOW)
SURGE_ACTIONS: Final = (Action.PAUSE, Action.KILL, Action.POWER_CUT)


@dataclass(frozen=True, slots=True)
class Disturbance:
    """One line of a plan. `at` and `duration` are in intervals; `nodes` are the nodes, or the two ends of a link.

    Delays (real s) and bandwidths (bytes per real s) are those of the two directions of a slow link.
    """

    at: float
    duration: float
    action: Action
    nodes: tuple[int, ...]
    delays_s: tuple[float, float] = (0.0, 0.0)
    bytes_per_s: tuple[int, int] = (0, 0)

    @property
    def until(self) -> float:
        """When it is planned to end, in intervals."""
        return self.at + self.duration

    @property
    def cost(self) -> int:
        """How many nodes it may keep from voting."""
        return 1 if self.action in LINK_ACTIONS else len(self.nodes)


def faults(nodes: int) -> int:
    """So many of the nodes may be disturbed while the cell goes on: f = floor((k-1)/3)."""
    return (nodes - 1) // 3


def plan(seed: int, nodes: int, intervals: int) -> tuple[Disturbance, ...]:
    """The disturbances of a seed in the order of their times. Raises ValueError when there is no room for any."""
    if nodes < TOLERANT_SIZE:
        raise ValueError(f"--nodes: chaos needs at least {TOLERANT_SIZE}; {nodes} tolerate no fault")
    needed = int(FIRST + SHORTEST + LAST) + 2
    if intervals < needed:
        raise ValueError(f"--intervals: chaos needs at least {needed}, not {intervals}")
    chance = Random(seed)
    end = intervals - LAST
    lanes = [_Lane(chance, tuple(range(lane, nodes, faults(nodes))), FIRST) for lane in range(faults(nodes))]
    surges: list[Disturbance] = []
    middle = (FIRST + end) / 2
    has_room = end - FIRST >= 4 * (SHORTEST + RECOVERY)
    if has_room and chance.random() < SURGE_SHARE:
        surges.append(_surge(chance, nodes, middle))
        before = [found for lane in lanes for found in lane.until(middle - RECOVERY)]
        for lane in lanes:
            lane.next = surges[0].until + RECOVERY
    else:
        before = []
    after = [found for lane in lanes for found in lane.until(end)]
    return tuple(sorted((*before, *surges, *after), key=lambda found: (found.at, found.nodes)))


class _Lane:
    """One disturbance after the other, to nodes that no other lane touches. Every action comes once, then again."""

    def __init__(self, chance: Random, nodes: tuple[int, ...], begins: float) -> None:
        self._chance = chance
        self._nodes = nodes
        self._bag: list[Action] = []
        self._stopped: set[int] = set()
        self.next = begins

    def until(self, end: float) -> list[Disturbance]:
        """The disturbances that are over by `end`."""
        found: list[Disturbance] = []
        while self.next + LONGEST + 1 <= end or (not found and self.next + SHORTEST <= end):
            at = _rounded(self.next + self._chance.uniform(0, max(0.0, min(1.0, end - self.next - SHORTEST))))
            duration = _rounded(self._chance.uniform(SHORTEST, max(SHORTEST, min(LONGEST, end - at))))
            found.append(self._disturbance(at, min(duration, _rounded(end - at))))
            self.next = found[-1].until + RECOVERY
        return found

    def _disturbance(self, at: float, duration: float) -> Disturbance:
        if not self._bag:
            self._bag = self._chance.sample(list(Action), len(Action))
        action = self._bag.pop()
        if action is Action.OLD_COPY and not self._stopped:
            self._bag.append(action)  # there is no backup yet: make one first
            action = Action.STOP
        if action in LINK_ACTIONS:
            ends = tuple(self._chance.sample(self._nodes, 2))
            if action is not Action.SLOW:
                return Disturbance(at, duration, action, ends)
            delays = (_rounded(self._chance.uniform(*DELAYS_S)), _rounded(self._chance.uniform(*DELAYS_S)))
            rates = (self._chance.randint(*BYTES_PER_S), self._chance.randint(*BYTES_PER_S))
            return Disturbance(at, duration, action, ends, delays, rates)
        among = sorted(self._stopped) if action is Action.OLD_COPY else self._nodes
        node = self._chance.choice(among)
        if action is Action.STOP:
            self._stopped.add(node)
        return Disturbance(at, duration, action, (node,))


def _surge(chance: Random, nodes: int, at: float) -> Disturbance:
    size = chance.randint(faults(nodes) + 1, nodes)
    return Disturbance(
        _rounded(at),
        _rounded(chance.uniform(SHORTEST, LONGEST)),
        chance.choice(SURGE_ACTIONS),
        tuple(sorted(chance.sample(range(nodes), size))),
    )


def _rounded(value: float) -> float:
    """As it is printed."""
    return round(value, 2)
