"""Shell: every point of a short run at which a node can lose power, tried one by one.

Four whole daemons (`sim.cells.cluster`) agree on three heights with nothing else wrong. Each operation on one node's
disk is a place to cut its power: before a flush or replacement, after a write, before and after a commit. What was
written and not flushed is then lost, kept, torn at a sector, or kept but for the first write. The node starts again a
second later. Checked: its disk holds all that it had told anybody (entries, votes, heights, acknowledged meter
records), no honest node signs two things for one place, all end with the same blocks, money and positions agree, no
node refuses to start or to sign, and the run ends.

``python -m sim.cells.crash_points [EVERY [NODES]]`` tries every EVERY-th operation of the first NODES nodes (default:
all).
"""

import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from enum import Enum
from functools import partial
from random import Random

from ledger.agreement.records import encode_record
from ledger.files.sign_guard import SignGuard
from ledger.files.write_ahead_log import WriteAheadLog
from ledger.limits import PROPOSAL_BYTES, VOTE_BYTES
from ledger.records.entries import open_entry
from ledger.records.votes import Proposal, Vote, decode_proposal, decode_vote
from ledger.signing import unseal
from market.payloads import Kind
from node.constants import ENTRIES
from node.wire import ProposalFrame, StatusFrame, VoteFrame, decode_frame
from sim.cells.cluster import Cluster
from sim.cells.disk import NodeDisk
from sim.cells.faults import MS, ClusterPlan, S
from sim.cells.keys import FIRST_INTERVAL
from sim.cells.node import ClusterNode
from sim.simulated_disk import Power, PowerLost, SimulatedFile

NODES = 4
HEIGHTS = 3
SEED = 3
DOWN_NS = 1 * S
"""How long the node is without power: a third of an interval, so that the others go on meanwhile."""


class Fate(Enum):
    """What becomes of writes that were not flushed."""

    LOST = "lost"
    KEPT = "kept"
    TORN = "torn at a sector"
    REORDERED = "kept but for the first"


@dataclass(frozen=True, slots=True)
class CrashPoint:
    """The power of a node fails at its so-manieth operation, from 1."""

    node: int
    operation: int
    fate: Fate

    def __str__(self) -> str:
        return f"node {self.node}, operation {self.operation}, unflushed writes {self.fate.value}"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a run came to: operations per node, how many writes were unflushed at the cut, and the first violation."""

    operations: tuple[int, ...]
    unflushed: int
    violation: str | None


@dataclass(slots=True)
class Told:
    """What one node has said to others: ids of entries by sequence, frames in order, and intervals it has metered."""

    entries: dict[int, bytes] = field(default_factory=dict)
    frames: dict[bytes, None] = field(default_factory=dict)
    metered: list[int] = field(default_factory=list)


class MeteredPower(Power):
    """Counts operations, and fails once, at one of them."""

    def __init__(self, cut_at: int | None, when_cut: Callable[[], None]) -> None:
        super().__init__()
        self.used = 0
        self._cut_at = cut_at
        self._when_cut = when_cut

    def use(self) -> None:
        """Begin one operation; raises PowerLost when it is the one."""
        super().use()
        self.used += 1
        if self.used == self._cut_at:
            self._when_cut()
            raise PowerLost


class Destiny(Random):
    """Stands in for the chance by which `SimulatedFile.lose_power` decides: one fate for all writes.

    Of torn writes every other sector survives, the first of all first.
    """

    _KEEP, _TEAR, _LOSE = range(3)

    def __init__(self, fate: Fate) -> None:
        super().__init__(0)
        self.writes = 0
        self._fate = fate
        self._sectors = 0

    def random(self) -> float:
        """Whether the next sector of a torn write survives (below a half)."""
        self._sectors += 1
        return float(self._sectors % 2 == 0)

    def randrange(self, start: int, stop: int | None = None, step: int = 1) -> int:
        """The fate of the next write (of three)."""
        if start != 3:
            return start // 2
        self.writes += 1
        match self._fate:
            case Fate.LOST:
                return self._LOSE
            case Fate.TORN:
                return self._TEAR
            case Fate.REORDERED if self.writes == 1:
                return self._LOSE
        return self._KEEP


class CrashRun(Cluster):
    """The short run, with a cut or (None) without one."""

    def __init__(self, point: CrashPoint | None) -> None:
        super().__init__(SEED, NODES, 1, ClusterPlan(healed_ns=0, loss=0.0, repetition=0.0, delay_ns=20 * MS))
        self.last_interval = FIRST_INTERVAL + HEIGHTS - 3
        self.calm_from = self.last_interval + 1
        cuts = [point.operation if point and point.node == index else None for index in range(NODES)]
        self._powers = [MeteredPower(cut, partial(self._cut, index)) for index, cut in enumerate(cuts)]
        self._destiny = Destiny(point.fate if point else Fate.LOST)
        for node, power in zip(self.nodes, self._powers, strict=True):
            node.disk = NodeDisk(self.genesis, self._destiny, power)
            node.last_trading_interval = self.last_interval
        self._validators = sorted(self.keys, key=lambda keys: keys.member)
        self._told = [Told() for _ in self.nodes]

    def finish(self) -> Outcome:
        """Run to the end."""
        violation = self.run().violation
        return Outcome(tuple(power.used for power in self._powers), self._destiny.writes, violation)

    def gossip(self, sender: int, topic: str, data: bytes) -> None:
        """Every member gets it."""
        if topic == ENTRIES:
            signed = open_entry(data, self.genesis.cell_id)
            if self._told[sender].entries.setdefault(signed.entry.sequence, signed.id) != signed.id:
                self.fail(f"node {sender} signed two entries {signed.entry.sequence}")
        super().gossip(sender, topic, data)

    def send(self, sender: int, peer: bytes, frame: bytes) -> None:
        """One neighbour gets it."""
        self._told[sender].frames[frame] = None
        super().send(sender, peer, frame)

    def broadcast(self, sender: int, frame: bytes) -> None:
        """Every neighbour gets it."""
        self._told[sender].frames[frame] = None
        super().broadcast(sender, frame)

    def _cut(self, index: int) -> None:
        self.after(DOWN_NS, partial(self._restart, self.nodes[index]))

    def _meter(self, node: ClusterNode, interval: int) -> None:
        self._told[node.index].metered.append(interval)
        super()._meter(node, interval)

    def _finished(self) -> bool:
        """A node that was down late still reports what its meter counted meanwhile."""
        return super()._finished() and not any(node.unread for node in self.nodes)

    def _restart(self, node: ClusterNode) -> None:
        """The disk is looked at before the daemon does, and then the daemon must start."""
        for loss in self._losses(node):
            self.fail(f"node {node.index} lost {loss}")
        super()._restart(node)

    def _losses(self, node: ClusterNode) -> Iterator[str]:
        """What the node has told others and no longer knows."""
        told, disk, store = self._told[node.index], node.disk.back_up(), node.store
        guard = SignGuard(SimulatedFile(Power(), disk.guard or b"")).last
        log = WriteAheadLog(SimulatedFile(Power(), disk.log)).records
        for sequence, entry_id in told.entries.items():
            if store.entry_id(node.keys.member, 0, sequence) != entry_id:
                yield f"entry {sequence}"
            if guard.feed_sequence < sequence:
                yield f"entry {sequence} from its guard"
        for frame in told.frames:
            match decode_frame(frame):
                case VoteFrame(envelope):
                    cast: Vote | Proposal = decode_vote(unseal(envelope, VOTE_BYTES)[0])
                case ProposalFrame(envelope, _):
                    cast = decode_proposal(unseal(envelope, PROPOSAL_BYTES)[0])
                case StatusFrame(height) if height > store.height():
                    yield f"block {height}"
                    continue
                case _:
                    continue
            if self._validators[cast.validator] is not node.keys:
                continue
            if guard.place < (cast.height, cast.round, cast.step):
                yield f"its {cast.step.name} of height {cast.height} from its guard"
            if cast.height > store.height() and encode_record(cast) not in log:
                yield f"its {cast.step.name} of height {cast.height} from its log"
        acknowledged = set(told.metered) - {record.interval for record in node.unread}
        last = store.last_sequence(node.keys.member, 0)
        own = [signed.entry for signed in store.entries(node.keys.member, 0, -1, last)]
        for interval in acknowledged - {entry.interval for entry in own if entry.kind == Kind.READING}:
            yield f"the acknowledged reading of interval {interval}"


def run_point(point: CrashPoint | None) -> Outcome:
    """The run with its power cut at a point, or without a cut."""
    try:
        return CrashRun(point).finish()
    except Exception as fault:
        fault.add_note(str(point))
        raise


def crash_points(node: int, every: int = 1, begin: int = 1) -> Iterator[tuple[CrashPoint, Outcome]]:
    """Every so-manieth operation of a node from one on, with each fate that makes a difference there, tried."""
    for operation in range(begin, run_point(None).operations[node] + 1, every):
        first = CrashPoint(node, operation, Fate.LOST)
        outcome = run_point(first)
        yield first, outcome
        fates = (Fate.KEPT, Fate.TORN, Fate.REORDERED)[
            : (0, 2)[outcome.unflushed > 0] + (outcome.unflushed > 1)
        ]
        for fate in fates:
            point = CrashPoint(node, operation, fate)
            yield point, run_point(point)


def main(every: int = 1, nodes: int = NODES) -> int:
    """Try the points and say what was lost; the exit status."""
    began = time.perf_counter()
    whole = run_point(None)
    if whole.violation is not None:
        sys.stderr.write(f"without any cut: {whole.violation}\n")
        return 1
    total = 0
    for node in range(nodes):
        tried = 0
        for point, outcome in crash_points(node, every):
            tried += 1
            if outcome.violation is not None:
                sys.stderr.write(f"{point}: {outcome.violation}\n")
                return 1
        total += tried
        sys.stdout.write(f"node {node}: {whole.operations[node]} operations, {tried} crash points\n")
    took_s = time.perf_counter() - began
    sys.stdout.write(f"{total} crash points of {HEIGHTS} heights: nothing lost ({took_s:.0f} s)\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(*map(int, sys.argv[1:])))
