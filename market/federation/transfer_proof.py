"""What a cell believes of the cell above it: one part of one clearing, under the parent's own certificate.

It carries the changes of the parent's validators since its founding, the header of the block that cleared
the interval with the certificate that decided it, and the path to the gateway's part. An entry has a
kilobyte, so the proof travels in parts, which follow each other in the gateway's feed and stand in one block.
Energies are mWh with injection positive, prices µ/kWh.
"""

from dataclasses import dataclass
from typing import Final

from ledger.chain.epochs import CertifiedHeader, EpochLink, certified_from, link_from
from ledger.chain.proofs import LeafProof, verify_outcome
from ledger.encoding import Value, decode, encode
from ledger.errors import InvalidProof, Malformed, PeerError
from ledger.limits import BLOCK_BYTES, ID_BYTES
from ledger.merkle import MapProof
from market.errors import MalformedPayload
from market.federation.parent_rule import ParentRule
from market.outcomes import PART_KEY
from market.payloads import Curve, Step
from market.units import MAX_PRICE, MAX_QUANTITY

TRANSFER_PROOF_VERSION: Final = 1
PART_BYTES: Final = 700
"""Of a proof in one entry of a kilobyte, beside its signature, keys and framing."""
MAX_PARTS: Final = 64
"""45 KB: a certificate of five hundred validators, or a few changes of forty."""


@dataclass(frozen=True, slots=True)
class ProvedTransfer:
    """What the parent decided: the cell injects `flow` into it (withdraws, where negative) at `price`."""

    interval: int
    flow: int
    price: int

    def order(self) -> Curve:
        """The gateway's order in the cell: it takes out of the cell what the parent gets, at most at its price."""
        if not self.flow:
            return Curve()
        step = (Step(self.price, abs(self.flow)),)
        return Curve(buys=step) if self.flow > 0 else Curve(sells=step)


@dataclass(frozen=True, slots=True)
class TransferProof:
    """The gateway's part in a block of the parent; nothing is verified before `check`."""

    cell_id: bytes
    links: tuple[EpochLink, ...]
    certified: CertifiedHeader
    part: LeafProof

    def encode(self) -> bytes:
        """The bytes that travel."""
        leaf = self.part
        return encode(
            (
                TRANSFER_PROOF_VERSION,
                self.cell_id,
                tuple(link.value() for link in self.links),
                self.certified.value(),
                (leaf.key, leaf.value, leaf.path.index, leaf.path.size, leaf.path.path),
            )
        )

    @staticmethod
    def decode(data: bytes) -> "TransferProof":
        """A proof from its bytes. Raises `Malformed` alone."""
        match decode(data, max_bytes=PART_BYTES * MAX_PARTS):
            case (int(version), *_) if version != TRANSFER_PROOF_VERSION:
                raise Malformed(f"version {version}, where this program knows {TRANSFER_PROOF_VERSION}")
            case (int(), bytes(cell_id), tuple(links), certified, leaf) if len(cell_id) == ID_BYTES:
                return TransferProof(
                    cell_id,
                    tuple(link_from(link) for link in links),
                    certified_from(certified),
                    _leaf_from(leaf),
                )
        raise Malformed("a transfer's proof has version, cell, changes of validators, a header and a part")

    def check(self, rule: ParentRule, interval: int) -> ProvedTransfer:
        """What the parent decided for the interval. Raises `InvalidProof` with the first thing that is wrong."""
        if self.cell_id != rule.cell_id:
            raise InvalidProof("it is about another cell than the parent")
        trust = rule.trust
        for link in self.links:
            trust = trust.after(link, self.cell_id)
        trust.check(self.certified, self.cell_id)
        header, certificate = self.certified.header, self.certified.certificate
        if header.last_interval != interval:
            raise InvalidProof(f"the block cleared interval {header.last_interval}, not {interval}")
        if certificate.round - header.round > rule.last_timely_round:
            raise InvalidProof("the block was decided too late, so that it trades nothing")
        if self.part.key != PART_KEY + rule.member_above:
            raise InvalidProof("the part is not the gateway's")
        try:
            verify_outcome(header, self.part)
            return _transfer(self.part.value, interval)
        except InvalidProof:
            raise
        except PeerError as fault:
            raise InvalidProof(str(fault)) from fault


def proof_parts(proof: bytes) -> tuple[tuple[Value, ...], ...]:
    """The payloads of the TRANSFER entries that carry a proof, in order."""
    chunks = [proof[start : start + PART_BYTES] for start in range(0, len(proof), PART_BYTES)]
    return tuple((index, len(chunks), chunk) for index, chunk in enumerate(chunks))


def decode_part(payload: tuple[Value, ...]) -> tuple[int, int, bytes]:
    """Index, number of parts and bytes of a TRANSFER payload. Raises `MalformedPayload`."""
    match payload:
        case (int(index), int(count), bytes(chunk)) if (
            0 <= index < count <= MAX_PARTS and 0 < len(chunk) <= PART_BYTES
        ):
            return index, count, chunk
    raise MalformedPayload(
        f"a part of a proof is [index, count, bytes], at most {MAX_PARTS} of {PART_BYTES} bytes"
    )


def _leaf_from(value: Value) -> LeafProof:
    match value:
        case (bytes(key), bytes(leaf), int(index), int(size), tuple(path)):
            hashes = tuple(each for each in path if isinstance(each, bytes))
            if len(hashes) == len(path):
                return LeafProof(key, leaf, MapProof(index, size, hashes))
    raise Malformed("a leaf has key, value, index, size and path")


def _transfer(value: bytes, interval: int) -> ProvedTransfer:
    match decode(value, max_bytes=BLOCK_BYTES):
        case (int(), (int() | None) as price, int(position), tuple()):
            if abs(position) <= MAX_QUANTITY and abs(price or 0) <= MAX_PRICE:
                return ProvedTransfer(interval, 0 if price is None else position, price or 0)
    raise Malformed("a member's part has branch, price, position and fills")
