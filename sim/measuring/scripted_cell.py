"""A cell whose members are scripts: they order, report, propose and vote by the book, for benchmarks.

Whatever is signed is really signed, and every block is what the chain makes of its entries; but one process holds
all keys, so it is fast and needs no network. Energies are mWh, prices µ/kWh.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from hashlib import sha256

from nacl.signing import SigningKey

from ledger.chain.chain import Draft, Tip, genesis_tip, propose
from ledger.encoding import Value
from ledger.errors import MissingEntries
from ledger.heads import Head
from ledger.records.blocks import Block
from ledger.records.entries import SignedEntry
from ledger.records.genesis import FoundingMember, Genesis, Role, member_id
from ledger.records.votes import Certificate, SignedVote, Step, Vote, sign_vote
from market.cell import EnergyCell
from market.cell_state import CellState
from market.intervals import Calendar
from market.payloads import Kind
from market.rules import BranchRule, CellRules, GridRule, MemberRule, TariffStep, encode_rules
from sim.written_feeds import write_entry

FIRST_INTERVAL = 1000
RETAIL, FEED_IN = 300_000, 40_000
POWER_MW = 10_000_000
BUYS = tuple((280_000 - 5_000 * step, 20_000) for step in range(6))
SELLS = tuple((120_000 + 5_000 * step, 20_000) for step in range(2))
"""An order of eight steps, as a member with a battery would send it."""


@dataclass
class ScriptedCell:
    """`size` validators, of whom all but the first have a metering point; time goes on with `decide`."""

    size: int
    interval_s: int
    keys: list[SigningKey] = field(init=False)
    votes: dict[bytes, SigningKey] = field(init=False)
    genesis: Genesis = field(init=False)
    tip: Tip[CellState] = field(init=False)
    certificate: Certificate | None = None
    _feeds: dict[bytes, list[SignedEntry]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.keys = [SigningKey(sha256(b"scripted feed %d" % index).digest()) for index in range(self.size)]
        consensus = [SigningKey(sha256(b"scripted vote %d" % index).digest()) for index in range(self.size)]
        self.votes = {key.verify_key.encode(): key for key in consensus}
        self.genesis = _founded(self.keys, consensus, self.interval_s)
        self.tip = genesis_tip(self.genesis, EnergyCell())

    @property
    def calendar(self) -> Calendar:
        """Intervals and gates."""
        return self.tip.state.rules.calendar

    def member(self, index: int) -> bytes:
        """A member's id."""
        return member_id(self.keys[index].verify_key.encode())

    def write(self, interval: int, orders: int = 1) -> list[tuple[int, SignedEntry]]:
        """What every metered member writes before the gate of an interval: so many orders, each in place of the last,
        and its reading of the last interval that is over by then.
        """
        written = []
        gate_ns = self.calendar.gate_closure_ns(interval)
        read = self.calendar.index_of(gate_ns) - 1
        for index in range(1, self.size):
            shift = (index * 7919 + interval * 104_729) % 40_000
            sells = tuple((price + shift, quantity + shift) for price, quantity in SELLS)
            written += [
                (index, self._author(index, Kind.ORDER, interval, gate_ns, (BUYS, sells)))
                for _ in range(orders)
            ]
            reading = (100_000 + shift, 120_000, 0) if shift % 2 else (0, 200_000 + shift, 0)
            written.append((index, self._author(index, Kind.READING, read, gate_ns, reading)))
        return written

    def propose(self, interval: int, time_ns: int) -> tuple[Block, Tip[CellState]]:
        """The block of an interval with all that was written, by whose turn it is."""
        heads = (feed[-1] for feed in self._feeds.values() if feed)
        draft = Draft(
            proposer=self.tip.validators.proposer(self.tip.height + 1, 0),
            time_ns=time_ns,
            last_interval=interval,
            heads=tuple(self._head(signed) for signed in heads),
            evidence=(),
            last_certificate=self.certificate,
        )
        block, tip, _ = propose(self.tip, EnergyCell(), draft, self)
        return block, tip

    def vote(self, step: Step, block_id: bytes, voters: Iterable[int]) -> list[SignedVote]:
        """The votes of these validators, by index, for a block in round 0."""
        keys = self.tip.validators.keys
        return [
            sign_vote(
                self.votes[keys[index]],
                self.genesis.cell_id,
                Vote(self.tip.height + 1, 0, step, block_id, -1, index),
            )
            for index in voters
        ]

    def certify(self, block: Block, signers: int | None = None) -> Certificate:
        """The certificate of a block, by a quorum of validators or so many."""
        validators, block_id = self.tip.validators, block.block_id(self.genesis.cell_id)
        count = validators.quorum if signers is None else signers
        votes = self.vote(Step.PRECOMMIT, block_id, range(count))
        signatures = [vote.signature for vote in votes]
        return Certificate(
            block.header.height, 0, block_id, (*signatures, *[None] * (validators.size - count))
        )

    def decide(self, tip: Tip[CellState], certificate: Certificate) -> None:
        """Go on from a decided block."""
        self.tip, self.certificate = tip, certificate
        for member, head in tip.heads.items():
            self._feeds[member] = [s for s in self._feeds[member] if s.entry.sequence >= head.sequence]

    def entries(self, member: bytes, incarnation: int, after: int, through: int) -> Sequence[SignedEntry]:
        """The entries that no block has anchored yet. Raises `MissingEntries`."""
        found = [s for s in self._feeds.get(member, ()) if after < s.entry.sequence <= through]
        if len(found) != through - after:
            raise MissingEntries((Head(member, incarnation, through, b""),))
        return found

    def _author(
        self, index: int, kind: Kind, interval: int, time_ns: int, payload: tuple[Value, ...]
    ) -> SignedEntry:
        key = self.keys[index]
        feed = self._feeds.setdefault(self.member(index), [])
        return write_entry(feed, key, self.genesis.cell_id, int(kind), interval, time_ns, payload)

    def _head(self, signed: SignedEntry) -> Head:
        entry = signed.entry
        return Head(member_id(entry.author), entry.incarnation, entry.sequence, signed.id)


def _founded(feeds: list[SigningKey], consensus: list[SigningKey], interval_s: int) -> Genesis:
    public = [key.verify_key.encode() for key in feeds]
    points = (
        MemberRule(member_id(key), 1 + index % 2, POWER_MW, POWER_MW, 10**18)
        for index, key in enumerate(public)
        if index
    )
    rules = CellRules(
        interval_s=interval_s,
        gate_lead_s=interval_s // 2,
        currency="EUR",
        branches=(BranchRule("substation"), BranchRule("north", 0), BranchRule("south", 0)),
        grid=GridRule(),
        tariff=(TariffStep(0, RETAIL, FEED_IN),),
        members=tuple(sorted(points, key=lambda rule: rule.member)),
    )
    founders = tuple(
        FoundingMember(
            b"member %d" % index,
            key,
            vote.verify_key.encode(),
            int(Role.VALIDATOR | (Role.PROSUMER if index else Role.OPERATOR)),
        )
        for index, (key, vote) in enumerate(zip(public, consensus, strict=True))
    )
    return Genesis(b"scripted", FIRST_INTERVAL, 2, (), founders, encode_rules(rules))
