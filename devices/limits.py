"""Ranges of allowed power and how layers narrow them. W, injection positive."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class PowerRange:
    """All powers from `minimum_w` to `maximum_w`, both included. Never empty: ValueError if reversed."""

    minimum_w: float
    maximum_w: float

    def __post_init__(self) -> None:
        if not self.minimum_w <= self.maximum_w:
            raise ValueError(f"no power lies between {self.minimum_w} W and {self.maximum_w} W")

    def clip(self, power_w: float) -> float:
        """The allowed power nearest to `power_w`."""
        return min(max(power_w, self.minimum_w), self.maximum_w)

    def contains(self, power_w: float) -> bool:
        """Whether `power_w` is allowed."""
        return self.minimum_w <= power_w <= self.maximum_w

    def within(self, other: "PowerRange") -> bool:
        """Whether everything allowed here is allowed by `other`, too."""
        return other.minimum_w <= self.minimum_w and self.maximum_w <= other.maximum_w


NOTHING = PowerRange(0.0, 0.0)


def narrow(higher: PowerRange, lower: PowerRange) -> tuple[PowerRange, bool]:
    """What both layers allow, and False; or, when that is nothing, the power of `higher` nearest to `lower`,
    and True.

    The result always lies within `higher`: a lower layer narrows and never widens.
    """
    minimum_w = max(higher.minimum_w, lower.minimum_w)
    maximum_w = min(higher.maximum_w, lower.maximum_w)
    if minimum_w <= maximum_w:
        return PowerRange(minimum_w, maximum_w), False
    nearest_w = higher.clip(lower.minimum_w)
    return PowerRange(nearest_w, nearest_w), True
