"""Who forms the island's grid: by the rank in the genesis, and only ever onto a dead bus. Real time in ns."""

from collections.abc import Sequence
from dataclasses import dataclass

from devices.resilience.islanding import DEAD_PU, NS_PER_S, GridReading


@dataclass(frozen=True, slots=True)
class FormerRule:
    """How long a bus must be dead before the first of the rank closes, and how much later each next one may.

    The steps are longer than a start and a measurement take, so that whoever comes later finds the bus alive.
    """

    dead_for_s: float = 5.0
    step_s: float = 10.0


def former(rank: Sequence[str], able: frozenset[str]) -> str | None:
    """Who forms: the first of the rank that is there, healthy and charged; None if nobody is."""
    return next((member for member in rank if member in able), None)


@dataclass(frozen=True, slots=True)
class BusWatch:
    """Since when the bus has been known to be dead without a break."""

    dead_since_ns: int | None = None

    def step(self, reading: GridReading, now_ns: int) -> "BusWatch":
        """The watch after one reading: a voltage that is not known, or a breaker not known open, breaks it."""
        voltage_pu = reading.voltage_pu
        dead = voltage_pu is not None and voltage_pu < DEAD_PU and reading.breaker_closed is False
        if not dead:
            return BusWatch(None)
        return BusWatch(now_ns if self.dead_since_ns is None else self.dead_since_ns)


def may_close(
    member: str, rank: Sequence[str], able: frozenset[str], watch: BusWatch, rule: FormerRule, now_ns: int
) -> bool:
    """Whether a member may close onto the bus now.

    Everybody waits its turn by its place in the whole rank, whomever it hears: two halves of a cell that do not hear
    each other but share the bus do not close at once.
    """
    if watch.dead_since_ns is None or former(rank, able) != member:
        return False
    wait_s = rule.dead_for_s + rank.index(member) * rule.step_s
    return now_ns - watch.dead_since_ns >= wait_s * NS_PER_S
