"""Shell: draws the plan of a simulated cell from its seed: which faults, when, and to whom.

What a cell tolerates only in f of its members (cheats, clocks that run ahead, disks that forget) is drawn for at most
f of them; everything else may befall anybody, all at once.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

from sim.cells.faults import (
    DAY_CELL_NS,
    MS,
    Cheat,
    ClockFault,
    Clog,
    ClusterPlan,
    Damage,
    DiskFault,
    GuardKept,
    OldBackup,
    Outage,
    S,
    Separation,
)

FORGETFUL = tuple(fault for fault in DiskFault if fault.may_silence)
ILLNESS_NS = 50 * S
"""For every further time like this, as many faults again."""
JUMPS_NS = (60 * S, 600 * S, DAY_CELL_NS)
"""How far a clock jumps at most: within an interval, over some, or over a day."""
HARMLESS = tuple(fault for fault in DiskFault if not fault.may_silence)


@dataclass(frozen=True, slots=True)
class Focus:
    """What may befall the f members that a cell tolerates: kinds of trouble, as often as they are named; which cheats;
    and which faults of disks.
    """

    kinds: tuple[str, ...] = ("cheat", "cheat", "cheat", "disk", "backup", "clock")
    cheats: tuple[Cheat, ...] = tuple(Cheat)
    disks: tuple[DiskFault, ...] = FORGETFUL


def draw_plan(
    random: Random, size: int, suspects: Sequence[int], tolerated: int, healed_ns: int, focus: Focus
) -> ClusterPlan:
    """The plan of a cell of so many nodes, of which it tolerates some; they are among the suspects."""
    cheats: list[tuple[int, Cheat]] = []
    backups: list[OldBackup] = []
    damages = [
        _damage(random, random.randrange(size), healed_ns, HARMLESS) for _ in range(_few(random, healed_ns))
    ]
    clocks = [_late_clock(random, random.randrange(size), healed_ns) for _ in range(_few(random, healed_ns))]
    for node in random.sample(suspects, random.choice((tolerated, tolerated, random.randint(0, tolerated)))):
        match random.choice(focus.kinds):
            case "cheat":
                cheats.append((node, random.choice(focus.cheats)))
            case "disk":
                damages.append(_damage(random, node, healed_ns, focus.disks))
            case "backup":
                backups.append(_backup(random, node, healed_ns))
            case _:
                clocks.append(_wrong_clock(random, node, healed_ns))
    return ClusterPlan(
        healed_ns=healed_ns,
        loss=random.choice((0.0, 0.05, 0.3)),
        repetition=random.choice((0.0, 0.1, 0.5)),
        delay_ns=random.choice((5, 50, 300)) * MS,
        separations=tuple(_separation(random, size, healed_ns) for _ in range(_few(random, healed_ns))),
        outages=tuple(_outages(random, size, healed_ns)),
        cheats=tuple(sorted(cheats, key=lambda pair: pair[0])),
        backups=tuple(backups),
        clogs=tuple(_clog(random, size, healed_ns) for _ in range(_few(random, healed_ns))),
        clocks=tuple(clocks),
        damages=tuple(damages),
        slow=tuple((node, random.randint(50, 500) * MS) for node in range(size) if random.random() < 0.1),
    )


def _few(random: Random, healed_ns: int) -> int:
    """None, one or some of a kind; more in a longer illness."""
    return random.choice((0, 0, 1, 3)) * (1 + healed_ns // ILLNESS_NS)


def _separation(random: Random, size: int, healed_ns: int) -> Separation:
    from_ns = random.randrange(healed_ns)
    until_ns = min(healed_ns, from_ns + random.randint(1, 12) * S)
    alone = random.choice((None, random.randrange(size)))
    groups = tuple(random.randrange(2) if alone is None else int(node == alone) for node in range(size))
    one_way = random.random() < 0.3
    flaps_ns = random.choice((0, 0, 100, 1000)) * MS
    return Separation(from_ns, until_ns, groups, one_way, flaps_ns)


def _outages(random: Random, size: int, healed_ns: int) -> list[Outage]:
    outages = []
    for _ in range(random.choice((0, 1, size)) * (1 + healed_ns // ILLNESS_NS)):
        at_ns = random.randrange(healed_ns)
        down_ns = min(random.randint(1, 8) * S, healed_ns - at_ns)
        outages.append(Outage(at_ns, random.randrange(size), down_ns, random.randint(1, 40)))
    if random.random() < 0.2:
        at_ns = random.randrange(healed_ns)
        outages += [Outage(at_ns, node, random.randint(1, 4) * S, 1) for node in range(size)]
    return outages


def _clog(random: Random, size: int, healed_ns: int) -> Clog:
    from_ns = random.randrange(healed_ns)
    return Clog(from_ns, min(healed_ns, from_ns + random.randint(1, 5) * S), random.randrange(size))


def _late_clock(random: Random, node: int, healed_ns: int) -> ClockFault:
    """A clock that stands still, or goes back: its node waits, and harms nobody."""
    from_ns = random.randrange(healed_ns)
    until_ns = from_ns + random.randint(1, 12) * S
    if random.random() < 0.5:
        return ClockFault(from_ns, until_ns, node, frozen=True)
    return ClockFault(from_ns, until_ns, node, jump_ns=-random.randrange(random.choice(JUMPS_NS)))


def _wrong_clock(random: Random, node: int, healed_ns: int) -> ClockFault:
    from_ns = random.randrange(healed_ns)
    far_ns = random.choice(JUMPS_NS)
    until_ns = from_ns + random.randint(1, 30) * S
    if random.random() < 0.5:
        return ClockFault(from_ns, until_ns, node, drift_ppm=random.randint(-50_000, 50_000))
    return ClockFault(from_ns, until_ns, node, jump_ns=random.randint(-far_ns, far_ns))


def _damage(random: Random, node: int, healed_ns: int, faults: tuple[DiskFault, ...]) -> Damage:
    at_ns = random.randrange(S, healed_ns)
    down_ns = min(random.randint(1, 8) * S, healed_ns - at_ns)
    return Damage(at_ns, node, random.choice(faults), down_ns, random.randint(1, 40))


def _backup(random: Random, node: int, healed_ns: int) -> OldBackup:
    made_ns, restored_ns = sorted(random.randrange(S, healed_ns) for _ in range(2))
    return OldBackup(made_ns, restored_ns, node, random.choice(list(GuardKept)))
