"""What leaves a node, to whom, and how fine: a policy per owner, enforced in the one function that releases data.

The cell never gets more than totals of the whole node; circuits and sockets are for their owner alone. Power
drawn is positive, energies in Wh. Nothing is released before its period is over.
"""

from dataclasses import dataclass
from enum import Enum

from devices.hub.demand import NS_PER_S, Demand

FINEST_TOTAL_S = 900
"""Nobody but the owner sees how a home draws within a quarter of an hour: finer traces show who is at home
(Molina-Markham et al., "Private memoirs of a smart meter", BuildSys 2010).
"""
FINEST_DETAIL_S = 60
COARSEST_S = 86_400


class Detail(Enum):
    """How much of a node may be seen."""

    NOTHING = "nothing"
    TOTAL = "total"
    BY_CIRCUIT = "by-circuit"


class Audience(Enum):
    """Who asks."""

    CELL = "cell"
    OWNER = "owner"


@dataclass(frozen=True, slots=True)
class Grant:
    """What one audience may see, at this resolution. ValueError for one that is finer than it may be."""

    detail: Detail
    resolution_s: int

    def __post_init__(self) -> None:
        finest_s = FINEST_DETAIL_S if self.detail is Detail.BY_CIRCUIT else FINEST_TOTAL_S
        if self.detail is not Detail.NOTHING and not finest_s <= self.resolution_s <= COARSEST_S:
            raise ValueError(f"{self.detail.value}: the resolution must be {finest_s} to {COARSEST_S} s")


@dataclass(frozen=True, slots=True)
class Policy:
    """An owner's policy: by default totals per quarter of an hour, to the cell and to the owner's own devices.

    ValueError for a policy that shows the cell more than totals.
    """

    owner: str
    cell: Grant = Grant(Detail.TOTAL, FINEST_TOTAL_S)
    own: Grant = Grant(Detail.TOTAL, FINEST_TOTAL_S)
    circuits: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.cell.detail is Detail.BY_CIRCUIT:
            raise ValueError("circuits and sockets are never shown to the cell")


@dataclass(frozen=True, slots=True)
class Released:
    """One row that may leave: of whom, of which period, how much. `name` is empty for a total."""

    owner: str
    name: str
    start_ns: int
    resolution_s: int
    energy_wh: float


def release(
    policy: Policy, audience: Audience, demands: tuple[Demand, ...], window_s: int, now_ns: int
) -> tuple[Released, ...]:
    """Every row of complete periods that the audience may see, summed to the granted resolution.

    `demands` are windows of `window_s` of everything in the house; the policy's own `circuits` count, all of
    them where it names none. A period with a window that is not fully known is left out, never filled in.
    ValueError when the resolution is no multiple of the window.
    """
    grant = policy.cell if audience is Audience.CELL else policy.own
    if grant.detail is Detail.NOTHING:
        return ()
    if grant.resolution_s % window_s:
        raise ValueError(f"{grant.resolution_s} s is no multiple of windows of {window_s} s")
    period_ns = grant.resolution_s * NS_PER_S
    mine = [each for each in demands if not policy.circuits or each.name in policy.circuits]
    names = {each.name for each in mine}
    sums: dict[tuple[str, int], list[Demand]] = {}
    for each in mine:
        name = each.name if grant.detail is Detail.BY_CIRCUIT else ""
        sums.setdefault((name, each.start_ns - each.start_ns % period_ns), []).append(each)
    whole = grant.resolution_s // window_s
    return tuple(
        Released(policy.owner, name, start_ns, grant.resolution_s, sum(each.energy_wh for each in windows))
        for (name, start_ns), windows in sorted(sums.items())
        if start_ns + period_ns <= now_ns
        and len(windows) == whole * (1 if name else len(names))
        and all(each.known >= 1.0 for each in windows)
    )
