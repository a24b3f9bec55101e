"""Judges what was found out about a node: what is wrong, how bad it is, and what to do about it. No I/O.

`node/operation/examination.py` finds the facts out.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from typing import Final

GOOD_FREE_BYTES: Final = 1_000_000_000
"""A year of a small cell's ledger without retention is of this order (docs/operating.md)."""

LEAST_FREE_BYTES: Final = 100_000_000
"""Below this a day's log and ledger may not fit any more."""

SLOW_FLUSH_S: Final = 0.05
"""A vote waits for two flushes; at 50 ms each they take a tenth of a round's timeouts."""

NS_PER_S: Final = 1_000_000_000


class Level(Enum):
    """How bad a finding is."""

    GOOD = "good"
    WARNING = "warning"
    PROBLEM = "problem"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at: the check it belongs to, what was found, and what to do (nothing if good)."""

    check: str
    level: Level
    text: str
    remedy: str = ""


@dataclass(frozen=True, slots=True)
class ClockFacts:
    """The machine's wall clock: whether something keeps it (None: the kernel does not say) and how far off it may be,
    s; how far ahead of it the newest block's proposer was, s of cell time (None: no block, or another speed than 1).
    """

    kept: bool | None
    error_s: float | None
    margin_s: float
    block_ahead_s: float | None = None


@dataclass(frozen=True, slots=True)
class DiskFacts:
    """Where the data directory is: free bytes and files, how long a flush takes (None: it cannot; why)."""

    free_bytes: int
    free_files: int | None
    flush_s: float | None
    fault: str = ""


@dataclass(frozen=True, slots=True)
class PeerFacts:
    """One address of a member, and why it could not be reached ("" if it could)."""

    name: str
    address: str
    fault: str


@dataclass(frozen=True, slots=True)
class NetworkFacts:
    """Whether the daemon runs, its own addresses with what is wrong with each (None: unknown members), and peers."""

    running: bool
    listens: tuple[tuple[str, str], ...]
    peers: tuple[PeerFacts, ...]
    others: int
    """Members besides this one."""
    needed: int
    """How many of them make a quorum with this node."""


@dataclass(frozen=True, slots=True)
class KeyFacts:
    """What is wrong with each key file ("" if nothing), by name; whether guard and ledger are there, and what is wrong
    with this node's place in the cell, with the remedy.
    """

    files: tuple[tuple[str, str], ...]
    guard: bool
    ledger: bool
    membership: tuple[str, str] | None = None


@dataclass(frozen=True, slots=True)
class DeviceFacts:
    """How many devices are configured, whether a control process holds them, the last lines it said if it does not
    though the daemon runs, and what the running daemon answered at `/readyz` (None: it serves no metrics).
    """

    configured: int
    controlled: bool
    expected: bool
    last_words: str = ""
    reasons: tuple[str, ...] | None = None
    profile_fault: str = ""


def judge_clock(facts: ClockFacts) -> Iterator[Finding]:
    """Whether gates and proposals will be judged as others judge them."""
    remedy = "run chrony or systemd-timesyncd, and look again"
    if facts.kept is None:
        yield Finding(
            "clock", Level.WARNING, "the kernel does not say whether something keeps the clock", remedy
        )
    elif not facts.kept:
        yield Finding("clock", Level.PROBLEM, "nothing keeps this machine's clock", remedy)
    elif facts.error_s is not None and facts.error_s > facts.margin_s:
        text = f"the clock may be off by {facts.error_s:.3f} s, more than the gate margin of {facts.margin_s:.3f} s"
        yield Finding("clock", Level.WARNING, text, "give chrony nearer or more servers")
    else:
        known = "" if facts.error_s is None else f", within {facts.error_s:.3f} s"
        yield Finding("clock", Level.GOOD, f"the clock is kept{known}")
    if facts.block_ahead_s is not None and facts.block_ahead_s > facts.margin_s:
        text = f"the newest block is from {facts.block_ahead_s:.1f} s in the future"
        yield Finding(
            "clock", Level.PROBLEM, text, "this clock is behind the cell's, or another's is ahead: " + remedy
        )


def judge_disk(facts: DiskFacts) -> Iterator[Finding]:
    """Whether what is signed can be made durable, and how fast."""
    free = f"{facts.free_bytes / 1e9:.1f} GB are free"
    remedy = "free space, or set [retention] in the configuration"
    if facts.free_bytes < LEAST_FREE_BYTES or facts.free_files == 0:
        what = "no files can be made any more" if facts.free_files == 0 else free
        yield Finding("disk", Level.PROBLEM, what, remedy)
    elif facts.free_bytes < GOOD_FREE_BYTES:
        yield Finding("disk", Level.WARNING, free, remedy)
    else:
        yield Finding("disk", Level.GOOD, free)
    if facts.flush_s is None:
        remedy = "mend owner and mode, or remount the file system writable"
        yield Finding("disk", Level.PROBLEM, f"the data directory cannot be written: {facts.fault}", remedy)
    elif facts.flush_s > SLOW_FLUSH_S:
        text = f"a flush takes {1e3 * facts.flush_s:.0f} ms; each vote waits for two"
        yield Finding(
            "disk", Level.WARNING, text, "use another disk: memory cards and network disks are slow"
        )
    else:
        yield Finding("disk", Level.GOOD, f"a flush takes {1e3 * facts.flush_s:.1f} ms")


def judge_network(facts: NetworkFacts) -> Iterator[Finding]:
    """Whether others can come in and can be reached."""
    for address, fault in facts.listens:
        if fault:
            remedy = (
                "look into its log" if facts.running else "change network.listen, or end what has the port"
            )
            yield Finding("network", Level.PROBLEM, f"{address}: {fault}", remedy)
        else:
            found = "the daemon answers" if facts.running else "free for the daemon"
            yield Finding("network", Level.GOOD, f"{address}: {found}")
    reached = {peer.name for peer in facts.peers if not peer.fault}
    known = {peer.name for peer in facts.peers}
    for name in sorted(known - reached):
        tried = "; ".join(f"{peer.address}: {peer.fault}" for peer in facts.peers if peer.name == name)
        remedy = "is it running? check its address and the firewalls between"
        yield Finding("network", Level.WARNING, f"{name} is not reached: {tried}", remedy)
    text = f"{len(reached)} of {facts.others} other members are reached"
    if facts.others and len(reached) < facts.needed:
        remedy = f"{facts.needed} are needed for a quorum; members without a known address may still call this node"
        yield Finding("network", Level.PROBLEM, text, remedy)
    else:
        yield Finding("network", Level.GOOD, text)


def judge_keys(facts: KeyFacts) -> Iterator[Finding]:
    """Whether this node is who it says, and may sign."""
    for name, fault in facts.files:
        if fault:
            yield Finding("keys", Level.PROBLEM, fault, "the message says what to do")
        else:
            yield Finding("keys", Level.GOOD, f"{name} is there, for this user alone")
    if facts.ledger and not facts.guard:
        text = "the sign guard is missing: the node will only read"
        remedy = "find the very file if it was moved, never an old copy; else `wattswarm cell readmit`"
        yield Finding("keys", Level.PROBLEM, text, remedy)
    elif facts.guard:
        yield Finding("keys", Level.GOOD, "the sign guard is there")
    if facts.membership is not None:
        text, remedy = facts.membership
        yield Finding("keys", Level.PROBLEM if remedy else Level.GOOD, text, remedy)


def judge_devices(facts: DeviceFacts) -> Iterator[Finding]:
    """Whether somebody holds the hardware."""
    if facts.profile_fault:
        yield Finding("devices", Level.PROBLEM, facts.profile_fault, "mend the file")
    count = f"{facts.configured} devices are configured"
    if not facts.configured:
        yield Finding(
            "devices", Level.WARNING, "no device is configured", "describe them under [[site.ders]]"
        )
    elif facts.controlled:
        yield Finding("devices", Level.GOOD, f"{count}, and a control process holds them")
    elif facts.expected:
        said = f"; it last said: {facts.last_words}" if facts.last_words else ""
        text = f"{count}, and no control process holds them though the daemon runs{said}"
        yield Finding("devices", Level.PROBLEM, text, "look into control.log")
    else:
        yield Finding("devices", Level.GOOD, f"{count}; the daemon does not run")
    for reason in facts.reasons or ():
        yield Finding(
            "devices", Level.WARNING, f"the daemon says: {reason}", "see docs/operating.md, what to do when"
        )


def worst(findings: tuple[Finding, ...]) -> Level:
    """The level of the worst of them."""
    order = tuple(Level)
    return max((finding.level for finding in findings), key=order.index, default=Level.GOOD)


def findings_json(findings: tuple[Finding, ...]) -> dict[str, object]:
    """The findings as one JSON object."""
    return {
        "worst": worst(findings).value,
        "findings": [
            {"check": each.check, "level": each.level.value, "text": each.text, "remedy": each.remedy}
            for each in findings
        ],
    }
