"""Shell: reads a node's ledger for people: the replayed chain, one block, one feed, a proof of a balance."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, fields
from pathlib import Path
from tempfile import TemporaryDirectory

from ledger.chain.chain import Tip
from ledger.chain.header_log import HeaderLog
from ledger.chain.proofs import LeafProof, prove_state, verify_state
from ledger.chain.replay import Replayed, first_tip, load_chain, replay
from ledger.encoding import Value, big_int_from
from ledger.files.directory import COSIGNATURES_FILE, GENESIS_FILE, LEDGER_FILE
from ledger.limits import GENESIS_BYTES
from ledger.membership.members import Member, Membership
from ledger.records.entries import Entry, open_entry
from ledger.records.genesis import Genesis
from ledger.store.private_copy import copy_ledger
from ledger.store.store import Store
from ledger.witnesses.cosignatures import load_cosignatures
from ledger.witnesses.messages import Cosignature
from market.cell import EnergyCell
from market.cell_state import CellState, account_key, member_account
from market.errors import MalformedPayload
from market.outcomes import BlockOutcomes, ClearingOutcome
from market.payloads import Kind, Quality, decode_order, decode_reading
from market.reporting.source import candidates
from market.units import kwh_text, price_text
from node.errors import InputRefusedError


@dataclass(frozen=True, slots=True)
class BalanceProof:
    """That a member's balance (pico-currency) is part of the state that a certified header commits to."""

    member: Member
    balance: int
    leaf: LeafProof
    replayed: Replayed[CellState]

    def verify(self) -> None:
        """Return if the proof leads to the header's state root; raises InvalidProof."""
        verify_state(self.replayed.block.header, self.leaf)


@contextmanager
def opened(directory: Path) -> Iterator[tuple[Genesis, Store]]:
    """A copy of the ledger of a node, or of a testnet's first, which a daemon may be writing.

    Raises `InputRefusedError` where there is none.
    """
    directory = next(iter(candidates(directory)), directory)
    for name in (GENESIS_FILE, LEDGER_FILE):
        if not (directory / name).is_file():
            raise InputRefusedError(f"{directory}: holds no {name}; name a node's or a testnet's directory")
    genesis = Genesis.decode((directory / GENESIS_FILE).read_bytes())
    with TemporaryDirectory(prefix="wattswarm-show-") as temporary:
        copy = copy_ledger(directory / LEDGER_FILE, Path(temporary))
        with closing(Store.open(copy, genesis.cell_id)) as store:
            yield genesis, store


def blocks(directory: Path) -> list[Replayed[CellState]]:
    """Every block of the ledger, verified on the way."""
    with opened(directory) as (genesis, store):
        return list(replay(store, genesis, EnergyCell()))


def tip_of(directory: Path) -> Tip[CellState]:
    """The cell after the last block of a node's ledger. Raises `InputRefusedError` where there is none."""
    with opened(directory) as (genesis, store):
        return load_chain(store, genesis, EnergyCell())


def find_member(membership: Membership, name: str, *, ever: bool = False) -> Member:
    """The member of this name, or whose id starts with it; with `ever` also one that left.

    Raises `InputRefusedError`.
    """
    members = membership.everyone if ever else membership.members
    for member in members:
        if member.name.decode() == name:
            return member
    matching = [member for member in members if member.id.hex().startswith(name)]
    if len(matching) == 1 and name:
        return matching[0]
    known = ", ".join(member.name.decode() for member in members)
    raise InputRefusedError(f"no member is called {name!r}; there are {known}")


def balance_proof(directory: Path, name: str) -> BalanceProof:
    """The proof of a member's balance under the last block. Raises `InputRefusedError`."""
    replayed = blocks(directory)
    if not replayed:
        raise InputRefusedError(f"{directory}: holds no block yet")
    last = replayed[-1]
    member = find_member(last.tip.membership, name, ever=True)
    try:
        leaf = prove_state(last.tip, EnergyCell(), account_key(member_account(member.id)))
    except KeyError:
        name = member.name.decode()
        raise InputRefusedError(f"{name} has no account yet: nothing was ever posted to it") from None
    return BalanceProof(member, big_int_from(leaf.value), leaf, last)


def clearing_of(replayed: Replayed[CellState]) -> ClearingOutcome:
    """The clearing of a block."""
    assert isinstance(replayed.outcomes, BlockOutcomes)
    return replayed.outcomes.clearing


def header_fields(replayed: Replayed[CellState]) -> list[tuple[str, str]]:
    """The header, field by field, ids in hexadecimal."""
    header = replayed.block.header
    values = [(field.name, getattr(header, field.name)) for field in fields(header)]
    readable = [(name, value.hex() if isinstance(value, bytes) else str(value)) for name, value in values]
    return [
        ("id", replayed.tip.header_id.hex()),
        *((name.replace("_", " "), text) for name, text in readable),
    ]


def payload_text(entry: Entry) -> str:
    """What an entry says, in kWh and currency per kWh where the market has a word for it."""
    try:
        match entry.kind:
            case Kind.ORDER:
                curve = decode_order(entry.payload)
                sides = (("buy", curve.buys), ("sell", curve.sells))
                steps = [
                    f"{side} {kwh_text(step.quantity)} at {price_text(step.price)}"
                    for side, offered in sides
                    for step in offered
                ]
                return "; ".join(steps) or "cancels"
            case Kind.READING:
                reading = decode_reading(entry.payload)
                estimated = "" if reading.quality is Quality.MEASURED else ", estimated"
                return f"injected {kwh_text(reading.contribution)}, withdrew {kwh_text(reading.consumption)}{estimated}"
    except MalformedPayload:
        pass
    return _plain(entry.payload)


def _plain(value: Value) -> str:
    match value:
        case bytes():
            return value.hex()
        case tuple():
            return "[" + ", ".join(map(_plain, value)) + "]"
    return str(value)


@dataclass(frozen=True, slots=True)
class FeedView:
    """A member's entries as (id, envelope) in order, and what became of them.

    `final` maps the incarnation to the height at which each sequence was anchored; `witnessed` is the height up
    to which a neighbouring cell has cosigned the blocks.
    """

    entries: list[tuple[bytes, bytes]]
    final: dict[int, list[tuple[int, int]]]
    witnessed: int

    def state_of(self, entry: Entry) -> str:
        """Authored, final, or witnessed: how firmly an entry stands."""
        reached = self.final.get(entry.incarnation, [])
        height = next((height for sequence, height in reached if entry.sequence <= sequence), None)
        if height is None:
            return "authored"
        return "witnessed" if height <= self.witnessed else "final"


def cosignatures(directory: Path) -> list[Cosignature]:
    """The newest cosignature of each witness, the farthest first. Raises `InputRefusedError`."""
    directory = next(iter(candidates(directory)), directory)
    cell_id = read_genesis(directory / GENESIS_FILE).cell_id
    held = load_cosignatures(directory / COSIGNATURES_FILE, cell_id)
    return sorted(held.values(), key=lambda each: (-each.checkpoint.size, each.signer))


def feed_view(directory: Path, name: str) -> FeedView:
    """A member's feed with what became of every entry. Raises `InputRefusedError`."""
    with opened(directory) as (genesis, store):
        start = first_tip(store, genesis, EnergyCell())
        membership, log = start.membership, HeaderLog(start.log)
        moved = [(head, start.height) for head in start.heads.values()]
        for each in replay(store, genesis, EnergyCell(), start):
            membership = each.tip.membership
            log.append(each.tip.header_id)
            moved.extend((head, each.tip.height) for head in each.block.heads)
        member = find_member(membership, name, ever=True)
        entries = _entries(store, member)
    final: dict[int, list[tuple[int, int]]] = {}
    for head, height in moved:
        if head.member == member.id:
            final.setdefault(head.incarnation, []).append((head.sequence, height))
    # A cosignature of another history than this one says nothing about these blocks.
    seen = (
        each.checkpoint for each in cosignatures(directory) if log.begins <= each.checkpoint.size <= log.size
    )
    witnessed = max((each.size for each in seen if log.root(each.size) == each.root), default=0)
    return FeedView(entries, final, witnessed)


def feed(directory: Path, name: str) -> list[tuple[bytes, bytes]]:
    """A member's kept entries as (id, envelope), all incarnations, in order. Raises `InputRefusedError`."""
    with opened(directory) as (genesis, store):
        membership = load_chain(store, genesis, EnergyCell()).membership
        return _entries(store, find_member(membership, name, ever=True))


def _entries(store: Store, member: Member) -> list[tuple[bytes, bytes]]:
    envelopes = (
        envelope
        for incarnation in range(member.incarnation + 1)
        for envelope in store.envelopes(
            member.id, incarnation, -1, store.last_sequence(member.id, incarnation) + 1
        )
    )
    return [(open_entry(envelope, store.cell_id).id, envelope) for envelope in envelopes]


def read_genesis(path: Path) -> Genesis:
    """The genesis in a file. Raises `InputRefusedError` when there is none, and `InvalidGenesis`."""
    return Genesis.decode(read_at_most(path, GENESIS_BYTES + 1))


def read_at_most(path: Path, size: int) -> bytes:
    """The first bytes of a file that somebody sent. Raises `InputRefusedError` when it cannot be read."""
    try:
        with path.open("rb") as file:
            return file.read(size)
    except OSError as fault:
        raise InputRefusedError(f"{path}: {fault.strerror or fault}") from fault
