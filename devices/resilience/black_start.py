"""Loads of an island, one block at a time: a black start, and what was shed and comes back. W, at least 0.

Most important first, no inrush above the limit.
"""

from dataclasses import dataclass, replace

from devices.resilience.islanding import NS_PER_S
from devices.tier import TIERS, Tier


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
        return cls(_ordered(blocks))

    @classmethod
    def running(cls, blocks: tuple[Block, ...]) -> "BlackStart":
        """All connected, on a bus that never died."""
        return cls((), _ordered(blocks))

    @property
    def done(self) -> bool:
        """Whether every block is connected or known to be too large."""
        return not self.waiting

    @property
    def running_w(self) -> float:
        """What the connected blocks draw once their inrush is over."""
        return sum(block.running_w for block in self.connected)

    def serves_all_of(self, tiers: int) -> bool:
        """Whether no block of the first so many tiers waits any more."""
        return all(block.tier.rank >= tiers for block in self.waiting)

    def seen(self, blocks: tuple[Block, ...], tiers: int) -> "BlackStart":
        """With the blocks as they are now (one that is new waits), and those of tiers that are shed disconnected."""
        known = {block.name: block for block in blocks}
        on = [known[block.name] for block in self.connected if block.name in known]
        kept = tuple(block for block in on if block.tier.rank < tiers)
        too_large = tuple(known[block.name] for block in self.too_large if block.name in known)
        gone = {block.name for block in (*kept, *too_large)}
        waiting = _ordered(tuple(block for block in blocks if block.name not in gone))
        return replace(self, waiting=waiting, connected=kept, too_large=too_large)

    def step(
        self, bus_is_stable: bool, limit_w: float, settle_s: float, now_ns: int, tiers: int = len(TIERS)
    ) -> "BlackStart":
        """Connect at most one block: only onto a stable bus, and when the last one's inrush is over.

        `limit_w` is what the former carries for a moment. A block that does not fit beside what runs is passed over
        for good, so that what matters less does not wait for ever. Only the first so many `tiers` are served.
        """
        settled = self.changed_ns is None or now_ns - self.changed_ns >= settle_s * NS_PER_S
        if self.serves_all_of(tiers) or not bus_is_stable or not settled:
            return self
        block, waiting = self.waiting[0], self.waiting[1:]
        if self.running_w + block.inrush_w > limit_w:
            return BlackStart(waiting, self.connected, (*self.too_large, block), self.changed_ns)
        return BlackStart(waiting, (*self.connected, block), self.too_large, now_ns)


def _ordered(blocks: tuple[Block, ...]) -> tuple[Block, ...]:
    return tuple(sorted(blocks, key=lambda block: (block.tier.rank, block.name)))
