"""Shell: draws from a seed how the members of a simulated cell change, and makes that cell."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from random import Random

from ledger.changes import Change, Remove, Rotate
from ledger.membership import Membership
from sim.cells.faults import S
from sim.cells.keys import Keys, Pace
from sim.cells.membership import ChangingCluster, PlannedChange, new_keys, newcomer
from sim.cells.plans import Focus

FEWEST_LEFT = 3
"""Members that stay whatever is drawn: fewer would tolerate nobody who is late."""


@dataclass(frozen=True, slots=True)
class Changes:
    """What is asked for, in order; `guests` are those who come, go or take new keys, by index."""

    planned: tuple[PlannedChange, ...]
    newcomers: int
    guests: frozenset[int]
    rotated: tuple[tuple[int, int], ...]


def draw_changes(random: Random, size: int, healed_ns: int) -> Changes:
    """Up to three times somebody comes, leaves or rotates, or more than a third leave at once, while all is ill."""
    moments = sorted(random.randrange(S, max(2 * S, healed_ns)) for _ in range(random.randint(1, 3)))
    founders = random.sample(range(size), size)
    planned: list[PlannedChange] = []
    rotated: list[tuple[int, int]] = []
    guests: set[int] = set()
    newcomers = 0
    for at_ns in moments:
        free = len(founders) - FEWEST_LEFT
        leaving = size // 3 + 1
        kinds = ["comes"] + ["leaves", "rotates"] * (free > 0) + ["many leave"] * (free >= leaving)
        changes: list[Change] = []
        match random.choice(kinds):
            case "comes":
                guests.add(size + newcomers)
                changes = [newcomer(size + newcomers)]
                newcomers += 1
            case "rotates":
                index = founders.pop()
                guests.add(index)
                new = new_keys(index)
                changes = [Rotate(Keys.of(index).member, new.public, new.consensus.verify_key.encode())]
                rotated.append((at_ns, index))
            case kind:
                gone = [founders.pop() for _ in range(1 if kind == "leaves" else leaving)]
                guests.update(gone)
                changes = [Remove(Keys.of(index).member) for index in gone]
        planned += [PlannedChange(at_ns, None, change) for change in changes]
    return Changes(tuple(planned), newcomers, frozenset(guests), tuple(rotated))


def changing_cluster(
    seed: int,
    size: int,
    ill_intervals: int,
    changes: Changes,
    live: Callable[[str], None] | None,
    pace: Pace,
    focus: Focus,
) -> ChangingCluster:
    """A cell of `size` founders with these changes and whatever else its seed chooses."""
    cluster = ChangingCluster(
        seed,
        size,
        None,
        changes.planned,
        newcomers=changes.newcomers,
        guests=changes.guests,
        ill_intervals=ill_intervals,
        live=live,
        pace=pace,
        focus=focus,
    )
    for at_ns, index in changes.rotated:
        new = new_keys(index)
        cluster.after(at_ns, partial(cluster.rotate_when, index, new, partial(_holds, new.public)))
    return cluster


def _holds(public: bytes, membership: Membership) -> bool:
    return membership.by_feed_key(public) is not None
