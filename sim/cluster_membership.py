"""Shell: a seeded cell whose members change while it trades: some come, some go, some take new keys.

The world is that of `sim.cluster` with its faults. A connection exists only where both sides have the other as a
member, and who holds new keys starts again with them. Those who stay members under their first keys must hold and do
all that `sim.cluster` asks of everybody.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from hashlib import sha256

from nacl.signing import SigningKey

from ledger.changes import CHANGE_KIND, Admit, Change, NumberedChange, change_payload, sign_change
from ledger.genesis import Genesis, Role
from ledger.membership import Membership
from market.admission import encode_terms
from market.rules import MemberRule
from node import events as ev
from sim.cluster import Cluster
from sim.cluster_faults import ClusterPlan, S
from sim.cluster_keys import CREDIT_LIMIT, POWER_MW, Keys, founded
from sim.cluster_node import ClusterNode

ADMISSION_KEY = SigningKey(sha256(b"cluster admission").digest())
ASK_AGAIN_NS = S


@dataclass(frozen=True, slots=True)
class PlannedChange:
    """From `at_ns` on node `carrier` is asked for a change; in the order of the plan, which is that of numbers."""

    at_ns: int
    carrier: int
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
        plan: ClusterPlan,
        changes: tuple[PlannedChange, ...],
        *,
        newcomers: int = 0,
        guests: frozenset[int] = frozenset(),
    ) -> None:
        self._founders = size
        self.changes = changes
        self.guests = guests
        super().__init__(seed, size + newcomers, 1, plan)
        for number, planned in enumerate(changes, start=1):
            self.after(planned.at_ns, partial(self._ask, number, planned))

    def found(self) -> Genesis:
        """A cell of the founders, with an admission key."""
        return founded(self.keys[: self._founders], self.pace, (ADMISSION_KEY.verify_key.encode(),))

    @property
    def honest(self) -> list[ClusterNode]:
        """The nodes of which everything is asked: those that stay what they were at the founding."""
        return [node for node in super().honest if node.index not in self.guests]

    def rotate_when(self, index: int, keys: Keys, holds: Callable[[Membership], bool]) -> None:
        """Stop a node once its new keys hold in the ledger of the first, and start it again with them."""
        first = self.nodes[0]
        if not first.up or not holds(first.core.gathering.membership):
            self.after(S // 10, partial(self.rotate_when, index, keys, holds))
            return
        node = self.nodes[index]
        if node.up:
            node.black_out()
        node.keys = self.keys[index] = keys
        self.network.rename(index, keys.public)
        self._restart(node)

    def _ask(self, number: int, planned: PlannedChange) -> None:
        """Ask now and again, as a file that waits in a spool: it is said once."""
        envelope = sign_change(ADMISSION_KEY, self.genesis.cell_id, NumberedChange(number, planned.change))
        asked = ev.OperatorInstructed(str(number), CHANGE_KIND, 0, change_payload(envelope))
        self._take(self.nodes[planned.carrier], asked)
        self.after(ASK_AGAIN_NS, partial(self._ask, number, planned))
