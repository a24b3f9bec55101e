"""Shell: the faults of one simulated world, all drawn from its seed: the network, the power, and the liars.

Before ``healed_ns`` anything may happen; after it the network is fast and lossless and power stays on, but liars
go on lying.
"""

from collections.abc import Callable
from dataclasses import dataclass
from random import Random

from nacl.signing import SigningKey

from ledger.agreement_events import Message
from ledger.votes import (
    NO_ROUND,
    Certificate,
    Proposal,
    SignedProposal,
    SignedVote,
    Step,
    Vote,
    sign_proposal,
    sign_vote,
)
from sim.agreement.node import CELL_ID, MS, Packet, SimulatedBlock, Surroundings

AGAIN = 0.25
"""How often a liar repeats a lie when it is addressed again; below a half, or two liars would never stop."""


AMBUSHES = 0.4
"""The share of worlds that are made for one thing: two decisions at one height."""


@dataclass(frozen=True, slots=True)
class Partition:
    """For a while, nodes hear only those of their own group."""

    from_ns: int
    until_ns: int
    groups: tuple[int, ...]

    def separates(self, sender: int, receiver: int, now_ns: int) -> bool:
        """Whether nothing passes between the two now."""
        return self.from_ns <= now_ns < self.until_ns and self.groups[sender] != self.groups[receiver]


@dataclass(frozen=True, slots=True)
class FaultPlan:
    """How bad this world is until it heals. Probabilities per packet; delays in ns.

    A crash is (time, node, downtime, operations until power fails). ``isolates_deciders`` cuts off whoever is the
    first to decide a height, at that moment: nobody else may decide anything else meanwhile.
    """

    healed_ns: int
    liars: frozenset[int]
    loss: float
    repetition: float
    delay_ns: int
    partitions: tuple[Partition, ...]
    crashes: tuple[tuple[int, int, int, int], ...]
    isolates_deciders: bool

    @classmethod
    def draw(cls, random: Random, size: int) -> "FaultPlan":
        """The plan of a world of so many validators: most are ill all over, some only where locks matter."""
        if random.random() < AMBUSHES:
            return cls._draw_ambush(random, size)
        healed_ns = random.choice((1_000, 3_000, 6_000)) * MS
        tolerated = (size - 1) // 3
        liars = frozenset(random.sample(range(size), random.choice((0, tolerated, tolerated, tolerated))))
        crash_count = random.choice((0, size // 2, 2 * size))
        return cls(
            healed_ns=healed_ns,
            liars=liars,
            loss=random.choice((0.0, 0.05, 0.3)),
            repetition=random.choice((0.0, 0.1)),
            delay_ns=random.choice((5, 50, 400)) * MS,
            partitions=tuple(
                _draw_partition(random, size, healed_ns) for _ in range(random.choice((0, 3, 6)))
            ),
            crashes=tuple(_draw_crash(random, size, healed_ns) for _ in range(crash_count)),
            isolates_deciders=random.random() < 0.5,
        )

    @classmethod
    def _draw_ambush(cls, random: Random, size: int) -> "FaultPlan":
        """Little is lost, so that liars get through with what they plan; whoever decides first is alone for long."""
        return cls(
            healed_ns=6_000 * MS,
            liars=frozenset(random.sample(range(size), (size - 1) // 3)),
            loss=random.choice((0.0, 0.05)),
            repetition=0.0,
            delay_ns=random.choice((5, 50, 100)) * MS,
            partitions=(),
            crashes=(),
            isolates_deciders=True,
        )

    def arrivals(self, random: Random, sender: int, receiver: int, now_ns: int) -> list[int]:
        """The delays after which a packet arrives: none if it is lost, two if it is repeated."""
        if now_ns >= self.healed_ns:
            return [random.randint(MS, 20 * MS)]
        copies = (random.random() >= self.loss) + (random.random() < self.repetition)
        return [random.randint(MS // 10, self.delay_ns) for _ in range(copies)]


def _draw_partition(random: Random, size: int, healed_ns: int) -> Partition:
    from_ns = random.randrange(healed_ns)
    until_ns = min(healed_ns, from_ns + random.randint(200, 3_000) * MS)
    alone = random.choice((None, random.randrange(size)))
    groups = (random.randrange(2) if alone is None else int(index == alone) for index in range(size))
    return Partition(from_ns, until_ns, tuple(groups))


def _draw_crash(random: Random, size: int, healed_ns: int) -> tuple[int, int, int, int]:
    down_ns = random.randint(1, 1_500) * MS
    return random.randrange(healed_ns), random.randrange(size), down_ns, random.randint(1, 60)


class Liar:
    """A Byzantine validator: proposes different blocks to different nodes and votes for all of them at once.

    It answers what it hears, and each node always with the same words. ``echo`` liars tell each node what that node
    wants to hear, but precommit only to one victim unless the round is theirs: the victim decides alone, and then they
    lead the others elsewhere. The other liars vote at random.
    """

    def __init__(self, index: int, key: SigningKey, world: Surroundings, random: Random) -> None:
        self._index = index
        self._key = key
        self._world = world
        self._random = random
        self._echo = random.random() < 0.7
        self._named: dict[int, list[bytes]] = {}
        self._blocks: dict[bytes, SimulatedBlock] = {}
        self._proposed: set[tuple[int, int]] = set()
        self._told: dict[tuple[int, int, int, Step], SignedVote] = {}

    def receive(self, sender: int, packet: Packet, tip: Callable[[int], bytes]) -> None:
        """Hear an honest node and lie to it; ``tip`` gives the block id before a height."""
        if packet.topic == "want block" and packet.data in self._blocks:
            self._world.send(self._index, sender, Packet("block", self._blocks[packet.data].encode()))
        if packet.topic not in ("vote", "proposal"):
            return
        message: Message = self._world.open(packet)
        assert not isinstance(message, Certificate)
        content = message.content
        named = self._named.setdefault(content.height, [])
        if content.block_id is not None and content.block_id not in named:
            named.append(content.block_id)
        for round_ in (content.round, content.round + 1):
            if self._world.validators.proposer(content.height, round_) == self._index:
                self._propose(content.height, round_, tip(content.height))
        for step in (Step.PREVOTE, Step.PRECOMMIT):
            self._vote(sender, content, step)

    def _propose(self, height: int, round_: int, previous: bytes) -> None:
        if (height, round_) in self._proposed:
            return
        self._proposed.add((height, round_))
        blocks = [self._new_block(height, previous) for _ in range(2)]
        self._blocks.update((block.id, block) for block in blocks)
        favourite = blocks[0].id
        others = [blocks[1].id, *self._named.get(height, [])[-2:]]
        for receiver in range(self._world.validators.size):
            block_id = favourite if self._random.random() < 0.7 else self._random.choice(others)
            valid_round = self._random.choice((NO_ROUND, NO_ROUND, round_ - 1))
            proposal = Proposal(height, round_, valid_round, block_id, self._index)
            self._tell(receiver, sign_proposal(self._key, CELL_ID, proposal))

    def _new_block(self, height: int, previous: bytes) -> SimulatedBlock:
        nonce = self._random.getrandbits(32)
        sound, doubtful = self._random.random() < 0.8, self._random.random() < 0.3
        return SimulatedBlock(height, previous, self._index, nonce, sound, doubtful)

    def _vote(self, receiver: int, heard: Vote | Proposal, step: Step) -> None:
        place = (receiver, heard.height, heard.round, step)
        if self._random.random() < 0.2:
            return
        if place in self._told:
            if self._random.random() < AGAIN:
                self._tell(receiver, self._told[place])
            return
        block_id = heard.block_id
        victim = (heard.height + self._index + 1) % self._world.validators.size
        theirs = self._world.validators.proposer(heard.height, heard.round) == self._index
        if self._echo and step is Step.PRECOMMIT and not theirs and receiver != victim:
            block_id = None
        elif not self._echo or block_id is None:
            block_id = self._random.choice([None, *self._named[heard.height]])
        vote = Vote(heard.height, heard.round, step, block_id, NO_ROUND, self._index)
        self._told[place] = sign_vote(self._key, CELL_ID, vote)
        self._tell(receiver, self._told[place])

    def _tell(self, receiver: int, signed: SignedVote | SignedProposal) -> None:
        topic = "vote" if isinstance(signed, SignedVote) else "proposal"
        self._world.send(self._index, receiver, Packet(topic, signed.envelope))
