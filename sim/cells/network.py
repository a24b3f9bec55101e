"""Shell: the network of a simulated cell: gossip, frames to neighbours, requests, and who can be reached."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from random import Random

from node import events as ev
from sim.cells.cheats import Cheater
from sim.cells.faults import MS, ClusterPlan, S
from sim.cells.keys import Keys
from sim.cells.node import ClusterNode
from sim.cells.timeline import EventQueue

NOTICE_NS = 500 * MS
"""How often the network looks which peers are reachable: then daemons hear of it."""
REQUEST_TIMEOUT_NS = 5 * S

Take = Callable[[ClusterNode, ev.Input], None]


class Network:
    """Carries what nodes send, as badly as the plan says and as falsely as cheaters make it.

    `take` delivers an input to a node, `now` reads a node's clocks.
    """

    def __init__(
        self,
        queue: EventQueue,
        random: Random,
        plan: ClusterPlan,
        keys: Sequence[Keys],
        nodes: Sequence[ClusterNode],
        cheaters: Mapping[int, Cheater],
        take: Take,
        now: Callable[[int], ev.Now],
    ) -> None:
        self._queue, self._random, self._plan = queue, random, plan
        self._nodes, self._cheaters = nodes, cheaters
        self._take, self._now = take, now
        self._public = [each.public for each in keys]
        self._index_of = {public: index for index, public in enumerate(self._public)}
        self._links: set[tuple[int, int]] = set()
        self._allowed: dict[int, frozenset[bytes]] = {}

    def gossip(self, sender: int, topic: str, data: bytes) -> None:
        """Every member gets it, but for what is lost."""
        author, cheater = self._public[sender], self._cheaters.get(sender)
        message = ev.GossipReceived(topic, author, data)
        for receiver in range(len(self._nodes)):
            if cheater is None:
                self._send(sender, receiver, message)
                continue
            for shown, later_ns in cheater.gossiped(receiver, topic, data):
                lie = ev.GossipReceived(topic, author, shown)
                self._queue.after(later_ns, partial(self._send, sender, receiver, lie))

    def send(self, sender: int, peer: bytes, frame: bytes) -> None:
        """One neighbour gets it, unless it is lost."""
        receiver, cheater = self._index_of[peer], self._cheaters.get(sender)
        if (sender, receiver) in self._links:
            for shown in [frame] if cheater is None else cheater.framed(receiver, frame):
                self._send(sender, receiver, ev.FrameReceived(self._public[sender], shown))

    def broadcast(self, sender: int, frame: bytes) -> None:
        """Every neighbour gets it, but for what is lost."""
        for public in self._public:
            self.send(sender, public, frame)

    def request(self, sender: int, peer: bytes, tag: str, data: bytes) -> None:
        """Ask; a failure is known after a timeout."""
        receiver = self._index_of[peer]
        delays = self._delays(sender, receiver)[:1]
        if not delays or self._parted(sender, receiver):
            self._queue.after(REQUEST_TIMEOUT_NS, partial(self._reply, sender, peer, tag, None))
            return
        self._queue.after(delays[0], partial(self._asked, sender, receiver, tag, data))

    def notice(self) -> None:
        """Daemons hear who can be reached and who no longer is, each at its own time."""
        self._queue.after(NOTICE_NS, self.notice)
        for left, node in enumerate(self._nodes):
            if not node.up:
                continue
            for right in range(len(self._nodes)):
                reachable = self._nodes[right].up and not self._parted(right, left)
                linked = (left, right) in self._links
                if left == right or reachable == linked or self._random.random() < 0.3:
                    continue
                if reachable:
                    self._links.add((left, right))
                    self._take(node, ev.PeerConnected(self._public[right]))
                else:
                    self._links.discard((left, right))
                    self._take(node, ev.PeerLost(self._public[right]))

    def allow(self, node: int, members: frozenset[bytes]) -> None:
        """Only members with these feed keys may connect to a node."""
        self._allowed[node] = members

    def allowed(self, node: int) -> frozenset[bytes]:
        """The feed keys of those who may connect to a node."""
        return self._allowed.get(node, frozenset())

    def rename(self, node: int, public: bytes) -> None:
        """A node is known by another key from now on."""
        self._public[node] = public
        self._index_of[public] = node

    def forget(self, node: int) -> None:
        """A node starts anew: it has no neighbours yet."""
        self._links = {link for link in self._links if link[0] != node}

    def _send(self, sender: int, receiver: int, message: ev.Input) -> None:
        if sender == receiver or self._parted(sender, receiver):
            return
        for delay_ns in self._delays(sender, receiver):
            self._queue.after(delay_ns, partial(self._arrive, sender, receiver, message))

    def _arrive(self, sender: int, receiver: int, message: ev.Input) -> None:
        if not self._parted(sender, receiver):
            self._take(self._nodes[receiver], message)

    def _asked(self, sender: int, receiver: int, tag: str, data: bytes) -> None:
        reply = self._nodes[receiver].answer(data)
        if receiver in self._cheaters:
            reply = self._cheaters[receiver].replied(reply, self._now(receiver))
        delays = self._delays(receiver, sender)[:1]
        lost = not delays or self._parted(receiver, sender)
        delay_ns = REQUEST_TIMEOUT_NS if lost else delays[0]
        answered = None if lost else reply
        self._queue.after(delay_ns, partial(self._reply, sender, self._public[receiver], tag, answered))

    def _reply(self, asker: int, peer: bytes, tag: str, data: bytes | None) -> None:
        self._take(self._nodes[asker], ev.ReplyReceived(peer, tag, data))

    def _delays(self, sender: int, receiver: int) -> list[int]:
        lag_ns = self._nodes[sender].lag_ns
        delays = self._plan.arrivals(self._random, sender, receiver, self._queue.now_ns)
        return [lag_ns + delay_ns for delay_ns in delays] if lag_ns else delays

    def _parted(self, sender: int, receiver: int) -> bool:
        return self._plan.parts(sender, receiver, self._queue.now_ns) or not (
            self._public[receiver] in self.allowed(sender) and self._public[sender] in self.allowed(receiver)
        )
