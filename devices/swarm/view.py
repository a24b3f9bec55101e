"""What a node knows of the swarm, and what somebody asks of it. Power in mW, energy in mWh, whole numbers.

Up means injecting more, down withdrawing more; headroom is counted from what a member does anyway, and at least 0.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from devices.swarm.apportion import Integers

PER_MILLE = 1000
SECONDS_PER_HOUR = 3600


@dataclass(frozen=True, slots=True)
class Member:
    """One member as it says of itself.

    `up_energy` is what it can give above its owner's reserve, `down_energy` what fits in; both at its terminals.
    `stored` of `capacity` tells the state of charge (capacity 0: stores nothing). `health` is per mille, `distance`
    in hops or metres as the cell counts it, `wear` what moving energy costs it in µ/kWh.
    """

    id: str
    branch: str
    up_mw: int
    down_mw: int
    up_energy: int
    down_energy: int
    stored: int
    capacity: int
    health: int = PER_MILLE
    distance: int = 0
    wear: int = 0


@dataclass(frozen=True, slots=True)
class Request:
    """Power for a while: positive is up, negative down.

    `branches` are those that count (a branch and all below it, named by who asks; None: all). Farther than
    `reach` or less healthy than `health` is not eligible.
    """

    id: str
    power_mw: int
    duration_s: int
    branches: tuple[str, ...] | None = None
    reach: int | None = None
    health: int = 500

    def __post_init__(self) -> None:
        if self.duration_s < 1:
            raise ValueError("a request lasts at least one second")


class SwarmView:
    """The members that a node sees, sorted by id, as arrays. Two nodes that see the same have equal views."""

    def __init__(self, members: Iterable[Member]) -> None:
        """The order of `members` does not matter; an id may stand in them once (ValueError)."""
        self.members = tuple(sorted(members, key=lambda member: member.id))
        self.ids = tuple(member.id for member in self.members)
        if len(set(self.ids)) != len(self.ids):
            raise ValueError("a member is twice in the view")
        self._branches = np.array([member.branch for member in self.members], dtype=object)
        self.up_mw = self._column("up_mw")
        self.down_mw = self._column("down_mw")
        self.up_energy = self._column("up_energy")
        self.down_energy = self._column("down_energy")
        self.stored = self._column("stored")
        self.capacity = self._column("capacity")
        self.wear = self._column("wear")
        self._health = self._column("health")
        self._distance = self._column("distance")

    def without(self, gone: Iterable[str]) -> "SwarmView":
        """The view once these members have dropped out."""
        lost = set(gone)
        return SwarmView(member for member in self.members if member.id not in lost)

    def headroom_mw(self, request: Request) -> Integers:
        """What each member could give of the request for as long as it lasts; 0 where it is not eligible.

        The owner's reserve is not in it: it bounds the energy that a member says it can give.
        """
        up = request.power_mw >= 0
        power_mw = self.up_mw if up else self.down_mw
        energy = self.up_energy if up else self.down_energy
        held_mw = np.minimum(power_mw, energy * SECONDS_PER_HOUR // request.duration_s)
        eligible = self._health >= request.health
        if request.reach is not None:
            eligible &= self._distance <= request.reach
        if request.branches is not None:
            eligible &= np.isin(self._branches, request.branches)
        return np.where(eligible, np.maximum(held_mw, 0), 0)

    def _column(self, name: str) -> Integers:
        return np.array([getattr(member, name) for member in self.members], dtype=np.int64)
