"""The faults of one simulated cell, all drawn from its seed: network, power, disks, clocks, and members that cheat.

Until ``healed_ns`` anything may happen; afterwards the network is fast and lossless, power stays on, clocks are right
and disks are repaired, but cheats go on cheating. Times are virtual real time (ns).
"""

from dataclasses import dataclass
from enum import Enum
from random import Random

MS = 1_000_000
S = 1_000 * MS
DAY_CELL_NS = 86_400 * S
PPM = 1_000_000


class Cheat(Enum):
    """What a Byzantine member does, besides following the protocol in all else."""

    FORKS_FEED = "shows different entries at one place of its feed to different members"
    CENSORS = "leaves one member's orders out of its proposals"
    LOOKS_LAST = "puts orders that came after the gate into its proposals"
    LIES_TO_SYNC = "answers requests with garbage, and claims to be high"
    ANSWERS_OF_OLD = "answers requests with what it answered before"
    FORKS_VOTES = "signs two different votes for one step"
    EQUIVOCATES = "proposes different blocks to different members in one round"
    FORGETS_LOCKS = "votes as if it had never locked"
    PROPOSES_OUT_OF_TURN = "proposes in rounds of others"
    WITHHOLDS_BLOCKS = "proposes blocks that it shows to nobody"
    CLEARS_WRONGLY = "proposes blocks whose clearing or state is not what follows from their orders"
    FORGES = "says things in the names of others, under forged and low-order signatures"
    REPLAYS = "repeats old messages, and its own as if they were of another cell or another type"
    ACCUSES_FALSELY = "puts evidence into its blocks that proves nothing"
    STREAMS_ENDLESSLY = "always has more entries to send, the same ones again"
    LIES_ABOUT_ITS_METER = "reports twice what its meter counted"


FORKS = (Cheat.FORKS_FEED, Cheat.FORKS_VOTES)
"""Cheats that must be found out."""
PROVABLE = (*FORKS, Cheat.EQUIVOCATES, Cheat.PROPOSES_OUT_OF_TURN)
"""Cheats that sign two things for one place; of all others nothing can be proven, and nobody may freeze them."""


class DiskFault(Enum):
    """What happens to one node's disk. Power fails soon after it, so that the node has to read its disk again."""

    FULL = "the disk is full"
    FAILS = "the disk answers with input/output errors"
    SLOW = "every operation of the disk takes long"
    LOG_ROTS = "a bit of the write-ahead log flips"
    GUARD_ROTS = "a bit of the sign guard flips"
    LEDGER_ROTS = "a bit of the ledger flips"
    GUARD_LOST = "the sign guard is gone"
    WRITE_LOST = "a write is reported as done and is not"
    WRITE_MISDIRECTED = "a write lands elsewhere"
    FLUSH_LIES = "flushes are reported as done and are not"

    @property
    def may_silence(self) -> bool:
        """Whether the node may never vote again: then it counts among the f that a cell tolerates."""
        return self not in (DiskFault.FULL, DiskFault.FAILS, DiskFault.SLOW)


@dataclass(frozen=True, slots=True)
class Separation:
    """For a while, members hear only those of their own group; ``one_way``: a higher group still hears a lower one.

    With ``flaps_ns`` it comes and goes with half that period.
    """

    from_ns: int
    until_ns: int
    groups: tuple[int, ...]
    one_way: bool = False
    flaps_ns: int = 0

    def parts(self, sender: int, receiver: int, now_ns: int) -> bool:
        """Whether nothing passes from the one to the other now."""
        if not self.from_ns <= now_ns < self.until_ns or self.groups[sender] == self.groups[receiver]:
            return False
        if self.flaps_ns and (now_ns - self.from_ns) // self.flaps_ns % 2:
            return False
        return not self.one_way or self.groups[sender] > self.groups[receiver]


@dataclass(frozen=True, slots=True)
class Clog:
    """For a while, what one node sends or should receive is held back; then all of it comes at once."""

    from_ns: int
    until_ns: int
    node: int


@dataclass(frozen=True, slots=True)
class ClockFault:
    """For a while one node's wall clock is wrong: by a jump (cell ns), by a drift, or because it stands still."""

    from_ns: int
    until_ns: int
    node: int
    jump_ns: int = 0
    drift_ppm: int = 0
    frozen: bool = False

    def offset_ns(self, now_ns: int, speed: int) -> int:
        """What the clock shows too much (cell ns)."""
        if not self.from_ns <= now_ns < self.until_ns:
            return 0
        passed_ns = (now_ns - self.from_ns) * speed
        return self.jump_ns + passed_ns * self.drift_ppm // PPM - (passed_ns if self.frozen else 0)


@dataclass(frozen=True, slots=True)
class Outage:
    """One node loses power some operations of its disk after `at_ns`, for `down_ns`."""

    at_ns: int
    node: int
    down_ns: int
    operations: int


@dataclass(frozen=True, slots=True)
class Damage:
    """A fault of one node's disk; power fails some operations after it."""

    at_ns: int
    node: int
    fault: DiskFault
    down_ns: int
    operations: int


class GuardKept(Enum):
    """What becomes of the sign guard when an old backup is put back."""

    OLD = "it comes from the backup"
    NEW = "it stays"
    NONE = "it is gone"


@dataclass(frozen=True, slots=True)
class OldBackup:
    """One node's disk is copied at one time, and put back later as if nothing had happened since."""

    made_ns: int
    restored_ns: int
    node: int
    guard: GuardKept = GuardKept.OLD


@dataclass(frozen=True, slots=True)
class ClusterPlan:
    """How bad a cell's first minutes are. Probabilities per message; delays in ns. `slow` is (node, extra delay)."""

    healed_ns: int
    loss: float
    repetition: float
    delay_ns: int
    separations: tuple[Separation, ...] = ()
    outages: tuple[Outage, ...] = ()
    cheats: tuple[tuple[int, Cheat], ...] = ()
    backups: tuple[OldBackup, ...] = ()
    clogs: tuple[Clog, ...] = ()
    clocks: tuple[ClockFault, ...] = ()
    damages: tuple[Damage, ...] = ()
    slow: tuple[tuple[int, int], ...] = ()

    def arrivals(self, random: Random, sender: int, receiver: int, now_ns: int) -> list[int]:
        """The delays after which a message arrives: none if it is lost, two if it is repeated."""
        if now_ns >= self.healed_ns:
            return [random.randint(MS, 20 * MS)]
        copies = (random.random() >= self.loss) + (random.random() < self.repetition)
        extra_ns = sum(extra for node, extra in self.slow if node in (sender, receiver))
        for clog in self.clogs:
            if clog.node in (sender, receiver) and clog.from_ns <= now_ns < clog.until_ns:
                extra_ns += clog.until_ns - now_ns
        return [extra_ns + random.randint(MS // 10, self.delay_ns) for _ in range(copies)]

    def parts(self, sender: int, receiver: int, now_ns: int) -> bool:
        """Whether nothing passes from the one to the other now."""
        return now_ns < self.healed_ns and any(
            separation.parts(sender, receiver, now_ns) for separation in self.separations
        )

    def clock_offset_ns(self, node: int, now_ns: int, speed: int) -> int:
        """What a node's clock shows too much (cell ns)."""
        if now_ns >= self.healed_ns:
            return 0
        return sum(fault.offset_ns(now_ns, speed) for fault in self.clocks if fault.node == node)

    @property
    def rotten_ledgers(self) -> frozenset[int]:
        """The nodes in whose ledger a bit flips."""
        return frozenset(each.node for each in self.damages if each.fault is DiskFault.LEDGER_ROTS)

    @property
    def unreliable(self) -> frozenset[int]:
        """The nodes whose disk may have forgotten what they signed, so that they may be silent for good."""
        damaged = {damage.node for damage in self.damages if damage.fault.may_silence}
        return frozenset(damaged | {backup.node for backup in self.backups})
