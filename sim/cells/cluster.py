"""Shell: a seeded cell of whole daemons in virtual time: real cores, turns, signatures and ledgers, simulated world.

One seed decides everything and replays exactly: the network, power, disks, clocks and members that cheat. After every
event it is checked that all hold prefixes of one chain, that no honest node signs twice or is accused, that money sums
to zero, that devices are told what was filled and in time, and that memory stays bounded; at its end, that every ledger
replays, that energy adds up, that nobody who could be heard is left out, and that after healing every gate is decided
in time. A node whose software refuses to go on is repaired and restarted as an operator would.
"""

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from random import Random

from ledger.records.genesis import Genesis
from node import events as ev
from node.agreement.belonging import connectable
from node.constants import ENTRIES, INPUTS_WAITING, STALL_NS
from sim.cells.calm import CALM_INTERVALS, INTERVAL_NS, SETTLING_INTERVALS, settling_ns
from sim.cells.cheats import Cheater
from sim.cells.checks import Expected, Outcome, Seen, final_faults
from sim.cells.faults import FORKS, MS, PROVABLE, Cheat, ClusterPlan, S
from sim.cells.keys import HOURS, Keys, Pace, founded
from sim.cells.mishaps import Mishaps
from sim.cells.network import Network
from sim.cells.node import ClusterNode
from sim.cells.plans import Focus, draw_plan
from sim.cells.shared_work import shared_work
from sim.cells.timeline import EventQueue, Trace
from sim.cells.watch import Watch

MEMORY_NS = 500 * MS
"""How often what nodes hold because of others is measured, and whether all is decided."""
REPAIR_NS = 2 * S
"""How long an operator takes from a daemon's refusal to the next start."""
LATE_NS = 30 * S
"""Virtual time after the last gate until every node must have the last block."""


class Cluster:
    """One cell of `size` members under a plan of faults; `live` is told every line of the trace."""

    def __init__(
        self,
        seed: int,
        size: int,
        ill_intervals: int,
        plan: ClusterPlan | None = None,
        live: Callable[[str], None] | None = None,
        pace: Pace = HOURS,
        focus: Focus = Focus(),  # noqa: B008 - it is frozen
    ) -> None:
        self.seed, self.pace = seed, pace
        self.random = Random(seed)
        self.keys = [Keys.of(index) for index in range(size)]
        self.genesis = self.found()
        first_gate_ns = (pace.first_interval * pace.interval_s - pace.gate_lead_s) * S
        self._epoch_ns = first_gate_ns - 2 * S * pace.speed
        healed_ns = 2 * S + ill_intervals * INTERVAL_NS
        self.plan = self.drawn(size, healed_ns, focus) if plan is None else plan
        healed_at = (self.plan.healed_ns - 2 * S) // INTERVAL_NS + pace.first_interval
        self.calm_from = healed_at + SETTLING_INTERVALS
        self.last_interval = self.calm_from + CALM_INTERVALS - 1
        self.cheaters = {index: self._cheater(index, cheat) for index, cheat in self.plan.cheats}
        self.nodes = [
            ClusterNode(
                index,
                keys,
                self.genesis,
                self,
                Random(self.random.getrandbits(64)),
                self.last_interval,
                pace,
            )
            for index, keys in enumerate(self.keys)
        ]
        self.violation: str | None = None
        self._over = False
        self.queue = EventQueue()
        self.trace = Trace(self.queue, live)
        self.watch = Watch(
            self.genesis.cell_id,
            pace.interval_s * S,
            self._members_that(*PROVABLE),
            self.plan.unreliable,
            self.plan.rotten_ledgers,
        )
        self.after = self.queue.after
        self.network = Network(
            self.queue, self.random, self.plan, self.keys, self.nodes, self.cheaters, self._take, self.now
        )
        self._wake_ns: list[int | None] = [None] * size

    def found(self) -> Genesis:
        """The genesis that all nodes start with."""
        return founded(self.keys, self.pace)

    def drawn(self, size: int, healed_ns: int, focus: Focus) -> ClusterPlan:
        """What the seed chooses for so many nodes."""
        return draw_plan(self.random, size, range(size), (size - 1) // 3, healed_ns, focus)

    @property
    def honest(self) -> list[ClusterNode]:
        """The nodes that do not cheat and may sign."""
        return [node for node in self.nodes if node.index not in self.cheaters and not self._is_silent(node)]

    @property
    def positions(self) -> list[dict[int, int]]:
        """What the devices of each node were told, by interval."""
        told: list[dict[int, int]] = [{} for _ in self.nodes]
        for (node, interval), energy in self.watch.positions.items():
            told[node][interval] = energy
        return told

    def run(self) -> Outcome:
        """Let time pass until all is decided, something is violated, or time is up."""
        with shared_work():
            self._play()
        if self.violation is None:
            for fault in self._final_faults():
                self.fail(fault)
        return self._outcome()

    def _play(self) -> None:
        self._schedule()
        end_ns = self._real_ns((self.last_interval + 3) * self.pace.interval_s * S) + LATE_NS
        while self.queue and self.violation is None and not self._over:
            action = self.queue.step()
            if self.queue.now_ns > end_ns:
                heights = [node.store.height() for node in self.honest]
                self.fail(f"not live: of {self.last_interval + 2}, heights are {heights}")
                break
            self._act(action)

    def fail(self, violation: str) -> None:
        """Keep the first violation; the run ends with it."""
        self.violation = self.violation or f"{violation} (at {self.queue.now_ns / S:.3f} s)"

    # What the world offers to its nodes.

    def now(self, node: int = 0) -> ev.Now:
        """Both clocks, as this node reads them."""
        now_ns, speed = self.queue.now_ns, self.pace.speed
        wrong_ns = self.plan.clock_offset_ns(node, now_ns, speed) if self.plan.clocks else 0
        return ev.Now(now_ns, self._epoch_ns + now_ns * speed + wrong_ns, speed)

    def report(self, node: int, event: str, fields: Mapping[str, object]) -> None:
        """What the daemon writes into its log."""
        shown = ("height", "interval", "round", "reason", "member", "peers")
        told = " ".join(f"{name}={fields[name]}" for name in shown if name in fields)
        self.trace.note("node", node, "says", event, told)

    def gossip(self, sender: int, topic: str, data: bytes) -> None:
        """Every member gets it, but for what is lost."""
        if topic == ENTRIES and sender not in self.cheaters:
            self._check(self.watch.entry(self.nodes[sender], data))
        self.network.gossip(sender, topic, data)

    def broadcast(self, sender: int, frame: bytes) -> None:
        """Every neighbour gets it, but for what is lost."""
        if sender not in self.cheaters:
            self._check(self.watch.frame(self.nodes[sender], frame))
        self.network.broadcast(sender, frame)

    def send(self, sender: int, peer: bytes, frame: bytes) -> None:
        """One neighbour gets it, unless it is lost."""
        if sender not in self.cheaters:
            self._check(self.watch.frame(self.nodes[sender], frame))
        self.network.send(sender, peer, frame)

    def request(self, sender: int, peer: bytes, tag: str, data: bytes) -> None:
        """Ask a peer."""
        self.network.request(sender, peer, tag, data)

    def commanded(self, node: int, interval: int, energy: int) -> None:
        """Control hears a position."""
        if node not in self.cheaters:
            self._check(self.watch.commanded(self.nodes[node], interval, energy, self.now(node)))

    def allow(self, node: int, members: frozenset[bytes]) -> None:
        """These feed keys may connect to a node."""
        self.network.allow(node, members)

    # What happens in it.

    def _cheater(self, index: int, cheat: Cheat) -> Cheater:
        """A cheat, with the first that does not cheat in mind."""
        cheats = {node for node, _ in self.plan.cheats}
        victim = next(keys for other, keys in enumerate(self.keys) if other not in cheats)
        own = Random(self.random.getrandbits(64))
        return Cheater(
            index, cheat, self.keys[index], self.genesis.cell_id, own, len(self.keys), victim, self.pace
        )

    def _schedule(self) -> None:
        after = self.queue.after
        for node in self.nodes:
            after(self.random.randint(0, S), partial(self._start, node))
            for interval in range(self.pace.first_interval, self.last_interval + 1):
                over_ns = self._real_ns((interval + 1) * self.pace.interval_s * S)
                after(over_ns + 20 * MS, partial(self._meter, node, interval))
        Mishaps(self.plan, self.queue, self.trace, self.nodes, self._restart).schedule()
        after(0, self.network.notice)
        after(MEMORY_NS, self._measure)
        after(self.plan.healed_ns, self._expect_calm)

    def _expect_calm(self) -> None:
        """Nothing is wrong any more: say from when on every gate must be decided in time."""
        orderings = [node.core.ordering for node in self.honest if node.up]
        calm_ns = self.queue.now_ns + settling_ns(orderings, len(self.nodes))
        gates = -((2 * S - calm_ns) // INTERVAL_NS)
        self.calm_from = max(self.calm_from, self.pace.first_interval + gates)

    def _real_ns(self, cell_ns: int) -> int:
        """The virtual real time of a moment of cell time, by a clock that is right."""
        return (cell_ns - self._epoch_ns) // self.pace.speed

    def _act(self, action: Callable[[], None]) -> None:
        """One event. What no daemon should raise is a bug, whoever caused it."""
        try:
            action()
        except Exception as fault:  # noqa: BLE001 - a bug of any kind is what the search looks for
            self.trace.note("exception", repr(fault))
            self.fail(f"a daemon would end with a bug: {type(fault).__name__}: {fault}")

    def _take(self, node: ClusterNode, message: ev.Input) -> None:
        """Hand an input to a node, when its disk lets it listen."""
        if not node.up:
            return
        if node.busy_until_ns > self.queue.now_ns or node.inbox:
            if not node.inbox:
                self.queue.after(
                    node.busy_until_ns - self.queue.now_ns, partial(self._drain, node, node.starts)
                )
            if len(node.inbox) < INPUTS_WAITING:
                node.inbox.append(message)
            return
        self._hand(node, message)

    def _drain(self, node: ClusterNode, starts: int) -> None:
        """A node whose disk kept it takes what came meanwhile, in one turn."""
        if node.starts == starts and node.up:
            inputs, node.inbox = node.inbox, []
            self._hand(node, *inputs)

    def _hand(self, node: ClusterNode, *inputs: ev.Input) -> None:
        starts = node.starts
        node.take(*inputs)
        if node.starts == starts:
            self._after_turn(node)

    def _after_turn(self, node: ClusterNode) -> None:
        if node.refused is not None:
            self._hear_refusal(node)
        if node.up:
            if node.index in self.cheaters:
                self.cheaters[node.index].after_turn(node.core)
            else:
                self._check(self.watch.after_turn(node))
            self._schedule_wake(node)

    def _hear_refusal(self, node: ClusterNode) -> None:
        """The daemon ended by itself: was there a reason, and the operator repairs and restarts it."""
        damaged = any(damage.node == node.index for damage in self.plan.damages)
        restored = any(backup.node == node.index for backup in self.plan.backups)
        if node.index not in self.cheaters:
            self._check(self.watch.refused(node, excused=damaged or restored))
        starts = node.starts

        def restart() -> None:
            if node.starts == starts and not node.up:
                self._restart(node)

        self.queue.after(REPAIR_NS, restart)

    def _schedule_wake(self, node: ClusterNode) -> None:
        """Wake the node when its core wants to."""
        due_ns = node.core.next_timer(self.now(node.index))
        planned, now_ns = self._wake_ns[node.index], self.queue.now_ns
        if due_ns is None or (planned is not None and now_ns < planned <= due_ns):
            return
        due_ns = max(due_ns, now_ns + MS // 10)
        self._wake_ns[node.index] = due_ns
        self.queue.after(due_ns - now_ns, partial(self._wake, node, due_ns))

    def _wake(self, node: ClusterNode, due_ns: int) -> None:
        if self._wake_ns[node.index] != due_ns:
            return
        now_ns = self.queue.now_ns
        if node.busy_until_ns > now_ns:
            self.queue.after(node.busy_until_ns - now_ns, partial(self._wake, node, due_ns))
            return
        self._wake_ns[node.index] = None
        if now_ns - due_ns > STALL_NS:
            self._take(node, ev.LoopStalled(due_ns))
        self._take(node, ev.TimerDue())

    def _measure(self) -> None:
        self.queue.after(MEMORY_NS, self._measure)
        self._over = self._finished()
        for node in self.honest:
            if node.up:
                self._check(self.watch.memory(node))

    def _restart(self, node: ClusterNode) -> None:
        """Power was cut at an operation, or is now, between two."""
        if node.up:
            node.black_out()
        self.network.forget(node.index)
        self._start(node)

    def _start(self, node: ClusterNode) -> None:
        if node.up:
            return
        if node.refused is not None:
            self.trace.note("node", node.index, "is repaired:", node.repair())
        self.trace.note("node", node.index, "starts")
        node.start()
        if node.up:
            members = connectable(node.core.gathering.membership)
            self.network.allow(node.index, frozenset(key for key, _ in members))
        self._wake_ns[node.index] = None
        if node.up and node.index in self.cheaters:
            self.cheaters[node.index].prepare(node)
        elif node.up:
            self._check(self.watch.after_start(node))
        node.read_meter()
        self._after_turn(node)

    def _meter(self, node: ClusterNode, interval: int) -> None:
        node.deliver_meter(interval)
        self._after_turn(node)

    def _check(self, violation: str | None) -> None:
        if violation is not None:
            self.fail(violation)

    # Its end.

    def _is_silent(self, node: ClusterNode) -> bool:
        """Whether a disk that forgot has silenced a node for good, as the software says."""
        return node.read_only is not None or (node.index in self.watch.forgetful and not node.active)

    def _finished(self) -> bool:
        return self.queue.now_ns >= self.plan.healed_ns and all(
            node.up and node.core.ordering.finished for node in self.honest
        )

    def _final_faults(self) -> Iterator[str]:
        positions = self.positions
        seen = [
            Seen(
                f"node {node.index}",
                node.keys.member,
                node.store,
                positions[node.index],
                rotten=node.index in self.plan.rotten_ledgers,
            )
            for node in self.honest
        ]
        for node in self.nodes:
            excused = node.index in self.plan.unreliable or node.index in self.cheaters or node.left_behind
            if node.read_only is not None and not excused:
                yield f"node {node.index} only reads without a reason: {node.read_only}"
        silent = (node.keys.member for node in self.nodes if self._is_silent(node))
        expected = Expected(
            calm=range(self.calm_from, self.last_interval + 1),
            exposed=self._members_that(*FORKS),
            suspects=self._members_that(*PROVABLE),
            latecomers=self._members_that(Cheat.LOOKS_LAST),
            cheats=self._members_that(*Cheat).union(silent),
        )
        yield from final_faults(self.genesis, seen, expected)

    def _members_that(self, *cheats: Cheat) -> frozenset[bytes]:
        return frozenset(self.keys[index].member for index, cheat in self.plan.cheats if cheat in cheats)

    def _outcome(self) -> Outcome:
        tips = [node.core.ordering.tip for node in self.nodes if node.up]
        members = max(tips, key=lambda tip: tip.height).membership.members if tips else ()
        return Outcome(
            seed=self.seed,
            size=len(self.nodes),
            violation=self.violation,
            blocks=tuple(self.watch.decided[height] for height in sorted(self.watch.decided)),
            events=self.queue.events,
            digest=self.queue.digest,
            cell_s=self.queue.now_ns * self.pace.speed / S,
            traded=sum(abs(energy) for energy in self.watch.positions.values()),
            frozen=sum(member.frozen_at is not None for member in members),
            trace=() if self.violation is None else self.trace.lines(),
        )
