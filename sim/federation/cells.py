"""A cell of a few members whose blocks are real: signed entries, certified headers, the market's own state.

One process holds all keys and there is no network: the members agree at once. What is tested with it is what
cells believe of each other, not how they agree within.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from hashlib import sha256

from nacl.signing import SigningKey

from ledger.chain.chain import Draft, Tip, extend, genesis_tip, propose
from ledger.chain.epochs import CertifiedHeader
from ledger.chain.proofs import LeafProof, prove_outcome
from ledger.encoding import Value
from ledger.errors import MissingEntries
from ledger.heads import Head
from ledger.records.entries import SignedEntry
from ledger.records.genesis import FoundingMember, Genesis, Role, member_id
from ledger.records.votes import Certificate, Step, Vote, sign_vote
from market.cell import EnergyCell
from market.cell_state import CellState
from market.federation.parent_rule import ParentRule, parent_rule
from market.intervals import Calendar
from market.outcomes import PART_KEY, BlockOutcomes
from market.payloads import Curve, Kind, decode_order
from market.rules import BranchRule, CellRules, GridRule, MemberRule, TariffStep, encode_rules
from sim.written_feeds import write_entry

FIRST_INTERVAL = 1000
INTERVAL_S = 3600
POWER_MW = 20_000_000
CREDIT = 10**18


@dataclass
class SmallCell:
    """`names` are all metered validators; the first is the operator, too. `gateway` is the place of one of them.

    With a `loss`, millionths, all but the first live on a line that loses it.
    """

    name: str
    names: tuple[str, ...]
    gate_lead_s: int
    retail: int
    feed_in: int
    parent: tuple[Genesis, int, int] | None = None
    gateway: int = 0
    loss: int = 0
    keys: list[SigningKey] = field(init=False)
    genesis: Genesis = field(init=False)
    tip: Tip[CellState] = field(init=False)
    certificate: Certificate | None = None
    outcomes: BlockOutcomes | None = None
    certified: CertifiedHeader | None = None
    _votes: dict[bytes, SigningKey] = field(init=False)
    _feeds: dict[bytes, list[SignedEntry]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.keys = [SigningKey(sha256(f"{self.name} {each}".encode()).digest()) for each in self.names]
        votes = [SigningKey(sha256(f"{self.name} {each} votes".encode()).digest()) for each in self.names]
        self._votes = {key.verify_key.encode(): key for key in votes}
        self.genesis = self._founded(votes)
        self.tip = genesis_tip(self.genesis, EnergyCell())

    @property
    def calendar(self) -> Calendar:
        """Intervals and gates."""
        return self.tip.state.rules.calendar

    @property
    def rules(self) -> CellRules:
        """The rules in force."""
        return self.tip.state.rules

    def member(self, place: int) -> bytes:
        """A member's id."""
        return member_id(self.keys[place].verify_key.encode())

    def say(self, place: int, kind: Kind, interval: int, payload: tuple[Value, ...], time_ns: int) -> None:
        """Sign an entry in a member's feed; the next block anchors it."""
        key = self.keys[place]
        feed = self._feeds.setdefault(self.member(place), [])
        write_entry(feed, key, self.genesis.cell_id, int(kind), interval, time_ns, payload)

    def open_orders(self, interval: int) -> dict[bytes, Curve]:
        """Each member's latest order for an interval, anchored or not."""
        return {
            member: decode_order(signed.entry.payload)
            for member, feed in self._feeds.items()
            for signed in feed
            if (signed.entry.kind, signed.entry.interval) == (Kind.ORDER, interval)
        }

    def decide(self, interval: int, time_ns: int, in_round: int = 0) -> BlockOutcomes:
        """Propose the block of an interval, derive it once more as every other member does, certify it, go on.

        A block that is decided so many rounds after it was proposed may be too late to trade.
        """
        heads = tuple(_head(feed[-1]) for _, feed in sorted(self._feeds.items()) if feed)
        draft = Draft(
            proposer=self.tip.validators.proposer(self.tip.height + 1, 0),
            time_ns=time_ns,
            last_interval=interval,
            heads=heads,
            evidence=(),
            last_certificate=self.certificate,
        )
        block, _, _ = propose(self.tip, EnergyCell(), draft, self)
        tip, outcomes = extend(self.tip, EnergyCell(), block, self)[:2]
        assert isinstance(outcomes, BlockOutcomes)
        block_id = block.block_id(self.genesis.cell_id)
        keys = self.tip.validators.keys
        signatures = [
            sign_vote(
                self._votes[key],
                self.genesis.cell_id,
                Vote(block.header.height, in_round, Step.PRECOMMIT, block_id, -1, place),
            ).signature
            for place, key in enumerate(keys)
        ]
        self.certificate = Certificate(block.header.height, in_round, block_id, tuple(signatures))
        self.certified = CertifiedHeader(block.header, self.certificate)
        self.tip, self.outcomes = tip, outcomes
        return outcomes

    def part(self, member: bytes) -> LeafProof | None:
        """A member's part in the last clearing, with its path to the header."""
        assert self.outcomes is not None
        if self.outcomes.part_of(member) is None:
            return None
        return prove_outcome(self.outcomes, PART_KEY + member)

    def entries(self, member: bytes, incarnation: int, after: int, through: int) -> Sequence[SignedEntry]:
        """The entries of a feed. Raises `MissingEntries`."""
        found = [each for each in self._feeds.get(member, ()) if after < each.entry.sequence <= through]
        if len(found) != through - after:
            raise MissingEntries((Head(member, incarnation, through, b""),))
        return found

    def _founded(self, votes: list[SigningKey]) -> Genesis:
        public = [key.verify_key.encode() for key in self.keys]
        line = int(self.loss > 0)
        points = (
            MemberRule(member_id(key), line if place else 0, POWER_MW, POWER_MW, CREDIT)
            for place, key in enumerate(public)
        )
        parent = None
        if self.parent is not None:
            above, lead_s, place = self.parent
            parent = _parent_rule(above, lead_s, place, member_id(public[self.gateway]))
        rules = CellRules(
            interval_s=INTERVAL_S,
            gate_lead_s=self.gate_lead_s,
            currency="EUR",
            branches=(BranchRule("substation"), BranchRule("line", 0, None, 0, self.loss))[: 1 + line],
            grid=GridRule(),
            tariff=(TariffStep(0, self.retail, self.feed_in),),
            members=tuple(sorted(points, key=lambda rule: rule.member)),
            parent=parent,
        )
        founders = tuple(
            FoundingMember(
                name.encode(),
                key,
                vote.verify_key.encode(),
                int(Role.VALIDATOR | Role.PROSUMER | (Role(0) if place else Role.OPERATOR)),
            )
            for place, (name, key, vote) in enumerate(zip(self.names, public, votes, strict=True))
        )
        return Genesis(self.name.encode(), FIRST_INTERVAL, 2, (), founders, encode_rules(rules))


def _parent_rule(above: Genesis, lead_s: int, place: int, gateway: bytes) -> ParentRule:
    return parent_rule(above, lead_s, above.members[place].name.decode(), gateway)


def _head(signed: SignedEntry) -> Head:
    entry = signed.entry
    return Head(member_id(entry.author), entry.incarnation, entry.sequence, signed.id)
