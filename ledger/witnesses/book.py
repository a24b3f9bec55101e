"""Shell: a witness' memory on disk, and the only place where cosignatures are made: remembered first, then signed.

The file holds, for each cell, the last checkpoint that was cosigned and the validators known from it. It is
replaced whole, all or nothing, with a checksum; a damaged one is refused, since a witness that forgets could
cosign a second history.
"""

from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from typing import Final

from nacl.signing import SigningKey

from ledger.chain.epochs import Trust
from ledger.encoding import Value, decode, encode
from ledger.errors import BadSignature, Corrupt, DoubleSign, InvalidProof, Malformed
from ledger.files.durable_file import DiskFile, DurableFile
from ledger.limits import ID_BYTES, KEY_BYTES
from ledger.records.genesis import Genesis
from ledger.records.validators import ValidatorSet
from ledger.witnesses.messages import (
    NOTHING,
    AddCheckpoint,
    Checkpoint,
    Cosignature,
    Cosigned,
    Differs,
    cosign,
    open_cosignature,
)
from ledger.witnesses.witness import MayCosign, Remembered, consider

WITNESSED_CELLS: Final = 64
"""Cells that one node watches: a feeder has a handful of neighbours."""

BOOK_BYTES: Final = 1024 * 1024
"""The file: `WITNESSED_CELLS` with four hundred validators each."""

_VERSION: Final = 1
_CHECKSUM_BYTES: Final = 32


class WitnessBook:
    """What one identity has cosigned, by cell id. `advance` is durable when it returns."""

    def __init__(self, file: DurableFile) -> None:
        """Read the file; raises Corrupt when it is not what was written last."""
        self._file = file
        self._cells = _read(file.read())

    @classmethod
    def open(cls, path: Path) -> "WitnessBook":
        """The book at `path`, an empty one where there is none. Raises Corrupt or OSError."""
        return cls(DiskFile(path) if path.exists() else DiskFile.create(path, _written({})))

    def known(self, cell_id: bytes) -> Remembered | None:
        """What is remembered of a cell, None before the first cosignature."""
        return self._cells.get(cell_id)

    def advance(self, cell_id: bytes, remembered: Remembered) -> None:
        """Remember that this checkpoint is about to be cosigned, durably; the same again needs no write.

        Raises DoubleSign for a smaller log or another one of the same size, and OSError: then do not sign.
        """
        before, now = self._checkpoint(cell_id), remembered.checkpoint
        if now.size < before.size or (now.size == before.size and now.root != before.root):
            raise DoubleSign(f"a log of {now.size} headers after one of {before.size} was cosigned")
        if self._cells.get(cell_id) == remembered:
            return
        cells = {**self._cells, cell_id: remembered}
        if len(cells) > WITNESSED_CELLS:
            raise DoubleSign(f"a witness remembers at most {WITNESSED_CELLS} cells")
        self._file.replace(_written(cells))
        self._cells = cells

    def close(self) -> None:
        """Close the file; everything in it is durable."""
        self._file.close()

    def _checkpoint(self, cell_id: bytes) -> Checkpoint:
        remembered = self._cells.get(cell_id)
        return NOTHING if remembered is None else remembered.checkpoint


class Witness:
    """Cosigns the logs of the cells whose genesis it was given, each with its memory first."""

    def __init__(self, key: SigningKey, book: WitnessBook, cells: Mapping[bytes, Genesis]) -> None:
        self._key = key
        self._book = book
        self._cells = cells

    def answer(self, request: bytes, now_ns: int) -> Cosigned | Differs:
        """The answer to a cell that asks; `now_ns` is unix time.

        Raises `PeerError` for a request that breaks a rule, and DoubleSign or OSError when the memory cannot
        be written: in all these cases nothing was signed.
        """
        asked = AddCheckpoint.decode(request)
        genesis = self._cells.get(asked.cell_id)
        if genesis is None:
            raise InvalidProof(f"cell {asked.cell_id.hex()} is not one that this node witnesses")
        known = self._book.known(asked.cell_id) or Remembered.of(genesis)
        verdict = consider(known, asked, self._own(asked))
        if isinstance(verdict, Differs):
            return verdict
        return Cosigned(self._sign(asked.cell_id, verdict, now_ns).envelope)

    def _own(self, asked: AddCheckpoint) -> Cosignature | None:
        """The cosignature in a request, if this witness made it; another's says nothing about its memory."""
        if asked.last is None:
            return None
        try:
            return open_cosignature(asked.last, asked.cell_id, self._key.verify_key.encode())
        except (BadSignature, Malformed):
            return None

    def _sign(self, cell_id: bytes, allowed: MayCosign, now_ns: int) -> Cosignature:
        self._book.advance(cell_id, allowed.remembered)
        return cosign(self._key, cell_id, allowed.remembered.checkpoint, now_ns)


def _written(cells: Mapping[bytes, Remembered]) -> bytes:
    rows = tuple(
        (
            cell_id,
            each.checkpoint.size,
            each.checkpoint.root,
            each.trust.height,
            each.trust.validators.keys,
        )
        for cell_id, each in sorted(cells.items())
    )
    content = encode((_VERSION, rows))
    return content + sha256(content).digest()


def _read(data: bytes) -> dict[bytes, Remembered]:
    content, checksum = data[:-_CHECKSUM_BYTES], data[-_CHECKSUM_BYTES:]
    if sha256(content).digest() != checksum:
        raise Corrupt("the witness' memory is damaged: what this node cosigned is unknown")
    try:
        match decode(content, max_bytes=BOOK_BYTES):
            case (1, tuple(rows)):
                return dict(_row(row) for row in rows)
    except (Malformed, ValueError) as fault:
        raise Corrupt(f"the witness' memory: {fault}") from fault
    raise Corrupt("the witness' memory is of another version")


def _row(row: Value) -> tuple[bytes, Remembered]:
    match row:
        case (bytes(cell_id), int(size), bytes(root), int(height), tuple(keys)):
            known = tuple(key for key in keys if isinstance(key, bytes) and len(key) == KEY_BYTES)
            if len(cell_id) == len(root) == ID_BYTES and len(known) == len(keys):
                return cell_id, Remembered(Checkpoint(size, root), Trust(height, ValidatorSet(known)))
    raise Malformed("a row has cell, size, root, height and validators")
