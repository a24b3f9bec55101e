"""Shell: a seeded cell of whole daemons in virtual time: real cores, turns, signatures and ledgers, simulated world.

One seed decides everything and replays exactly: delays, loss, repetition, separations, power cuts at any disk
operation, and members that cheat. While it runs and at its end it is checked that no honest node signs twice, that all
hold the same blocks, that every ledger replays, that money sums to zero, that devices are told exactly what was
filled, that nobody who could be heard is left out, and that after healing every gate is decided in time.

``python -m sim.cluster FIRST COUNT`` searches seeds and stops at the first that fails.
"""

import heapq
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from random import Random

from ledger.errors import PeerError
from ledger.genesis import Genesis
from ledger.voters import voters_of
from ledger.votes import open_proposal, open_vote
from node import events as ev
from node.wire import ProposalFrame, VoteFrame, decode_frame
from sim.cluster_cheats import Cheater
from sim.cluster_checks import Expected, Seen, final_faults
from sim.cluster_faults import MS, Cheat, ClusterPlan, OldBackup, Outage, S
from sim.cluster_keys import FIRST_INTERVAL, GATE_LEAD_S, INTERVAL_S, SPEED, Keys, founded
from sim.cluster_node import ClusterNode, DiskCopy

INTERVAL_NS = INTERVAL_S * S // SPEED
NOTICE_NS = 500 * MS
"""How often the network looks which peers are reachable: then daemons hear of it."""
REQUEST_TIMEOUT_NS = 5 * S
SETTLING_INTERVALS = 6
"""Intervals after the healing until every gate must be decided in time: room for the rounds that grew before."""
CALM_INTERVALS = 4
"""Intervals of that."""
LATE_NS = 30 * S
"""Virtual time after the last gate until every node must have the last block."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a cell: the first violation (None is good), the block ids, and some counts."""

    seed: int
    violation: str | None
    blocks: tuple[bytes, ...]
    events: int
    traded: int
    frozen: int


class Cluster:
    """One cell of `size` members under a plan of faults."""

    def __init__(self, seed: int, size: int, ill_intervals: int, plan: ClusterPlan | None = None) -> None:
        self.seed = seed
        self.random = Random(seed)
        self.keys = [Keys.of(index) for index in range(size)]
        self.genesis = self.found()
        first_gate_ns = (FIRST_INTERVAL * INTERVAL_S - GATE_LEAD_S) * S
        self._epoch_ns = first_gate_ns - 2 * S * SPEED
        healed_ns = 2 * S + ill_intervals * INTERVAL_NS
        self.plan = ClusterPlan.draw(self.random, size, healed_ns) if plan is None else plan
        healed_at = (self.plan.healed_ns - 2 * S) // INTERVAL_NS + FIRST_INTERVAL
        self.calm_from = healed_at + SETTLING_INTERVALS
        self.last_interval = self.calm_from + CALM_INTERVALS - 1
        self.cheaters = {
            index: Cheater(
                index, cheat, self.keys[index], self.genesis.cell_id, Random(self.random.getrandbits(64))
            )
            for index, cheat in self.plan.cheats
        }
        self.nodes = [
            ClusterNode(
                index, keys, self.genesis, self, Random(self.random.getrandbits(64)), self.last_interval
            )
            for index, keys in enumerate(self.keys)
        ]
        self.positions: list[dict[int, int]] = [{} for _ in range(size)]
        self.violation: str | None = None
        self._index_of = {keys.public: index for index, keys in enumerate(self.keys)}
        self._now_ns = 0
        self._queue: list[tuple[int, int, Callable[[], None]]] = []
        self._scheduled = 0
        self._links: set[tuple[int, int]] = set()
        self._wake_ns: list[int | None] = [None] * size
        self._signed: dict[tuple[bytes, int, int, int], bytes] = {}
        self._checked: set[bytes] = set()

    def found(self) -> Genesis:
        """The genesis that all nodes start with."""
        return founded(self.keys)

    @property
    def honest(self) -> list[ClusterNode]:
        """The nodes that do not cheat and may sign."""
        return [node for node in self.nodes if node.index not in self.cheaters and node.read_only is None]

    def run(self) -> Outcome:
        """Let time pass until all is decided, something is violated, or time is up."""
        for node in self.nodes:
            self.after(self.random.randint(0, S), partial(self._start, node))
            for interval in range(FIRST_INTERVAL, self.last_interval + 1):
                over_ns = (((interval + 1) * INTERVAL_S * S) - self._epoch_ns) // SPEED
                self.after(over_ns + 20 * MS, partial(self._meter, node, interval))
        for outage in self.plan.outages:
            self.after(outage.at_ns, partial(self._cut_power, outage))
        for backup in self.plan.backups:
            self.after(backup.made_ns, partial(self._back_up, backup))
        self.after(NOTICE_NS, self._notice)
        end_ns = ((self.last_interval + 3) * INTERVAL_S * S - self._epoch_ns) // SPEED + LATE_NS
        events = 0
        while self._queue and self.violation is None and not self._finished():
            self._now_ns, _, action = heapq.heappop(self._queue)
            if self._now_ns > end_ns:
                heights = [node.store.height() for node in self.honest]
                self.fail(f"not live: of {self.last_interval + 2}, heights are {heights}")
                break
            events += 1
            action()
        if self.violation is None:
            for fault in self._final_faults():
                self.fail(fault)
        return self._outcome(events)

    def fail(self, violation: str) -> None:
        """Keep the first violation; the run ends with it."""
        self.violation = self.violation or f"{violation} (at {self._now_ns / S:.3f} s)"

    def after(self, delay_ns: int, action: Callable[[], None]) -> None:
        """Run an action later."""
        self._scheduled += 1
        heapq.heappush(self._queue, (self._now_ns + max(0, delay_ns), self._scheduled, action))

    # What the world offers to its nodes.

    def now(self) -> ev.Now:
        """Both clocks."""
        return ev.Now(self._now_ns, self._epoch_ns + self._now_ns * SPEED, SPEED)

    def gossip(self, sender: int, topic: str, data: bytes) -> None:
        """Every member gets it, but for what is lost."""
        author = self.keys[sender].public
        cheater = self.cheaters.get(sender)
        for receiver in range(len(self.nodes)):
            shown, later_ns = (data, 0) if cheater is None else cheater.gossiped(receiver, topic, data)
            message = ev.GossipReceived(topic, author, shown)
            if later_ns:
                self.after(later_ns, partial(self._send, sender, receiver, message))
            else:
                self._send(sender, receiver, message)

    def broadcast(self, sender: int, frame: bytes) -> None:
        """Every neighbour gets it, but for what is lost."""
        for keys in self.keys:
            self.send(sender, keys.public, frame)

    def send(self, sender: int, peer: bytes, frame: bytes) -> None:
        """One neighbour gets it, unless it is lost."""
        receiver, cheater = self._index_of[peer], self.cheaters.get(sender)
        if cheater is None:
            self._check_signed(sender, frame)
        if (sender, receiver) in self._links:
            for shown in [frame] if cheater is None else cheater.framed(receiver, frame):
                self._send(sender, receiver, ev.FrameReceived(self.keys[sender].public, shown))

    def request(self, sender: int, peer: bytes, tag: str, data: bytes) -> None:
        """Ask; a failure is known after a timeout."""
        receiver = self._index_of[peer]
        delays = self.plan.arrivals(self.random, self._now_ns)[:1]
        if not delays or self._unreachable(sender, receiver):
            self.after(REQUEST_TIMEOUT_NS, partial(self._reply, sender, peer, tag, None))
            return
        self.after(delays[0], partial(self._asked, sender, receiver, tag, data))

    def commanded(self, node: int, interval: int, energy: int) -> None:
        """Control hears a position."""
        known = self.positions[node].setdefault(interval, energy)
        if known != energy:
            self.fail(f"node {node} commanded {known} and then {energy} for interval {interval}")

    def allow(self, node: int, members: frozenset[bytes]) -> None:
        """In a cell whose members stay, everybody may connect to everybody."""

    # What happens in it.

    def _send(self, sender: int, receiver: int, message: ev.Input) -> None:
        if sender == receiver or self._unreachable(sender, receiver):
            return
        for delay_ns in self.plan.arrivals(self.random, self._now_ns):
            self.after(delay_ns, partial(self._arrive, sender, receiver, message))

    def _arrive(self, sender: int, receiver: int, message: ev.Input) -> None:
        if not self._unreachable(sender, receiver):
            self._take(self.nodes[receiver], message)

    def _asked(self, sender: int, receiver: int, tag: str, data: bytes) -> None:
        reply = self.nodes[receiver].answer(data)
        if receiver in self.cheaters:
            reply = self.cheaters[receiver].replied(reply, self.now())
        delays = self.plan.arrivals(self.random, self._now_ns)[:1]
        lost = not delays or self._unreachable(receiver, sender)
        delay_ns = REQUEST_TIMEOUT_NS if lost else delays[0]
        answered = None if lost else reply
        self.after(delay_ns, partial(self._reply, sender, self.keys[receiver].public, tag, answered))

    def _reply(self, asker: int, peer: bytes, tag: str, data: bytes | None) -> None:
        self._take(self.nodes[asker], ev.ReplyReceived(peer, tag, data))

    def _unreachable(self, left: int, right: int) -> bool:
        return self.plan.parts(left, right, self._now_ns)

    def _notice(self) -> None:
        """Daemons hear who can be reached and who no longer is, each at its own time."""
        self.after(NOTICE_NS, self._notice)
        for left in range(len(self.nodes)):
            for right in range(len(self.nodes)):
                if left == right or not self.nodes[left].up:
                    continue
                reachable = self.nodes[right].up and not self._unreachable(left, right)
                if reachable == ((left, right) in self._links) or self.random.random() < 0.3:
                    continue
                peer = self.keys[right].public
                if reachable:
                    self._links.add((left, right))
                    self._take(self.nodes[left], ev.PeerConnected(peer))
                else:
                    self._links.discard((left, right))
                    self._take(self.nodes[left], ev.PeerLost(peer))

    def _take(self, node: ClusterNode, message: ev.Input) -> None:
        starts = node.starts
        node.take(message)
        if node.starts == starts:
            self._schedule_wake(node)

    def _schedule_wake(self, node: ClusterNode) -> None:
        """Wake the node when its core wants to."""
        if not node.up:
            return
        due_ns = node.core.next_timer(self.now())
        planned = self._wake_ns[node.index]
        if due_ns is None or (planned is not None and self._now_ns < planned <= due_ns):
            return
        due_ns = max(due_ns, self._now_ns + MS // 10)
        self._wake_ns[node.index] = due_ns
        self.after(due_ns - self._now_ns, partial(self._wake, node, due_ns))

    def _wake(self, node: ClusterNode, due_ns: int) -> None:
        if self._wake_ns[node.index] != due_ns:
            return
        self._wake_ns[node.index] = None
        self._take(node, ev.TimerDue())

    def _back_up(self, backup: OldBackup) -> None:
        """Copy a disk now and put it back later."""
        copy = self.nodes[backup.node].back_up()
        self.after(
            backup.restored_ns - backup.made_ns, partial(self._put_back, self.nodes[backup.node], copy)
        )

    def _put_back(self, node: ClusterNode, copy: DiskCopy) -> None:
        node.put_back(copy)
        self._restart(node)

    def _start(self, node: ClusterNode) -> None:
        if node.up:
            return
        node.start()
        cheater = self.cheaters.get(node.index)
        if cheater is not None and node.up:
            cheater.prepare(node.core, self.keys[self.honest[0].index].member)
        self._wake_ns[node.index] = None
        node.read_meter()
        self._schedule_wake(node)

    def _cut_power(self, outage: Outage) -> None:
        node = self.nodes[outage.node]
        if node.up:
            node.power.fail_after(outage.operations)
            self.after(outage.down_ns, partial(self._restart, node))

    def _restart(self, node: ClusterNode) -> None:
        """Power was cut at an operation, or is now, between two."""
        if node.up:
            node.black_out()
        self._links = {link for link in self._links if link[0] != node.index}
        self._start(node)

    def _meter(self, node: ClusterNode, interval: int) -> None:
        node.deliver_meter(interval)
        self._schedule_wake(node)

    def _check_signed(self, sender: int, frame: bytes) -> None:
        """No honest validator ever signs two different things for one step, over restarts."""
        if frame in self._checked:
            return
        self._checked.add(frame)
        ordering = self.nodes[sender].core.ordering
        try:
            match decode_frame(frame):
                case VoteFrame(envelope):
                    vote = open_vote(envelope, self.genesis.cell_id, voters_of(ordering.tip, envelope))
                    place = (vote.signer, vote.vote.height, vote.vote.round, int(vote.vote.step))
                    body = vote.body
                case ProposalFrame(envelope, _):
                    proposal = open_proposal(
                        envelope, self.genesis.cell_id, voters_of(ordering.tip, envelope)
                    )
                    content = proposal.proposal
                    place = (proposal.signer, content.height, content.round, int(content.step))
                    body = proposal.body
                case _:
                    return
        except PeerError as fault:
            self.fail(f"node {sender} sends what nobody accepts: {fault}")
            return
        cheats = {self.keys[index].consensus.verify_key.encode() for index in self.cheaters}
        if place[0] not in cheats and self._signed.setdefault(place, body) != body:
            self.fail(f"validator {place[0].hex()[:8]} signed twice at {place[1:]}")

    def _finished(self) -> bool:
        return self._now_ns >= self.plan.healed_ns and all(
            node.up and node.core.ordering.finished for node in self.honest
        )

    def _final_faults(self) -> Iterator[str]:
        seen = [
            Seen(f"node {node.index}", node.keys.member, node.store, self.positions[node.index])
            for node in self.honest
        ]
        restored = {backup.node for backup in self.plan.backups}
        for node in self.nodes:
            if node.read_only is not None and node.index not in restored and node.index not in self.cheaters:
                yield f"node {node.index} only reads without a reason: {node.read_only}"
        expected = Expected(
            calm=range(self.calm_from, self.last_interval + 1),
            exposed=self._members_that(Cheat.FORKS_FEED, Cheat.FORKS_VOTES),
            latecomers=self._members_that(Cheat.LOOKS_LAST),
            cheats=self._members_that(*Cheat).union(
                node.keys.member for node in self.nodes if node.read_only is not None
            ),
        )
        yield from final_faults(self.genesis, seen, expected)

    def _members_that(self, *cheats: Cheat) -> frozenset[bytes]:
        return frozenset(self.keys[index].member for index, cheat in self.plan.cheats if cheat in cheats)

    def _outcome(self, events: int) -> Outcome:
        node = self.honest[0]
        store = node.store
        rows = [store.block(height) for height in range(1, store.height() + 1)]
        frozen = (
            sum(member.frozen_at is not None for member in node.core.ordering.tip.membership.members)
            if node.up
            else 0
        )
        traded = sum(abs(energy) for positions in self.positions for energy in positions.values())
        return Outcome(
            self.seed,
            self.violation,
            tuple(row.id for row in rows if row is not None),
            events,
            traded,
            frozen,
        )


def run_seed(seed: int, *, size: int | None = None, ill_intervals: int | None = None) -> Outcome:
    """Run the cell of this seed to its end; what is not given, the seed draws."""
    random = Random(seed)
    drawn_size, drawn_intervals = random.choice((1, 2, 4, 4, 4, 5, 7)), random.randint(2, 10)
    return Cluster(
        seed,
        drawn_size if size is None else size,
        drawn_intervals if ill_intervals is None else ill_intervals,
    ).run()


def search(first: int, count: int) -> Outcome | None:
    """The first failing cell among ``count`` seeds from ``first``, or None."""
    outcomes = (run_seed(seed) for seed in range(first, first + count))
    return next((outcome for outcome in outcomes if outcome.violation), None)


if __name__ == "__main__":
    found = search(int(sys.argv[1]), int(sys.argv[2]))
    sys.exit(0 if found is None else f"seed {found.seed}: {found.violation}")
