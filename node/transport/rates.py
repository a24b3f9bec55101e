"""How much each other member may send, and when it has sent too much too often."""

import math
from collections import deque
from dataclasses import dataclass, field

from node.constants import Patience, RateLimits


@dataclass(slots=True)
class TokenBucket:
    """Lets `rate` units per second through and up to `burst` at once. Times are seconds of one clock."""

    rate: float
    burst: float
    updated_s: float
    level: float = field(init=False)

    def __post_init__(self) -> None:
        self.level = self.burst

    def take(self, amount: float, now_s: float) -> bool:
        """Use up `amount`, or nothing at all and False when there is not enough."""
        self.level = min(self.burst, self.level + (now_s - self.updated_s) * self.rate)
        self.updated_s = now_s
        if amount > self.level:
            return False
        self.level -= amount
        return True


class PeerRates:
    """What one directly connected peer has sent; kept across its connections, so reconnecting resets nothing."""

    def __init__(self, limits: RateLimits, patience: Patience, now_s: float) -> None:
        self.frames = TokenBucket(limits.frames_per_peer, limits.frames_burst, now_s)
        self.copies = TokenBucket(limits.frames_per_peer, limits.frames_burst, now_s)
        self.requests = TokenBucket(limits.requests_per_peer, limits.requests_burst, now_s)
        self.gossip = TokenBucket(limits.gossip_per_peer, limits.gossip_per_peer_burst, now_s)
        self.size = TokenBucket(limits.bytes_per_peer, limits.bytes_burst, now_s)
        self.banned_until_s = -math.inf
        self._patience = patience
        self._offences: deque[float] = deque(maxlen=patience.offences)

    def offend(self, now_s: float) -> bool:
        """Note that the peer broke a limit; True when it now has to be disconnected for a while."""
        self._offences.append(now_s)
        full = len(self._offences) == self._offences.maxlen
        if not full or now_s - self._offences[0] > self._patience.offence_memory_s:
            return False
        self._offences.clear()
        self.banned_until_s = now_s + self._patience.ban_s
        return True
