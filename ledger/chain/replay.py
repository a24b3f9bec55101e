"""Following decided blocks: the chain from certificates alone, as at start, in catching up and in an audit.

Nothing is trusted for having been stored: each block is decoded, its certificate checked, its entries chained
and its roots derived again.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Generic, Protocol

from ledger.chain.application import Application, Outcomes, State
from ledger.chain.chain import EntrySource, Tip, extend, genesis_tip
from ledger.chain.epochs import CertifiedHeader, EpochLink
from ledger.chain.state_snapshot import Cover, decode_cover, restore
from ledger.errors import Corrupt, InvalidBlock, InvalidCertificate, Malformed, MissingEntries, PeerError
from ledger.records.blocks import Block, Header, decode_block
from ledger.records.genesis import Genesis
from ledger.records.rows import BlockRow
from ledger.records.validators import ValidatorSet
from ledger.records.votes import Certificate


class BlockArchive(EntrySource, Protocol):
    """A source of entries that also holds the decided blocks."""

    def height(self) -> int:
        """The height of the last block, 0 without one."""
        ...

    def block(self, height: int) -> BlockRow | None:
        """The block at a height."""
        ...

    def base(self) -> int:
        """The height of the snapshot from which the chain can be followed; 0 is the genesis."""
        ...

    def snapshots(self) -> Sequence[int]:
        """The heights of the stored snapshots, ascending."""
        ...

    def snapshot_part(self, height: int, part: int) -> bytes | None:
        """The cover of a snapshot (part 0), or one of its parts (from 1 on)."""
        ...


class CorruptBlock(Corrupt):
    """A stored block that does not follow from what is before it."""

    def __init__(self, height: int, expected: str, found: str) -> None:
        super().__init__(f"block {height}: expected {expected}, found {found}")
        self.height = height
        self.expected = expected
        self.found = found


@dataclass(frozen=True, slots=True)
class Replayed(Generic[State]):
    """One block of a chain that is followed, with the tip after it and what followed from it."""

    block: Block
    certificate: Certificate
    tip: Tip[State]
    outcomes: Outcomes


def follow(
    tip: Tip[State],
    application: Application[State],
    block: Block,
    certificate: Certificate,
    source: EntrySource,
) -> tuple[Tip[State], Outcomes]:
    """The tip after a decided block that somebody else shows, and its outcomes.

    Raises `InvalidCertificate` when the certificate is not one for this block, and what `extend` raises.
    `InvalidBlock` under a good certificate means that a quorum agreed on what this software finds wrong:
    stop.
    """
    cell_id = tip.genesis.cell_id
    if (certificate.height, certificate.block_id) != (block.header.height, block.block_id(cell_id)):
        raise InvalidCertificate("the certificate is for another block")
    if certificate.height != tip.height + 1:
        raise InvalidBlock(f"block {certificate.height} does not follow block {tip.height}")
    certificate.check(cell_id, tip.validators)
    return extend(tip, application, block, source)


def replay(
    archive: BlockArchive, genesis: Genesis, application: Application[State], start: Tip[State] | None = None
) -> Iterator[Replayed[State]]:
    """Every stored block after `start` (by default `first_tip`) in order, verified against all before it.

    Raises `CorruptBlock` at the first that fails.
    """
    tip = first_tip(archive, genesis, application) if start is None else start
    for height in range(tip.height + 1, archive.height() + 1):
        replayed = _replay_one(archive, application, tip, height)
        tip = replayed.tip
        yield replayed


def first_tip(archive: BlockArchive, genesis: Genesis, application: Application[State]) -> Tip[State]:
    """From where the stored blocks can be followed: the genesis or, after pruning, a snapshot. Raises
    `CorruptBlock`.
    """
    base = archive.base()
    return stored_tip(archive, base, genesis, application)[0] if base else genesis_tip(genesis, application)


def load_chain(archive: BlockArchive, genesis: Genesis, application: Application[State]) -> Tip[State]:
    """The tip after all stored blocks, the genesis tip without any. Raises `CorruptBlock`."""
    tip = first_tip(archive, genesis, application)
    for replayed in replay(archive, genesis, application, tip):
        tip = replayed.tip
    return tip


def stored_cover(archive: BlockArchive, height: int, genesis: Genesis, founders: ValidatorSet) -> Cover:
    """The cover of a stored snapshot, compared with the block where that is stored. Raises `CorruptBlock`."""
    data = archive.snapshot_part(height, 0)
    try:
        if data is None:
            raise Malformed("its cover is not stored")
        cover = decode_cover(data)
        cover.check(genesis.cell_id, founders)
    except PeerError as fault:
        raise CorruptBlock(height, "a snapshot of the state after it", str(fault)) from fault
    row = archive.block(height)
    if row is None and height != archive.base():
        raise CorruptBlock(height, "a row, because its snapshot is stored", "none")
    if row is not None and row.certificate != cover.certificate.encode():
        raise CorruptBlock(height, "the certificate in its snapshot", "another certificate")
    if cover.header.height != height or (row is not None and row.id != cover.certificate.block_id):
        raise CorruptBlock(height, "a snapshot of this very block", f"one of block {cover.header.height}")
    return cover


def stored_tip(
    archive: BlockArchive, height: int, genesis: Genesis, application: Application[State]
) -> tuple[Tip[State], Cover]:
    """The tip of a stored snapshot, verified down to the genesis, with its cover. Raises `CorruptBlock`."""
    founders = genesis_tip(genesis, application).validators
    cover = stored_cover(archive, height, genesis, founders)
    parts = (archive.snapshot_part(height, 1 + index) or b"" for index in range(len(cover.parts)))
    try:
        return restore(cover, parts, genesis, application), cover
    except PeerError as fault:
        raise CorruptBlock(height, "a snapshot of the state after it", str(fault)) from fault


def edge_of(header: Header, certificate: Certificate, tip: Tip[State]) -> tuple[EpochLink, ...]:
    """The epoch that ends with a block, when the validators change after it; `tip` is the one after the block."""
    return (
        ()
        if tip.validators == tip.deciders
        else (EpochLink(CertifiedHeader(header, certificate), tip.validators.keys),)
    )


def _replay_one(
    archive: BlockArchive, application: Application[State], tip: Tip[State], height: int
) -> Replayed[State]:
    row = archive.block(height)
    if row is None:
        raise CorruptBlock(height, "a row, because later blocks are stored", "none")
    try:
        block = decode_block(row.block)
        certificate = Certificate.decode(row.certificate)
        block_id = block.block_id(tip.genesis.cell_id)
        if row.id != block_id:
            raise CorruptBlock(height, f"id {block_id.hex()}", row.id.hex())
        next_tip, outcomes = follow(tip, application, block, certificate, archive)
    except PeerError as fault:
        raise CorruptBlock(height, f"a decided block after block {tip.height}", str(fault)) from fault
    except MissingEntries as fault:
        head = fault.wanted[0]
        raise CorruptBlock(
            height,
            f"the entries of member {head.member.hex()} up to sequence {head.sequence} of incarnation"
            f" {head.incarnation}, id {head.id.hex()}",
            "they are not stored, or are others",
        ) from fault
    return Replayed(block, certificate, next_tip, outcomes)
