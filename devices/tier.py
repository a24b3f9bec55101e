"""How much a load matters: the one order in which loads are served, shed and restored."""

from enum import Enum


class Tier(Enum):
    """How long a load stays on when there is not enough: the last of these is shed first."""

    CRITICAL = "critical"
    ESSENTIAL = "essential"
    NORMAL = "normal"
    DEFERRABLE = "deferrable"

    @property
    def rank(self) -> int:
        """0 for the tier that is served longest, then up."""
        return TIERS.index(self)


TIERS = tuple(Tier)
"""All tiers, the most important first."""
