"""A proof that stands on its own: one fact of the ledger for whoever has the genesis and nothing else.

It carries the changes of validators since the genesis, one header with its certificate, a claim with the path
that leads from the header to it, and what witnesses outside the cell have said of that header, if any. Its
size grows with the logarithm of the state, with the number of validators, and with the changes of these; not
with the height. What a claim means is the application's to say (`market.light_statement`); here it is shown
that a quorum of the cell's validators vouches for it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from ledger.chain.commitments import MEMBER_PREFIX
from ledger.chain.epochs import CertifiedHeader, EpochLink, Trust, certified_from, header_from, link_from
from ledger.chain.proofs import LeafProof, verify_head, verify_outcome, verify_state
from ledger.encoding import Value, decode, encode
from ledger.errors import InvalidProof, Malformed, PeerError
from ledger.limits import ENTRY_BYTES, ID_BYTES
from ledger.merkle import MapProof
from ledger.proofs.absence import AbsenceProof
from ledger.records.blocks import Header, header_id
from ledger.records.entries import SignedEntry, decode_entry, open_entry
from ledger.records.genesis import Genesis
from ledger.signing import MessageType, identifier
from ledger.witnesses.messages import Cosignature
from ledger.witnesses.witnessed_header import WitnessedHeader, witnessed_from

LIGHT_PROOF_VERSION: Final = 1

LIGHT_PROOF_BYTES: Final = 1024 * 1024
"""A proof: about a hundred changes of two hundred validators; one of a cell of forty has 5 KiB."""

_STATE, _OUTCOME, _ENTRY, _ABSENCE = 1, 2, 3, 4


@dataclass(frozen=True, slots=True)
class StateClaim:
    """One leaf of the application's state after the block."""

    leaf: LeafProof

    def value(self) -> Value:
        """The claim as it travels."""
        return (_STATE, _leaf_value(self.leaf))

    def check(self, header: Header, cell_id: bytes) -> None:
        """Return if the claim follows from the header; raises `PeerError`."""
        verify_state(header, self.leaf)


@dataclass(frozen=True, slots=True)
class OutcomeClaim:
    """One outcome of the block before, and what the certified block makes of it, another outcome.

    The certified header names the one before by its id, so one certificate is enough for both.
    """

    before: Header
    outcome: LeafProof
    following: LeafProof

    def value(self) -> Value:
        """The claim as it travels."""
        return (_OUTCOME, self.before.body, _leaf_value(self.outcome), _leaf_value(self.following))

    def check(self, header: Header, cell_id: bytes) -> None:
        """Return if the claim follows from the header; raises `PeerError`."""
        if header.previous != header_id(self.before, cell_id):
            raise InvalidProof("the earlier header is not the one before the certified one")
        verify_outcome(self.before, self.outcome)
        verify_outcome(header, self.following)


@dataclass(frozen=True, slots=True)
class EntryClaim:
    """An anchored entry: a member's head, and the bodies from the head back to the entry after it.

    `later` begins with the head's own body and is empty when the entry is the head.
    """

    head: LeafProof
    later: tuple[bytes, ...]
    envelope: bytes

    def value(self) -> Value:
        """The claim as it travels."""
        return (_ENTRY, _leaf_value(self.head), self.later, self.envelope)

    def check(self, header: Header, cell_id: bytes) -> None:
        """Return if the claim follows from the header; raises `PeerError`."""
        verify_head(header, self.head)
        match decode(self.head.value, max_bytes=ENTRY_BYTES):
            case (int(), int(), bytes(wanted)) if len(self.head.key) == ID_BYTES:
                pass
            case _:
                raise InvalidProof("the leaf is not the head of a feed")
        for body in self.later:
            if identifier(MessageType.ENTRY, cell_id, body) != wanted:
                raise InvalidProof("the entries do not lead from the head back to the one that is proved")
            previous = decode_entry(body).previous
            if previous is None:
                raise InvalidProof("the entries lead back beyond the first of the feed")
            wanted = previous
        if self.signed(cell_id).id != wanted:
            raise InvalidProof("the entries do not lead from the head back to the one that is proved")

    @property
    def member(self) -> bytes:
        """The id of the member whose feed it is."""
        return self.head.key

    def signed(self, cell_id: bytes) -> SignedEntry:
        """The entry, its signature verified. Raises `Malformed` or `BadSignature`."""
        return open_entry(self.envelope, cell_id)


@dataclass(frozen=True, slots=True)
class AbsenceClaim:
    """That the application's state after the block has no leaf with a key, and whom that is about.

    `record` is a member's own leaf in the same state: without it, anything is truly said of who does not exist.
    """

    absent: AbsenceProof
    record: LeafProof

    def value(self) -> Value:
        """The claim as it travels."""
        sides = (self.absent.before, self.absent.after)
        around = (None if each is None else _leaf_value(each) for each in sides)
        return (_ABSENCE, self.absent.key, *around, _leaf_value(self.record))

    def check(self, header: Header, cell_id: bytes) -> None:
        """Return if the claim follows from the header; raises `PeerError`."""
        self.absent.verify(header.state_root)
        self.record.path.verify(self.record.key, self.record.value, header.state_root)

    @property
    def member(self) -> bytes:
        """The id of the member whose record it is, or nothing where the leaf is no record."""
        prefix, member = self.record.key[:1], self.record.key[1:]
        return member if prefix == MEMBER_PREFIX else b""


Claim = StateClaim | OutcomeClaim | EntryClaim | AbsenceClaim


@dataclass(frozen=True, slots=True)
class LightProof:
    """A claim under a certified header, and how the header's validators follow from the genesis."""

    cell_id: bytes
    links: tuple[EpochLink, ...]
    certified: CertifiedHeader
    claim: Claim
    witnessed: tuple[WitnessedHeader, ...] = ()

    def encode(self) -> bytes:
        """The bytes of the proof file."""
        return encode(
            (
                LIGHT_PROOF_VERSION,
                self.cell_id,
                tuple(link.value() for link in self.links),
                self.certified.value(),
                self.claim.value(),
                tuple(each.value() for each in self.witnessed),
            )
        )

    @staticmethod
    def decode(data: bytes) -> "LightProof":
        """A proof from its bytes; nothing is verified before `check`. Raises `Malformed` alone."""
        match decode(data, max_bytes=LIGHT_PROOF_BYTES):
            case (int(version), *_) if version != LIGHT_PROOF_VERSION:
                raise Malformed(f"version {version}, where this program knows {LIGHT_PROOF_VERSION}")
            case (int(), bytes(cell_id), tuple(links), certified, claim, tuple(witnessed)) if (
                len(cell_id) == ID_BYTES
            ):
                return LightProof(
                    cell_id,
                    tuple(link_from(link) for link in links),
                    certified_from(certified),
                    _claim_from(claim),
                    tuple(witnessed_from(each) for each in witnessed),
                )
        raise Malformed(
            "a proof has version, cell, changes of validators, a certified header, a claim and witnesses"
        )

    def check(self, genesis: Genesis) -> None:
        """Return if the claim is part of the cell's ledger as its validators decided it and witnesses saw it.

        Every part has to hold, whether or not anybody asked for it. Raises `InvalidProof` with the first thing
        that is wrong.
        """
        if self.cell_id != genesis.cell_id:
            raise InvalidProof(
                f"it is about cell {self.cell_id.hex()}, and the genesis founds {genesis.cell_id.hex()}"
            )
        trust = Trust.founding(genesis)
        for link in self.links:
            trust = trust.after(link, self.cell_id)
        trust.check(self.certified, self.cell_id)
        try:
            self.claim.check(self.certified.header, self.cell_id)
        except InvalidProof:
            raise
        except PeerError as fault:
            raise InvalidProof(str(fault)) from fault
        self.cosignatures()

    def cosignatures(self) -> tuple[Cosignature, ...]:
        """What witnesses have cosigned of a log that holds the certified header. Raises `InvalidProof`."""
        return tuple(each.check(self.certified.header, self.cell_id) for each in self.witnessed)


def _leaf_value(leaf: LeafProof) -> Value:
    return (leaf.key, leaf.value, leaf.path.index, leaf.path.size, leaf.path.path)


def _leaf_from(value: Value) -> LeafProof:
    match value:
        case (bytes(key), bytes(leaf), int(index), int(size), tuple(path)):
            return LeafProof(key, leaf, MapProof(index, size, _byte_strings(path, "a path")))
    raise Malformed("a leaf has key, value, index, size and path")


def _claim_from(value: Value) -> Claim:
    match value:
        case (1, leaf):
            return StateClaim(_leaf_from(leaf))
        case (2, bytes(before), outcome, following):
            return OutcomeClaim(header_from(before), _leaf_from(outcome), _leaf_from(following))
        case (3, head, tuple(later), bytes(envelope)):
            return EntryClaim(_leaf_from(head), _byte_strings(later, "the later entries"), envelope)
        case (4, bytes(key), before, after, record):
            sides = (None if each is None else _leaf_from(each) for each in (before, after))
            return AbsenceClaim(AbsenceProof(key, *sides), _leaf_from(record))
    raise Malformed("not a claim that this program knows")


def _byte_strings(items: Sequence[Value], what: str) -> tuple[bytes, ...]:
    found = tuple(item for item in items if isinstance(item, bytes))
    if len(found) != len(items):
        raise Malformed(f"{what} consists of byte strings")
    return found
