"""Drift: a small lasting change of something that should stay the same, found before it is large.

A two-sided cumulative sum. Its first values teach it what is normal; then it adds up what deviates by more than
one standard deviation, and says so when the sum passes eight.

Source: Page, "Continuous inspection schemes", Biometrika 41 (1954) 100-115. A slack of half the change to be
found is Montgomery's, Introduction to Statistical Quality Control, section 9.1: a change of two standard deviations
is found, in some ten values. A threshold above his 4 to 5 because the mean is learned from few values: his would
mistake its error for drift.
"""

import math
from dataclasses import dataclass, replace

LEARNING = 50
"""Values from which normal is learned."""
SLACK = 1.0
THRESHOLD = 8.0


@dataclass(frozen=True, slots=True)
class Drift:
    """What is normal (count, mean, sum of squared deviations) and the sums above and below it.

    `floor` is the least standard deviation assumed: what is smaller is no change worth an alarm.
    """

    floor: float
    count: int = 0
    mean: float = 0.0
    squares: float = 0.0
    above: float = 0.0
    below: float = 0.0

    @property
    def deviation(self) -> float:
        """The standard deviation of what is normal, at least the floor."""
        learned = math.sqrt(self.squares / (self.count - 1)) if self.count > 1 else 0.0
        return max(self.floor, learned)

    @property
    def drifting(self) -> bool:
        """Whether a lasting change has been found; it stays so until the detector is begun anew."""
        return max(self.above, self.below) > THRESHOLD

    def after(self, value: float) -> "Drift":
        """The detector after one more value, which must be finite (ValueError)."""
        if not math.isfinite(value):
            raise ValueError(f"{value} says nothing about drift")
        if self.count < LEARNING:
            count = self.count + 1
            mean = self.mean + (value - self.mean) / count
            squares = self.squares + (value - self.mean) * (value - mean)
            return replace(self, count=count, mean=mean, squares=squares)
        if self.drifting:
            return self
        scaled = (value - self.mean) / self.deviation
        return replace(
            self,
            above=max(0.0, self.above + scaled - SLACK),
            below=max(0.0, self.below - scaled - SLACK),
        )
