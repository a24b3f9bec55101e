"""Black start in order: the former, then loads from the most important on, no inrush above the limit. W, at least 0."""

from dataclasses import dataclass

from devices.resilience.islanding import NS_PER_S
from devices.tier import Tier


@dataclass(frozen=True, slots=True)
class Block:
    """Loads that close together: what they draw for a moment when they close, and afterwards."""

    name: str
    tier: Tier
    inrush_w: float
    running_w: float

    def __post_init__(self) -> None:
        if not 0 <= self.running_w <= self.inrush_w:
            raise ValueError(f"{self.name}: the inrush is at least the running power, both at least 0")


@dataclass(frozen=True, slots=True)
class BlackStart:
    """How far a black start is: what is connected, since when, and what the former could never carry."""

    waiting: tuple[Block, ...]
    connected: tuple[Block, ...] = ()
    too_large: tuple[Block, ...] = ()
    changed_ns: int | None = None

    @classmethod
    def of(cls, blocks: tuple[Block, ...]) -> "BlackStart":
        """Nothing connected yet; the order is by tier, then by name."""
        return cls(tuple(sorted(blocks, key=lambda block: (block.tier.rank, block.name))))

    @property
    def done(self) -> bool:
        """Whether every block is connected or known to be too large."""
        return not self.waiting

    @property
    def running_w(self) -> float:
        """What the connected blocks draw once their inrush is over."""
        return sum(block.running_w for block in self.connected)

    def step(self, bus_is_stable: bool, limit_w: float, settle_s: float, now_ns: int) -> "BlackStart":
        """Connect at most one block: only onto a stable bus, and when the last one's inrush is over.

        `limit_w` is what the former carries for a moment. A block that does not fit beside what runs is passed over
        for good, so that what matters less does not wait for ever.
        """
        settled = self.changed_ns is None or now_ns - self.changed_ns >= settle_s * NS_PER_S
        if self.done or not bus_is_stable or not settled:
            return self
        block, waiting = self.waiting[0], self.waiting[1:]
        if self.running_w + block.inrush_w > limit_w:
            return BlackStart(waiting, self.connected, (*self.too_large, block), self.changed_ns)
        return BlackStart(waiting, (*self.connected, block), self.too_large, now_ns)
