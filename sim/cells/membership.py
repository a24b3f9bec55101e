"""Shell: a seeded cell whose members change while it trades: some come, some go, some take new keys.

The world is that of `sim.cells.cluster` with its faults. A connection exists only where both sides have the other as a
member, and who holds new keys starts again with them. Those who stay members under their first keys must hold and do
all that `sim.cells.cluster` asks of everybody.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from hashlib import sha256

from nacl.signing import SigningKey

from ledger.heads import Head
from ledger.membership.members import Membership
from ledger.records.changes import (
    CHANGE_KIND,
    Admit,
    Change,
    NumberedChange,
    Remove,
    change_payload,
    sign_change,
)
from ledger.records.genesis import Genesis, Role
from market.admission import encode_terms
from market.rules import MemberRule
from node import events as ev
from node.constants import ENTRIES
from sim.cells.calm import INTERVAL_NS, WAITED_OUT_NS
from sim.cells.cluster import Cluster
from sim.cells.faults import ClusterPlan, Outage, S
from sim.cells.forgeries import entries_under_an_old_key
from sim.cells.keys import CREDIT_LIMIT, HOURS, POWER_MW, Keys, Pace, founded
from sim.cells.node import ClusterNode
from sim.cells.plans import Focus, draw_plan

ADMISSION_KEY = SigningKey(sha256(b"cluster admission").digest())
ASK_AGAIN_NS = S
THEFTS = 5
"""How often a thief shows what it signs with old keys, once a second."""


@dataclass(frozen=True, slots=True)
class PlannedChange:
    """From `at_ns` on a node is asked for a change; in the order of the plan, which is that of numbers.

    Without a `carrier` it is whoever is up of those of whom everything is asked.
    """

    at_ns: int
    carrier: int | None
    change: Change


def newcomer(index: int) -> Admit:
    """The admission of the member with this index, a validator on the second branch."""
    keys = Keys.of(index)
    rule = MemberRule(keys.member, 1, POWER_MW, POWER_MW, CREDIT_LIMIT)
    roles = int(Role.PROSUMER | Role.VALIDATOR)
    return Admit(
        b"home-%d" % index, keys.public, keys.consensus.verify_key.encode(), roles, encode_terms(rule)
    )


def new_keys(index: int) -> Keys:
    """The keys that a member takes when it gives up its first ones."""
    return Keys.of(1000 + index)


class ChangingCluster(Cluster):
    """`size` founders and some newcomers; `guests` are those that come, go or rotate, by index."""

    def __init__(
        self,
        seed: int,
        size: int,
        plan: ClusterPlan | None,
        changes: tuple[PlannedChange, ...],
        *,
        newcomers: int = 0,
        guests: frozenset[int] = frozenset(),
        ill_intervals: int = 1,
        live: Callable[[str], None] | None = None,
        pace: Pace = HOURS,
        focus: Focus = Focus(),  # noqa: B008 - it is frozen
    ) -> None:
        self._founders = size
        self.changes = changes
        self.guests = guests
        super().__init__(seed, size + newcomers, ill_intervals, plan, live, pace, focus)
        for number, planned in enumerate(changes, start=1):
            self.after(planned.at_ns, partial(self._ask, number, planned))

    def drawn(self, size: int, healed_ns: int, focus: Focus) -> ClusterPlan:
        """What the seed chooses, for as many as are tolerated when most have left; power fails when members change."""
        stay = [index for index in range(self._founders) if index not in self.guests]
        left = self._founders - sum(isinstance(each.change, Remove) for each in self.changes)
        tolerated = min((left - 1) // 3, len(stay) - 1)
        plan = draw_plan(self.random, size, stay, tolerated, healed_ns, focus)
        on_the_edge = tuple(
            Outage(
                min(each.at_ns + self.random.randrange(3 * INTERVAL_NS), healed_ns - 1),
                self.random.randrange(size),
                self.random.randint(1, 4) * S,
                self.random.randint(1, 40),
            )
            for each in self.changes
        )
        return replace(plan, outages=(*plan.outages, *on_the_edge))

    def found(self) -> Genesis:
        """A cell of the founders, with an admission key."""
        return founded(self.keys[: self._founders], self.pace, (ADMISSION_KEY.verify_key.encode(),))

    @property
    def honest(self) -> list[ClusterNode]:
        """The nodes of which everything is asked: those that stay what they were at the founding."""
        return [node for node in super().honest if node.index not in self.guests]

    def rotate_when(self, index: int, keys: Keys, holds: Callable[[Membership], bool]) -> None:
        """Stop a node once its new keys hold in the ledger of another, and start it again with them."""
        if not any(node.up and holds(node.core.gathering.membership) for node in self.honest):
            self.after(S // 10, partial(self.rotate_when, index, keys, holds))
            return
        node, old = self.nodes[index], self.keys[index]
        if node.up:
            node.black_out()
        self._steal(node, old)
        node.keys = self.keys[index] = keys
        self.network.rename(index, keys.public)
        self._restart(node)
        # Where a change holds only after the healing, the restart is what is wrong then, and costs what it may.
        gates = -((2 * S - self.queue.now_ns - WAITED_OUT_NS) // INTERVAL_NS)
        self.calm_from = max(self.calm_from, self.pace.first_interval + gates)

    def _steal(self, node: ClusterNode, old: Keys) -> None:
        """From now on a thief has the keys that a member gives up, and whoever is near passes on what it signs."""
        member, store = node.keys.member, node.store
        incarnation = max((head.incarnation for head in self._heads_of(member)), default=0)
        last = store.last_sequence(member, incarnation)
        if last < 0:
            return
        self.watch.robbed.add(member)
        (signed,) = store.entries(member, incarnation, last - 1, last)
        stolen = entries_under_an_old_key(old, self.genesis.cell_id, signed)
        for again in range(THEFTS):
            for envelope in stolen:
                self.after((again + 1) * S, partial(self._pass_on, envelope))

    def _heads_of(self, member: bytes) -> list[Head]:
        heads = (node.core.ordering.tip.heads.get(member) for node in self.honest if node.up)
        return [head for head in heads if head is not None]

    def _pass_on(self, envelope: bytes) -> None:
        for node in self.nodes:
            self._take(node, ev.GossipReceived(ENTRIES, self.keys[0].public, envelope))

    def _ask(self, number: int, planned: PlannedChange) -> None:
        """Ask now and again, as a file that waits in a spool: it is said once."""
        envelope = sign_change(ADMISSION_KEY, self.genesis.cell_id, NumberedChange(number, planned.change))
        asked = ev.OperatorInstructed(str(number), CHANGE_KIND, 0, change_payload(envelope))
        carriers = self.honest if planned.carrier is None else [self.nodes[planned.carrier]]
        for carrier in [node for node in carriers if node.up][:1]:
            self._take(carrier, asked)
        self.after(ASK_AGAIN_NS, partial(self._ask, number, planned))
