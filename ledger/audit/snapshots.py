"""The audit of snapshots: the one that a pruned ledger stands on, and that all others are what the chain leads to."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, Protocol

from ledger.audit.checks import AuditedEntries, AuditFault
from ledger.chain.application import Application, State
from ledger.chain.chain import Tip, genesis_tip
from ledger.chain.epochs import EpochLink
from ledger.chain.replay import BlockArchive, Replayed, edge_of, stored_tip
from ledger.chain.state_snapshot import decode_cover, take_snapshot
from ledger.records.entries import SignedEntry
from ledger.records.genesis import Genesis
from ledger.records.rows import BlockRow
from ledger.records.validators import ValidatorSet


class AuditedArchive(BlockArchive, Protocol):
    """The stored blocks and snapshots, with the numbers of the parts that are stored."""

    def first_block(self) -> int:
        """The height of the first stored block; beyond the last one without any."""
        ...

    def part_numbers(self, height: int) -> list[int]:
        """The parts stored of a snapshot, ascending; 0 is its cover."""
        ...


@dataclass(frozen=True, slots=True)
class Stand(Generic[State]):
    """From where an audit begins: the genesis, or the snapshot at the base of a pruned ledger.

    `validators` has those of every height through the second after the tip.
    """

    tip: Tip[State]
    epochs: tuple[EpochLink, ...]
    validators: Mapping[int, ValidatorSet]


@dataclass(frozen=True, slots=True)
class Following:
    """The audited entries and the stored blocks, for replay."""

    archive: AuditedArchive
    audited: AuditedEntries

    def entries(self, member: bytes, incarnation: int, after: int, through: int) -> list[SignedEntry]:
        """Audited entries; raises `MissingEntries`."""
        return self.audited.entries(member, incarnation, after, through)

    def base(self) -> int:
        """The height of the snapshot that the ledger stands on."""
        return self.archive.base()

    def height(self) -> int:
        """The height of the last stored block."""
        return self.archive.height()

    def block(self, height: int) -> BlockRow | None:
        """A stored block."""
        return self.archive.block(height)

    def snapshots(self) -> Sequence[int]:
        """The heights of the stored snapshots."""
        return self.archive.snapshots()

    def snapshot_part(self, height: int, part: int) -> bytes | None:
        """A stored cover or part."""
        return self.archive.snapshot_part(height, part)


def first_stand(archive: AuditedArchive, genesis: Genesis, application: Application[State]) -> Stand[State]:
    """Where this ledger can be followed from. Raises `AuditFault` or `CorruptBlock` where the base does not hold."""
    base = archive.base()
    founded = genesis_tip(genesis, application)
    if not base:
        return Stand(founded, (), {1: founded.validators, 2: founded.next_validators})
    if base < 0:
        raise AuditFault("cell row", "a base of 0 or more", str(base))
    if archive.first_block() <= base:
        raise AuditFault(
            f"block {archive.first_block()}", f"no block before {base + 1}, the first kept", "a row"
        )
    tip, cover = stored_tip(archive, base, genesis, application)
    validators = dict(_validators_by_height(founded.validators, cover.epochs, base))
    validators |= {base + 1: tip.validators, base + 2: tip.next_validators}
    return Stand(tip, cover.epochs, validators)


class SnapshotAudit(Generic[State]):
    """Compares every stored snapshot with the one that the chain gives at its height."""

    def __init__(self, archive: AuditedArchive, application: Application[State], start: Stand[State]) -> None:
        """Raises `AuditFault` when rows are too many at the snapshot that was started from."""
        self._archive = archive
        self._application = application
        self._epochs = start.epochs
        self._left = set(archive.snapshots())
        base = start.tip.height
        if base:
            self._left.discard(base)
            cover = decode_cover(archive.snapshot_part(base, 0) or b"")
            self._require_parts(base, len(cover.parts))

    def compare(self, replayed: Replayed[State]) -> None:
        """A block was derived: the snapshot that is stored of it must be its. Raises `AuditFault`."""
        tip = replayed.tip
        self._epochs += edge_of(replayed.block.header, replayed.certificate, tip)
        if tip.height not in self._left:
            return
        self._left.discard(tip.height)
        header, certificate = replayed.block.header, replayed.certificate
        expected = take_snapshot(tip, self._application, header, certificate, self._epochs)
        self._require_parts(tip.height, len(expected.parts))
        for number, data in enumerate((expected.cover, *expected.parts)):
            if self._archive.snapshot_part(tip.height, number) != data:
                where = f"snapshot of block {tip.height}, part {number}"
                raise AuditFault(where, "what the chain leads to", "something else")

    def finish(self) -> None:
        """All blocks were derived. Raises `AuditFault` for a snapshot of none of them."""
        for height in sorted(self._left):
            raise AuditFault(f"snapshot of block {height}", "a block at its height", "none that was derived")

    def _require_parts(self, height: int, count: int) -> None:
        found = self._archive.part_numbers(height)
        if found != list(range(count + 1)):
            raise AuditFault(f"snapshot of block {height}", f"parts 0 to {count}", f"parts {found}")


def _validators_by_height(
    founders: ValidatorSet, epochs: tuple[EpochLink, ...], through: int
) -> Iterator[tuple[int, ValidatorSet]]:
    changes = {epoch.header.height + 1: epoch.following for epoch in epochs}
    validators = founders
    for height in range(1, through + 1):
        validators = changes.get(height, validators)
        yield height, validators
