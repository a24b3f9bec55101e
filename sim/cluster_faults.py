"""The faults of one simulated cell, all drawn from its seed: the network, the power, and the members that cheat.

Until ``healed_ns`` anything may happen; afterwards the network is fast and lossless and power stays on, but cheats go
on cheating. Times are virtual real time (ns).
"""

from dataclasses import dataclass
from enum import Enum
from random import Random

MS = 1_000_000
S = 1_000 * MS


class Cheat(Enum):
    """What a Byzantine member does, besides following the protocol in all else."""

    FORKS_FEED = "shows different entries at one place of its feed to different members"
    CENSORS = "leaves one member's orders out of its proposals"
    LOOKS_LAST = "puts orders that came after the gate into its proposals"
    LIES_TO_SYNC = "answers requests with garbage, and claims to be high"
    FORKS_VOTES = "signs two different votes for one step"


@dataclass(frozen=True, slots=True)
class Separation:
    """For a while, members hear only those of their own group."""

    from_ns: int
    until_ns: int
    groups: tuple[int, ...]

    def parts(self, sender: int, receiver: int, now_ns: int) -> bool:
        """Whether nothing passes between the two now."""
        return self.from_ns <= now_ns < self.until_ns and self.groups[sender] != self.groups[receiver]


@dataclass(frozen=True, slots=True)
class Outage:
    """One node loses power some operations of its disk after `at_ns`, for `down_ns`."""

    at_ns: int
    node: int
    down_ns: int
    operations: int


@dataclass(frozen=True, slots=True)
class OldBackup:
    """One node's disk is copied at one time, and put back later as if nothing had happened since."""

    made_ns: int
    restored_ns: int
    node: int


@dataclass(frozen=True, slots=True)
class ClusterPlan:
    """How bad a cell's first minutes are. Probabilities per message; delays in ns."""

    healed_ns: int
    loss: float
    repetition: float
    delay_ns: int
    separations: tuple[Separation, ...] = ()
    outages: tuple[Outage, ...] = ()
    cheats: tuple[tuple[int, Cheat], ...] = ()
    backups: tuple[OldBackup, ...] = ()

    @classmethod
    def draw(cls, random: Random, size: int, healed_ns: int) -> "ClusterPlan":
        """The plan of a cell of so many members; at most as many cheats as it tolerates."""
        cheats = random.sample(range(size), random.randint(0, (size - 1) // 3))
        outages = [_draw_outage(random, size, healed_ns) for _ in range(random.choice((0, 1, size)))]
        if random.random() < 0.2:
            at_ns = random.randrange(healed_ns)
            outages += [Outage(at_ns, node, random.randint(1, 4) * S, 1) for node in range(size)]
        backups = []
        if size >= 4 and not cheats and random.random() < 0.3:
            made_ns, restored_ns = sorted(random.randrange(S, healed_ns) for _ in range(2))
            backups.append(OldBackup(made_ns, restored_ns, random.randrange(size)))
        return cls(
            backups=tuple(backups),
            healed_ns=healed_ns,
            loss=random.choice((0.0, 0.05, 0.3)),
            repetition=random.choice((0.0, 0.1)),
            delay_ns=random.choice((5, 50, 300)) * MS,
            separations=tuple(
                _draw_separation(random, size, healed_ns) for _ in range(random.choice((0, 1, 3)))
            ),
            outages=tuple(outages),
            cheats=tuple((node, random.choice(list(Cheat))) for node in sorted(cheats)),
        )

    def arrivals(self, random: Random, now_ns: int) -> list[int]:
        """The delays after which a message arrives: none if it is lost, two if it is repeated."""
        if now_ns >= self.healed_ns:
            return [random.randint(MS, 20 * MS)]
        copies = (random.random() >= self.loss) + (random.random() < self.repetition)
        return [random.randint(MS // 10, self.delay_ns) for _ in range(copies)]

    def parts(self, sender: int, receiver: int, now_ns: int) -> bool:
        """Whether nothing passes between the two now."""
        return now_ns < self.healed_ns and any(
            separation.parts(sender, receiver, now_ns) for separation in self.separations
        )


def _draw_separation(random: Random, size: int, healed_ns: int) -> Separation:
    from_ns = random.randrange(healed_ns)
    until_ns = min(healed_ns, from_ns + random.randint(1, 12) * S)
    alone = random.choice((None, random.randrange(size)))
    groups = tuple(random.randrange(2) if alone is None else int(node == alone) for node in range(size))
    return Separation(from_ns, until_ns, groups)


def _draw_outage(random: Random, size: int, healed_ns: int) -> Outage:
    return Outage(
        random.randrange(healed_ns), random.randrange(size), random.randint(1, 8) * S, random.randint(1, 40)
    )
