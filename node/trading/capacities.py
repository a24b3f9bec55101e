"""What members say they can do now: heard, kept while they are reachable, never agreed. Sans-IO."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from ledger.membership.members import Membership
from market.units import MAX_PRICE
from node.constants import CAPACITY, CAPACITY_AGAIN_NS, CAPACITY_CHANGE, CAPACITY_PER_MEMBER_NS
from node.events import Effect, Now, Publish
from node.trading.trading import Trading
from node.wire import Capacity, Plan, decode_capacity, encode_capacity

PLANS_KEPT = 3
"""of each member: the interval whose gate is next is spoken of before the one before it is decided."""


@dataclass(slots=True)
class Capacities:
    """The latest of each member, by feed key; and what we said last ourselves."""

    seen: dict[bytes, Capacity] = field(default_factory=dict)
    said: Capacity | None = None
    _again_ns: int = 0
    _plans: dict[bytes, dict[int, Plan]] = field(default_factory=dict)
    _own: dict[int, Plan] = field(default_factory=dict)

    def say(self, trading: Trading, members: int, now: Now, *, at_once: bool = False) -> list[Effect]:
        """Our own, where it is news to a cell of so many members, or `at_once`."""
        up, down, soc = trading.headroom_mw(now)
        up_energy, down_energy, health = trading.stored(now)
        branch = trading.rule.branch
        wear = min(MAX_PRICE, max(0, trading.wear)) if soc is not None else 0
        plan = trading.plan
        capacity = Capacity(now.cell_ns, up, down, soc, health, branch, up_energy, down_energy, wear, plan)
        known = self.said is not None and now.real_ns < self._again_ns and not _differs(capacity, self.said)
        if known and not at_once:
            return []
        self.said = capacity
        if plan is not None:
            _remember(self._own, plan)
        self._again_ns = now.real_ns + max(CAPACITY_AGAIN_NS, members * CAPACITY_PER_MEMBER_NS)
        return [Publish(CAPACITY, encode_capacity(capacity))]

    def greet(self) -> None:
        """Somebody came who has not heard us."""
        self._again_ns = 0

    def hear(self, author: bytes, data: bytes) -> None:
        """A member's message. Raises `Malformed`."""
        self.seen[author] = capacity = decode_capacity(data)
        if capacity.plan is not None:
            _remember(self._plans.setdefault(author, {}), capacity.plan)

    def forget(self, author: bytes) -> None:
        """A member is gone."""
        self.seen.pop(author, None)

    def keep(self, members: Iterable[bytes]) -> None:
        """Only these are members now."""
        kept = tuple(members)
        self.seen = {author: self.seen[author] for author in kept if author in self.seen}
        self._plans = {author: self._plans[author] for author in kept if author in self._plans}

    def plans(self, interval: int, membership: Membership, member: bytes) -> dict[bytes, Plan]:
        """What members have said of an interval, by member id; our own word, as `member`, is what others have heard.

        Who is gone by now has still said it: everybody shares by the same words.
        """
        said = {member: self._own[interval]} if interval in self._own else {}
        for key, plans in self._plans.items():
            author = membership.by_feed_key(key)
            if author is not None and interval in plans:
                said.setdefault(author.id, plans[interval])
        return said

    def headroom_mw(self) -> list[int]:
        """What all that are reachable could change together: up and down, mW."""
        return [
            sum(each.up_mw for each in self.seen.values()),
            sum(each.down_mw for each in self.seen.values()),
        ]


def _remember(plans: dict[int, Plan], plan: Plan) -> None:
    """Keep a plan with those before it; the last word on an interval counts."""
    plans.pop(plan.interval, None)
    plans[plan.interval] = plan
    if len(plans) > PLANS_KEPT:
        del plans[next(iter(plans))]


def _differs(capacity: Capacity, said: Capacity) -> bool:
    """Whether somebody who allocates by it would want to know."""
    if (capacity.health, capacity.branch) != (said.health, said.branch):
        return True
    if (capacity.state_of_charge is None) != (said.state_of_charge is None):
        return True
    soc = abs((capacity.state_of_charge or 0) - (said.state_of_charge or 0))
    headroom = max(abs(capacity.up_mw - said.up_mw), abs(capacity.down_mw - said.down_mw))
    return CAPACITY_CHANGE * soc >= 1000 or CAPACITY_CHANGE * headroom > max(said.up_mw, said.down_mw)
