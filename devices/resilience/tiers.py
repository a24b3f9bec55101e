"""Load tiers on an island: shed at once when power or energy runs short, restored later and one by one.

W and Wh, both at least 0 here: loads are counted as what they need. Real time in ns.
"""

from dataclasses import dataclass, replace

from devices.resilience.islanding import NS_PER_S
from devices.tier import TIERS, Tier

ALL_TIERS = len(TIERS)


@dataclass(frozen=True, slots=True)
class TierRule:
    """Hours that what is served must last to go on, the longer ones to add a tier, and the wait between two."""

    shed_below_h: float = 2.0
    restore_above_h: float = 4.0
    dwell_s: float = 300.0

    def __post_init__(self) -> None:
        if not 0 <= self.shed_below_h < self.restore_above_h:
            raise ValueError("a tier is restored at more hours than it is shed at")


@dataclass(frozen=True, slots=True)
class Supply:
    """What the island has: power that it can hold now, energy stored above what must stay, and the generation
    expected over the coming `restore_above_h` hours as mean power.
    """

    power_w: float
    stored_wh: float
    expected_w: float


@dataclass(frozen=True, slots=True)
class Served:
    """How many tiers are served, from the most important on, and since when."""

    tiers: int = ALL_TIERS
    since_ns: int = 0

    def serves(self, tier: Tier) -> bool:
        """Whether the loads of a tier are on."""
        return tier.rank < self.tiers

    def step(
        self, loads_w: tuple[float, float, float, float], supply: Supply, rule: TierRule, now_ns: int
    ) -> "Served":
        """What is served after looking at the supply; `loads_w` is what each tier needs, by tier.

        Energy sheds all but the critical tier; that one goes only when there is no power for it. A tier comes back
        when it would last `restore_above_h`, and at least `dwell_s` after the last change.
        """
        tiers = self.tiers
        while tiers > 0 and not _lasts(loads_w, tiers, supply, rule.shed_below_h if tiers > 1 else 0.0):
            tiers -= 1
        if tiers < self.tiers:
            return Served(tiers, now_ns)
        rested = now_ns - self.since_ns >= rule.dwell_s * NS_PER_S
        if tiers < ALL_TIERS and rested and _lasts(loads_w, tiers + 1, supply, rule.restore_above_h):
            return replace(self, tiers=tiers + 1, since_ns=now_ns)
        return self


def _lasts(loads_w: tuple[float, ...], tiers: int, supply: Supply, hours: float) -> bool:
    """Whether the supply carries these tiers now, and for so many hours."""
    needed_w = sum(loads_w[:tiers])
    if needed_w > supply.power_w:
        return False
    return (needed_w - supply.expected_w) * hours <= supply.stored_wh
