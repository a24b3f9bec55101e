"""A cell with a toy application, to exercise the chain, the store, replication and the audit."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path

import pytest
from nacl.signing import SigningKey

from ledger.chain.application import BlockInput
from ledger.chain.chain import Draft, Tip, genesis_tip, propose
from ledger.encoding import Value, decode, encode
from ledger.errors import MissingEntries
from ledger.files.directory import GENESIS_FILE, GUARD_FILE, LEDGER_FILE
from ledger.files.sign_guard import SignGuard
from ledger.heads import Head
from ledger.records.blocks import Block
from ledger.records.changes import CHANGE_KIND, Admit, Change, NumberedChange, change_payload, sign_change
from ledger.records.entries import Entry, SignedEntry, author_entry
from ledger.records.genesis import FoundingMember, Genesis, Role, member_id
from ledger.records.rows import VoteRow
from ledger.records.votes import Certificate, Step, Vote, sign_vote
from ledger.signing import seal
from ledger.store.store import Store

TALLY_KIND = 32


@dataclass(frozen=True, slots=True)
class Tally:
    """The toy state: per member, how many entries counted and a hash over them."""

    per_member: tuple[tuple[bytes, int, bytes], ...] = ()


@dataclass(frozen=True, slots=True)
class TallyOutcomes:
    pairs: tuple[tuple[bytes, bytes], ...]

    def leaves(self) -> Iterable[tuple[bytes, bytes]]:
        return self.pairs


class TallyApplication:
    """Counts and hashes entries, except of voided members; the range and timeliness count too."""

    def initial(self, genesis: Genesis) -> Tally:
        return Tally()

    def apply(self, state: Tally, block: BlockInput) -> tuple[Tally, TallyOutcomes]:
        tallies = {member: (count, digest) for member, count, digest in state.per_member}
        for member, signed in block.entries:
            if member not in block.voided:
                count, digest = tallies.get(member, (0, b""))
                tallies[member] = (count + 1, sha256(digest + signed.id).digest())
        timely = None if block.previous_timely is None else int(block.previous_timely)
        summary = encode((block.height, block.first_interval, block.last_interval, block.time_ns, timely))
        pairs = ((b"summary", summary), *((signed.id, member) for member, signed in block.entries))
        return Tally(tuple((m, *tallies[m]) for m in sorted(tallies))), TallyOutcomes(pairs)

    def accepts(self, state: Tally, member: bytes, terms: tuple[Value, ...]) -> bool:
        return terms != (b"nowhere",)

    def leaves(self, state: Tally) -> Iterable[tuple[bytes, bytes]]:
        return [(member, encode((count, digest))) for member, count, digest in state.per_member]

    def restore(self, genesis: Genesis, leaves: Iterable[tuple[bytes, bytes]]) -> Tally:
        return Tally(tuple((member, *decode(value, max_bytes=100)) for member, value in leaves))


@dataclass
class ToyCell:
    """Keys, feeds and a growing chain of one cell, seen from outside: it can author, propose and decide."""

    size: int = 4
    application: TallyApplication = field(default_factory=TallyApplication)
    tips: list[Tip[Tally]] = field(default_factory=list)
    blocks: list[tuple[Block, Certificate]] = field(default_factory=list)
    feeds: dict[bytes, list[SignedEntry]] = field(default_factory=dict)
    fresh_keys: list[SigningKey] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.keys = [SigningKey(sha256(b"feed%d" % index).digest()) for index in range(self.size)]
        self.consensus_keys = [SigningKey(sha256(b"vote%d" % index).digest()) for index in range(self.size)]
        founders = tuple(
            FoundingMember(
                b"member %d" % index,
                key.verify_key.encode(),
                vote_key.verify_key.encode(),
                int(Role.PROSUMER | Role.VALIDATOR | (Role.OPERATOR if index == 0 else 0)),
            )
            for index, (key, vote_key) in enumerate(zip(self.keys, self.consensus_keys, strict=True))
        )
        self.admission_key = SigningKey(sha256(b"admission").digest())
        self.genesis = Genesis(b"toy", 100, 1, (self.admission_key.verify_key.encode(),), founders, ())
        self.cell_id = self.genesis.cell_id
        self.ids = [member_id(key.verify_key.encode()) for key in self.keys]
        self.feeds = {member: [] for member in self.ids}
        self.tips = [genesis_tip(self.genesis, self.application)]

    @property
    def tip(self) -> Tip[Tally]:
        return self.tips[-1]

    def sign(
        self, index: int, *, payload: tuple[Value, ...] = (), **fields: int | bytes | None
    ) -> SignedEntry:
        """An entry of a member, next in its feed unless fields say otherwise; not added to the feed."""
        feed = self.feeds[self.ids[index]]
        values: dict[str, int | bytes | None] = {
            "incarnation": feed[-1].entry.incarnation if feed else 0,
            "sequence": feed[-1].entry.sequence + 1 if feed else 0,
            "previous": feed[-1].id if feed else None,
            "kind": TALLY_KIND,
            "interval": 100,
            "time_ns": 5,
        } | fields
        author = self.keys[index].verify_key.encode()
        return author_entry(self.keys[index], self.cell_id, Entry(author, payload=payload, **values))

    def author(self, index: int, **fields: object) -> SignedEntry:
        """Like `sign`, and the entry is in the feed from now on."""
        signed = self.sign(index, **fields)
        self.feeds[self.ids[index]].append(signed)
        return signed

    def fresh(self, name: str) -> bytes:
        """A key that somebody may rotate to; the cell can vote with it."""
        self.fresh_keys.append(SigningKey(sha256(name.encode()).digest()))
        return self.fresh_keys[-1].verify_key.encode()

    def newcomer(self) -> int:
        """Keys of somebody who is no member yet; the index by which it is named here from now on."""
        index = len(self.keys)
        self.keys.append(SigningKey(sha256(b"feed%d" % index).digest()))
        self.consensus_keys.append(SigningKey(sha256(b"vote%d" % index).digest()))
        self.ids.append(member_id(self.keys[index].verify_key.encode()))
        self.feeds[self.ids[index]] = []
        self.size += 1
        return index

    def admission(self, *, validator: bool = True, terms: tuple[Value, ...] = ()) -> Admit:
        """The admission of a newcomer."""
        index = self.newcomer()
        roles = Role.PROSUMER | (Role.VALIDATOR if validator else 0)
        key = self.consensus_keys[index].verify_key.encode() if validator else None
        return Admit(b"member %d" % index, self.keys[index].verify_key.encode(), key, int(roles), terms)

    def announce(
        self, change: Change, *, by: int = 0, number: int | None = None, key: SigningKey | None = None
    ) -> SignedEntry:
        """A change in a member's feed, signed by the admission key and numbered next unless told otherwise."""
        numbered = NumberedChange(self.tip.membership.changes + 1 if number is None else number, change)
        envelope = sign_change(self.admission_key if key is None else key, self.cell_id, numbered)
        return self.author(by, kind=CHANGE_KIND, payload=change_payload(envelope))

    def head(self, index: int) -> Head:
        entry = self.feeds[self.ids[index]][-1]
        return Head(self.ids[index], entry.entry.incarnation, entry.entry.sequence, entry.id)

    def heads(self) -> tuple[Head, ...]:
        return tuple(self.head(index) for index in range(self.size) if self.feeds[self.ids[index]])

    def entries(self, member: bytes, incarnation: int, after: int, through: int) -> list[SignedEntry]:
        found = [
            signed
            for signed in self.feeds[member]
            if signed.entry.incarnation == incarnation and after < signed.entry.sequence <= through
        ]
        if len(found) != through - after:
            raise MissingEntries((Head(member, incarnation, through, b""),))
        return found

    def draft(self, **changes: object) -> Draft:
        """A draft of the next block with all feeds in it."""
        values = {
            "proposer": self.tip.height % self.tip.validators.size,
            "time_ns": 1000 * (self.tip.height + 1),
            "last_interval": self.tip.last_interval + 1,
            "heads": self.heads(),
            "evidence": (),
            "last_certificate": self.blocks[-1][1] if self.blocks else None,
        } | changes
        return Draft(**values)

    def propose(self, **changes: object) -> tuple[Block, Tip[Tally], TallyOutcomes]:
        return propose(self.tip, self.application, self.draft(**changes), self)

    def certificate(self, block: Block, round_: int = 0, signers: int | None = None) -> Certificate:
        """A certificate of the first validators, a quorum unless told."""
        validators = self.tip.validators
        by_key = {key.verify_key.encode(): key for key in (*self.consensus_keys, *self.fresh_keys)}
        block_id = block.block_id(self.cell_id)
        height = block.header.height
        signatures = tuple(
            sign_vote(
                by_key[key], self.cell_id, Vote(height, round_, Step.PRECOMMIT, block_id, -1, index)
            ).signature
            if index < (validators.quorum if signers is None else signers)
            else None
            for index, key in enumerate(validators.keys)
        )
        return Certificate(height, round_, block_id, signatures)

    def decide(self, round_: int = 0, **changes: object) -> Block:
        """Propose the next block, certify it and move on to it."""
        block, tip, _ = self.propose(**changes)
        self.blocks.append((block, self.certificate(block, round_)))
        self.tips.append(tip)
        return block


@pytest.fixture(scope="session")
def new_cell_class() -> type[ToyCell]:
    """The class, for fixtures that outlive a test."""
    return ToyCell


@pytest.fixture
def new_cell() -> Callable[..., ToyCell]:
    """Founds toy cells: `new_cell(size=4)`."""
    return ToyCell


@pytest.fixture
def cell() -> ToyCell:
    """A toy cell of four members, all validators, the first one operator."""
    return ToyCell()


def store_cell(cell: ToyCell, directory: Path, *, own: int = 0, first_seen_ns: int = 7) -> Store:
    """Write a toy cell as the data directory of one of its members, votes and guard included."""
    (directory / GENESIS_FILE).write_bytes(cell.genesis.encode())
    store = Store.open(directory / LEDGER_FILE, cell.cell_id, create=True)
    for member, feed in cell.feeds.items():
        for signed in feed:
            store.append(member, signed, first_seen_ns)
    guard = SignGuard.open(directory / GUARD_FILE, create=True)
    own_key = cell.consensus_keys[own].verify_key.encode()
    for block, certificate in cell.blocks:
        height, block_id = block.header.height, block.block_id(cell.cell_id)
        store.put_block(height, block_id, block.encode(), certificate.encode())
        for index, signature in enumerate(certificate.signatures):
            vote = Vote(height, certificate.round, Step.PRECOMMIT, block_id, -1, index)
            if signature is not None:
                row = VoteRow(height, vote.round, int(vote.step), index, seal(vote.encode(), signature))
                store.put_vote(row)
                if cell.tips[height - 1].validators.keys[index] == own_key:
                    guard.advance_vote(height, vote.round, vote.step, vote.encode())
    store.commit()
    feed = cell.feeds[cell.ids[own]]
    if feed:
        guard.advance_feed(feed[-1].entry.incarnation, feed[-1].entry.sequence, feed[-1].id)
    guard.close()
    return store


@pytest.fixture
def write_directory() -> Callable[..., Store]:
    """Writes a toy cell as a data directory: `write_directory(cell, directory)`; the open store."""
    return store_cell
