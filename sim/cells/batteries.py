"""Shell: a seeded cell of whole daemons, some of which become one virtual battery while it trades, and part again.

The world is that of `sim.cells.cluster` with its faults. The first member bids for all others of its branch. What must
hold besides: nobody trades beside who bids for it, and as soon as nothing is wrong any more, what all of them are told
to follow sums up to what was contracted for them.
"""

from ledger.encoding import Value
from market.payloads import Kind
from market.virtual_battery.payloads import encode_aggregation, encode_delegation
from node import events as ev
from sim.cells.cluster import Cluster
from sim.cells.faults import ClusterPlan, S

ASK_AGAIN_NS = S
AGGREGATOR = 0


class BatteryCluster(Cluster):
    """From `formed_ns` on (virtual real time) all want it, from `parted_ns` on, if ever, nobody does any more."""

    def __init__(
        self,
        seed: int,
        size: int,
        ill_intervals: int,
        plan: ClusterPlan | None = None,
        *,
        formed_ns: int = 0,
        parted_ns: int | None = None,
    ) -> None:
        super().__init__(seed, size, ill_intervals, plan)
        self.members = tuple(range(AGGREGATOR + 2, size, 2))
        self._ask(AGGREGATOR, Kind.AGGREGATION, 0, self._ids(), formed_ns, parted_ns)
        for member in self.members:
            to = encode_delegation(self.keys[AGGREGATOR].member)
            self._ask(member, Kind.DELEGATION, 0, to, formed_ns, parted_ns)
            if parted_ns is not None:
                self._ask(member, Kind.DELEGATION, 1, encode_delegation(None), parted_ns, None)

    def _ids(self) -> tuple[Value, ...]:
        return encode_aggregation(tuple(sorted(self.keys[member].member for member in self.members)))

    def _ask(
        self,
        node: int,
        kind: Kind,
        number: int,
        payload: tuple[Value, ...],
        from_ns: int,
        until_ns: int | None,
    ) -> None:
        """Ask a node for an entry from a time on, again and again, as a file that waits in a spool: it is said once."""
        asked = ev.OperatorInstructed(f"{kind.name} {number}", int(kind), number, payload)

        def again() -> None:
            if until_ns is None or self.queue.now_ns < until_ns:
                self._take(self.nodes[node], asked)
                self.after(ASK_AGAIN_NS, again)

        self.after(from_ns, again)
