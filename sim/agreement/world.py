"""Shell: seeded worlds of validators in virtual time; one seed decides everything and replays exactly.

After every event the world is checked: no two blocks decided at one height, only valid ones, certificates that
hold, no honest key under two different words for one step (across restarts), nobody exposed but liars. After
the world has healed, every honest node must decide the last height within ``LIVENESS_NS``.

``python -m sim.agreement.world FIRST COUNT`` searches seeds and stops at the first that fails.
"""

import heapq
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from hashlib import sha256
from random import Random

from nacl.signing import SigningKey

from ledger.agreement_events import Message
from ledger.errors import InvalidCertificate
from ledger.validators import ValidatorSet
from ledger.votes import Certificate, SignedProposal, SignedVote, Step, open_proposal, open_vote
from sim.agreement.faults import FaultPlan, Liar, Partition
from sim.agreement.node import CELL_ID, MS, Packet, SimulatedBlock, SimulatedValidator

LIVENESS_NS = 60_000 * MS
"""Virtual time from the healing to the last decision: room for the rounds that grew long before."""

ISOLATION_NS = 2_000 * MS
"""How long the first to decide a height is cut off in worlds that do that."""

_KEYS = tuple(SigningKey(sha256(b"simulated validator %d" % index).digest()) for index in range(8))


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a world: the first violation (None is good), what was decided, and the hash of its trace."""

    seed: int
    violation: str | None
    decided: tuple[bytes, ...]
    trace: str
    events: int


def run_seed(seed: int, *, size: int | None = None) -> Outcome:
    """Run the world of this seed to its end; ``size`` fixes the number of validators, else the seed draws it."""
    return AgreementWorld(seed, size).run()


class AgreementWorld:
    """One world: validators, liars, a network, a clock and the checkers."""

    def __init__(self, seed: int, size: int | None = None) -> None:
        self.seed = seed
        self.random = Random(seed)
        drawn = self.random.choice((1, 2, 3, 4, 4, 4, 4, 5, 6, 7, 8))
        size = drawn if size is None else size
        self.validators = ValidatorSet(tuple(key.verify_key.encode() for key in _KEYS[:size]))
        self.last_height = self.random.randint(1, 3)
        self.plan = FaultPlan.draw(self.random, size)
        self.honest = {
            index: SimulatedValidator(index, _KEYS[index], self)
            for index in range(size)
            if index not in self.plan.liars
        }
        self._partitions = list(self.plan.partitions)
        self._liars = {
            index: Liar(index, _KEYS[index], self, self.random) for index in sorted(self.plan.liars)
        }
        self._now_ns = 0
        self._queue: list[tuple[int, int, bytes, Callable[[], None]]] = []
        self._scheduled = 0
        self._opened: dict[bytes, Message] = {}
        self._trace = sha256()
        self._violation: str | None = None
        self._decided: dict[int, bytes] = {}
        self._signed: dict[tuple[int, int, int, Step], bytes] = {}

    def run(self) -> Outcome:
        """Let time pass until all is decided, something is violated, or time is up."""
        for node in self.honest.values():
            self.call_after(self.random.randint(0, 200 * MS), partial(self._start, node), b"start")
        for at_ns, index, down_ns, operations in self.plan.crashes:
            if index in self.honest:
                crash = partial(self._cut_power, self.honest[index], down_ns, operations)
                self.call_after(at_ns, crash, b"cut power")
        events = 0
        while self._queue and self._violation is None and not self._finished():
            self._now_ns, _, label, action = heapq.heappop(self._queue)
            if self._now_ns > self.plan.healed_ns + LIVENESS_NS:
                heights = [len(node.chain) for node in self.honest.values()]
                self.fail(f"not live: of {self.last_height} heights the honest decided {heights}")
                break
            events += 1
            self._trace.update(self._now_ns.to_bytes(8, "big") + label)
            action()
        decided = tuple(self._decided[height] for height in sorted(self._decided))
        return Outcome(self.seed, self._violation, decided, self._trace.hexdigest(), events)

    # What the world offers to those who live in it.

    def now_ns(self) -> int:
        """Virtual time."""
        return self._now_ns

    def call_after(self, delay_ns: int, action: Callable[[], None], label: bytes) -> None:
        """Run an action later."""
        self._scheduled += 1
        heapq.heappush(self._queue, (self._now_ns + max(0, delay_ns), self._scheduled, label, action))

    def send(self, sender: int, receiver: int, packet: Packet) -> None:
        """Hand a packet to the network."""
        label = bytes((sender, receiver)) + packet.topic.encode() + packet.data
        for delay_ns in self.plan.arrivals(self.random, sender, receiver, self._now_ns):
            self.call_after(delay_ns, partial(self._deliver, sender, receiver, packet), label)

    def open(self, packet: Packet) -> Message:
        """Verify a message once for all nodes: they would all find the same."""
        message = self._opened.get(packet.data)
        if message is None:
            message = self._opened[packet.data] = self._open_anew(packet)
        return message

    def new_block(self, proposer: int, height: int, previous: bytes) -> SimulatedBlock:
        """An honest proposer's block; while the world is ill, some nodes may find it late."""
        doubtful = self._now_ns < self.plan.healed_ns and self.random.random() < 0.1
        return SimulatedBlock(height, previous, proposer, self.random.getrandbits(32), True, doubtful)

    def think_ns(self) -> int:
        """How long judging or building a block takes."""
        return self.random.choice((0, 0, MS, 30 * MS))

    # What is checked.

    def note_signed(self, index: int, message: SignedVote | SignedProposal) -> None:
        """No honest validator ever signs two different things for one step."""
        content = message.content
        place = (index, content.height, content.round, content.step)
        if self._signed.setdefault(place, message.body) != message.body:
            self.fail(f"node {index} signed twice at {place[1:]}")

    def note_decided(self, index: int, block: SimulatedBlock, certificate: Certificate) -> None:
        """Agreement, validity, and a certificate that convinces others."""
        if self.plan.isolates_deciders and block.height not in self._decided:
            self._isolate(index)
        if self._decided.setdefault(block.height, block.id) != block.id:
            self.fail(f"node {index} decided another block at height {block.height}")
        if not block.sound:
            self.fail(f"node {index} decided an invalid block at height {block.height}")
        try:
            self.open(Packet("certificate", certificate.encode()))
        except InvalidCertificate as fault:
            self.fail(f"node {index} decided without a quorum: {fault}")

    def note_evidence(self, offender: int) -> None:
        """Evidence never names an honest validator."""
        if offender not in self.plan.liars:
            self.fail(f"there is evidence against the honest node {offender}")

    def fail(self, violation: str) -> None:
        """Keep the first violation; the run ends with it."""
        self._violation = self._violation or f"{violation} (at {self._now_ns / MS:.1f} ms)"

    def _isolate(self, index: int) -> None:
        """Cut a node off, and let the lights go out for some of the others."""
        groups = tuple(int(other == index) for other in range(self.validators.size))
        self._partitions.append(Partition(self._now_ns, self._now_ns + ISOLATION_NS, groups))
        for other, node in self.honest.items():
            if other != index and self._now_ns < self.plan.healed_ns and self.random.random() < 0.4:
                down_ns, operations = self.random.randint(1, 300) * MS, self.random.randint(1, 32)
                self.call_after(0, partial(self._cut_power, node, down_ns, operations), b"cut power")

    def _finished(self) -> bool:
        return self._now_ns >= self.plan.healed_ns and all(
            len(node.chain) == self.last_height for node in self.honest.values()
        )

    def _open_anew(self, packet: Packet) -> Message:
        if packet.topic == "vote":
            return open_vote(packet.data, CELL_ID, self.validators)
        if packet.topic == "proposal":
            return open_proposal(packet.data, CELL_ID, self.validators)
        certificate = Certificate.decode(packet.data)
        certificate.check(CELL_ID, self.validators)
        return certificate

    def _deliver(self, sender: int, receiver: int, packet: Packet) -> None:
        parted = (partition.separates(sender, receiver, self._now_ns) for partition in self._partitions)
        if self._now_ns < self.plan.healed_ns and any(parted):
            return
        if receiver in self._liars:
            self._liars[receiver].receive(sender, packet, self._tip_before)
            return
        node = self.honest[receiver]
        node.attempt(lambda: node.receive(sender, packet))

    def _tip_before(self, height: int) -> bytes:
        return self._decided.get(height - 1, CELL_ID)

    def _start(self, node: SimulatedValidator) -> None:
        if not node.up:
            node.power.restore()
            node.start()

    def _cut_power(self, node: SimulatedValidator, down_ns: int, operations: int) -> None:
        if node.up:
            node.power.fail_after(operations)
            self.call_after(down_ns, partial(self._restart, node), b"restart")

    def _restart(self, node: SimulatedValidator) -> None:
        """Power was cut at an operation, or is now, between two."""
        if node.up:
            node.black_out()
        self._start(node)


def search(first: int, count: int, *, size: int | None = None) -> Outcome | None:
    """The first failing world among ``count`` seeds from ``first``, or None."""
    outcomes = (run_seed(seed, size=size) for seed in range(first, first + count))
    return next((outcome for outcome in outcomes if outcome.violation), None)


def main(first: int, count: int) -> int:
    """Search seeds and say what was found; the exit status."""
    found = search(first, count)
    if found is None:
        sys.stdout.write(f"{count} worlds from seed {first}: nothing violated\n")
        return 0
    sys.stderr.write(f"seed {found.seed}: {found.violation}\n")
    return 1


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]), int(sys.argv[2])))
