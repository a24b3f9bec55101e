"""Shell: what crossed between cells, read from the ledgers alone and compared: every proof is checked once more.

Energies are mWh, positive from a street into the district; prices µ/kWh.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from ledger.chain.replay import replay
from ledger.errors import InvalidProof, Malformed
from ledger.heads import Head
from ledger.records.blocks import header_id
from ledger.records.entries import SignedEntry
from ledger.store.store import Store
from market.cell import EnergyCell
from market.errors import MalformedPayload
from market.federation.parent_rule import ParentRule
from market.federation.transfer_proof import ProvedTransfer, TransferProof, decode_part
from market.outcomes import BlockOutcomes, MemberClearing
from market.payloads import Kind
from market.rules import decode_rules
from node.views.ledger_view import opened


@dataclass(frozen=True, slots=True)
class Cleared:
    """One interval of one cell: the price at its root, and a member's part by its id."""

    block_id: bytes
    price: int | None
    parts: dict[bytes, MemberClearing]


@dataclass(frozen=True, slots=True)
class Crossing:
    """One interval of one gateway: what the district decided, and what the street made of it.

    `contracted` at `price_above` stands in the district's ledger, `filled` at `price` in the street's. `proven`
    says that the street's ledger holds a proof that verifies against its genesis, and that the block which it
    is about is the district's. `fault` is what must not be, None where all is well.
    """

    interval: int
    street: str
    contracted: int
    price_above: int | None
    filled: int
    price: int | None
    proven: bool
    fault: str | None


@dataclass(frozen=True, slots=True)
class CellLedger:
    """What a cell's ledger says by interval, and by interval what a proof in it says the parent decided."""

    name: str
    cleared: dict[int, Cleared]
    rule: ParentRule | None
    proofs: dict[int, tuple[ProvedTransfer, bytes]]


def read_cell(name: str, node: Path) -> CellLedger:
    """Everything above from the ledger of one node, verified block by block. Raises LedgerError."""
    cleared: dict[int, Cleared] = {}
    proofs: dict[int, tuple[ProvedTransfer, bytes]] = {}
    before: Head | None = None
    with opened(node) as (genesis, store):
        rule = decode_rules(genesis.application).parent
        for block in replay(store, genesis, EnergyCell()):
            assert isinstance(block.outcomes, BlockOutcomes)
            clearing = block.outcomes.clearing
            parts = {part.member: part for part in clearing.members}
            cleared[clearing.interval] = Cleared(block.tip.header_id, clearing.prices[0], parts)
            if rule is not None:
                head = block.tip.heads.get(rule.gateway)
                proof = _proof(rule, clearing.interval, _said(store, before, head))
                before = head
                if proof is not None:
                    proofs[clearing.interval] = proof
    return CellLedger(name, cleared, rule, proofs)


def crossings(district: CellLedger, streets: Iterable[CellLedger]) -> list[Crossing]:
    """By interval and street, wherever either ledger has something of a transfer."""
    found = []
    for street in streets:
        rule = street.rule
        assert rule is not None, "a street has a parent"
        for interval in sorted(district.cleared.keys() | street.cleared.keys()):
            above = _part(district, interval, rule.member_above)
            own = _part(street, interval, rule.gateway)
            if any(part is not None and part.position for part in (above, own)):
                found.append(_crossing(street, interval, above, own, district.cleared.get(interval)))
    return sorted(found, key=lambda each: (each.interval, each.street))


def _crossing(
    street: CellLedger,
    interval: int,
    above: MemberClearing | None,
    own: MemberClearing | None,
    known: Cleared | None,
) -> Crossing:
    contracted = 0 if above is None else above.position
    filled = 0 if own is None else -own.position
    price_above, price = None if above is None else above.price, None if own is None else own.price
    proved, fault = street.proofs.get(interval), None
    if proved is None:
        fault = "energy crossed without a proof" if filled else None
    elif known is None or proved[1] != known.block_id:
        fault = "the proof is about a block that the district does not have"
    elif (proved[0].flow, proved[0].price) != (contracted, price_above or 0):
        fault = f"the proof says {proved[0].flow} mWh, the district's ledger {contracted} mWh"
    elif filled * contracted < 0 or abs(filled) > abs(contracted):
        fault = f"{filled} mWh crossed, where the district decided {contracted} mWh"
    elif filled and price_above is not None and price is not None and (price_above - price) * filled < 0:
        fault = f"the gateway bought at {price} and sold at {price_above} µ/kWh"
    proven = proved is not None and fault is None
    return Crossing(interval, street.name, contracted, price_above, filled, price, proven, fault)


def _part(cell: CellLedger, interval: int, member: bytes) -> MemberClearing | None:
    cleared = cell.cleared.get(interval)
    return None if cleared is None else cleared.parts.get(member)


def _said(store: Store, before: Head | None, head: Head | None) -> list[SignedEntry]:
    """The entries between two heads of a feed, the later one's included."""
    if head is None or head == before:
        return []
    same = before is not None and before.incarnation == head.incarnation
    after = before.sequence if before is not None and same else -1
    return store.entries(head.member, head.incarnation, after, head.sequence)


def _proof(
    rule: ParentRule, interval: int, entries: Sequence[SignedEntry]
) -> tuple[ProvedTransfer, bytes] | None:
    """What the parts of a proof among these entries prove of an interval, and of which block of the parent."""
    chunks: list[bytes] = []
    for signed in entries:
        if (signed.entry.kind, signed.entry.interval) != (Kind.TRANSFER, interval):
            continue
        try:
            index, count, chunk = decode_part(signed.entry.payload)
            chunks = [*chunks[:index], chunk]
            if index + 1 < count:
                continue
            proof = TransferProof.decode(b"".join(chunks))
            return proof.check(rule, interval), header_id(proof.certified.header, rule.cell_id)
        except (InvalidProof, Malformed, MalformedPayload):
            continue
    return None
