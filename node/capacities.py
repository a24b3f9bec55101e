"""What members say they can do now: heard, kept while they are reachable, never agreed. Sans-IO."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from node.constants import CAPACITY
from node.events import Effect, Now, Publish
from node.trading import Trading
from node.wire import Capacity, decode_capacity, encode_capacity

HEALTHY = 1000
"""per mille; what a member says of itself until its devices say otherwise."""


@dataclass(slots=True)
class Capacities:
    """The latest of each member, by feed key."""

    seen: dict[bytes, Capacity] = field(default_factory=dict)

    def hear(self, author: bytes, data: bytes) -> None:
        """A member's message. Raises `Malformed`."""
        self.seen[author] = decode_capacity(data)

    def forget(self, author: bytes) -> None:
        """A member is gone."""
        self.seen.pop(author, None)

    def keep(self, members: Iterable[bytes]) -> None:
        """Only these are members now."""
        self.seen = {author: self.seen[author] for author in members if author in self.seen}

    def headroom_mw(self) -> list[int]:
        """What all that are reachable could change together: up and down, mW."""
        return [
            sum(each.up_mw for each in self.seen.values()),
            sum(each.down_mw for each in self.seen.values()),
        ]


def say_capacity(trading: Trading, now: Now) -> Effect:
    """Our own."""
    up, down, soc = trading.headroom_mw(now)
    return Publish(
        CAPACITY, encode_capacity(Capacity(now.cell_ns, up, down, soc, HEALTHY, trading.rule.branch))
    )
