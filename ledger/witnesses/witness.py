"""A witness of other cells' logs: what it may cosign, by the rules of C2SP's tlog-witness. No I/O.

A witness cosigns a checkpoint only when it is certified by the cell's validators, at least as large as the
last one that it cosigned, and proved to continue that one. So two histories of one cell never both get its
cosignature. What it will sign next has to be in its memory, durably, before it signs (`ledger.witnesses.book`).
"""

from dataclasses import dataclass, replace

from ledger.chain.epochs import Trust
from ledger.errors import InvalidProof
from ledger.merkle import verify_consistency
from ledger.records.genesis import Genesis
from ledger.witnesses.messages import NOTHING, AddCheckpoint, Checkpoint, Cosignature, Differs


class ForkShown(InvalidProof):
    """A cell's validators certified another history than the one that was cosigned: a quorum of them lies."""


@dataclass(frozen=True, slots=True)
class Remembered:
    """What a witness knows of a cell: the last checkpoint it cosigned, and the validators from a height on."""

    checkpoint: Checkpoint
    trust: Trust

    @staticmethod
    def of(genesis: Genesis) -> "Remembered":
        """What a witness knows of a cell that it never saw."""
        return Remembered(NOTHING, Trust.founding(genesis))


@dataclass(frozen=True, slots=True)
class MayCosign:
    """The checkpoint may be cosigned once this is remembered, durably."""

    remembered: Remembered


def consider(
    known: Remembered, asked: AddCheckpoint, own_last: Cosignature | None = None
) -> MayCosign | Differs:
    """Whether a witness that remembers this may cosign what a cell shows it.

    `own_last` is the cosignature in the request, opened under the witness' own key: where it is ahead of what
    is remembered, the memory is an old copy, and the cosignature counts. Raises `InvalidProof`, as `ForkShown`
    when validators certified two histories.
    """
    if own_last is not None:
        known = _caught_up(known, own_last.checkpoint)
    last = known.checkpoint
    if (asked.old_size, asked.known_from) != (last.size, known.trust.height):
        return Differs(last.size, known.trust.height)
    trust = known.trust
    for link in asked.links:
        trust = trust.after(link, asked.cell_id)
    trust.check(asked.certified, asked.cell_id)
    header = asked.certified.header
    shown = Checkpoint(header.log_size, header.log_root)
    if shown.size != header.height - 1 or shown.size < 1:
        raise InvalidProof(f"block {header.height} commits to a log of {shown.size} headers")
    if shown.size < last.size:
        raise InvalidProof(f"a log of {shown.size} headers, after one of {last.size} was cosigned")
    if shown.size == last.size and shown.root != last.root:
        raise ForkShown(f"two logs of {shown.size} headers are certified")
    _check_consistency(last, shown, asked.consistency)
    return MayCosign(Remembered(shown, Trust(header.height, trust.validators)))


def _caught_up(known: Remembered, own: Checkpoint) -> Remembered:
    if own.size > known.checkpoint.size:
        return replace(known, checkpoint=own)
    if own.size == known.checkpoint.size and own.root != known.checkpoint.root:
        raise InvalidProof(f"this witness' own cosignature is for another log of {own.size} headers")
    return known


def _check_consistency(old: Checkpoint, new: Checkpoint, proof: tuple[bytes, ...]) -> None:
    if old.size:
        verify_consistency(old.size, old.root, new.size, new.root, proof)
    elif proof:
        raise InvalidProof("the first checkpoint needs no consistency proof")
