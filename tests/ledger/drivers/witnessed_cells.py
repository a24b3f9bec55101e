"""Cells of the toy application that witnesses look at, and a disk for a witness' memory."""

from dataclasses import replace
from hashlib import sha256

from nacl.signing import SigningKey

from ledger.chain.epochs import CertifiedHeader
from ledger.witnesses.asking import CellHistory
from ledger.witnesses.book import Witness, WitnessBook
from ledger.witnesses.messages import AddCheckpoint
from ledger.witnesses.witness import MayCosign, Remembered, consider

WITNESS_KEY = SigningKey(b"w" * 32)
WITNESS = WITNESS_KEY.verify_key.encode()
NOW_NS = 1_700_000_000 * 10**9


class Disk:
    """A durable file in memory, which may be full."""

    def __init__(self, content: bytes) -> None:
        self.content = content
        self.full = False

    def read(self) -> bytes:
        return self.content

    def write(self, offset: int, data: bytes) -> None:
        raise AssertionError("the memory is replaced whole")

    def flush(self) -> None:
        """Nothing waits."""

    def replace(self, data: bytes) -> None:
        if self.full:
            raise OSError("no space left")
        self.content = data

    def close(self) -> None:
        """Nothing to give back."""


BLANK = bytes.fromhex("820180") + sha256(bytes.fromhex("820180")).digest()
"""The memory of a witness that has cosigned nothing."""


def grown(cell, blocks: int):
    """The cell with so many more blocks."""
    for _ in range(blocks):
        cell.author(0)
        cell.decide()
    return cell


def history_of(cell, height: int | None = None) -> CellHistory:
    history = CellHistory(
        cell.cell_id,
        lambda at: CertifiedHeader(cell.blocks[at - 1][0].header, cell.blocks[at - 1][1]),
        lambda _: cell.tip.validators.keys,
    )
    for block, _ in cell.blocks[:height]:
        history.append(block.header)
    return history


def witness_of(cell, disk: Disk) -> Witness:
    return Witness(WITNESS_KEY, WitnessBook(disk), {cell.cell_id: cell.genesis})


def shown(cell, height: int, old: int = 0, **changes: object) -> AddCheckpoint:
    request = history_of(cell, height).show(old, old + 1, None)
    assert request is not None
    return replace(request, **changes)


def remembered(cell, height: int) -> Remembered:
    verdict = consider(Remembered.of(cell.genesis), shown(cell, height))
    assert isinstance(verdict, MayCosign)
    return verdict.remembered


def fork(cell, new_cell, height: int):
    """The same cell with another block at a height, as only a lying quorum could certify one."""
    other = new_cell()
    grown(other, height - 1)
    other.decide(time_ns=10**6)
    return grown(other, 3)
