"""Shell: the cosignatures of a cell's log that a node holds: the newest of each witness, in one small file.

They are others' words and can be fetched again, so a damaged file is no more than a missing one. Each is
verified again when it is read.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Final

from ledger.encoding import decode, encode
from ledger.errors import PeerError
from ledger.files.durable_file import write_durably
from ledger.witnesses.messages import COSIGNATURE_BYTES, Cosignature, open_cosignature

COSIGNATURES: Final = 256
"""Witnesses of one cell: a few nodes of each of a few neighbouring cells."""

_FILE_BYTES: Final = COSIGNATURES * (COSIGNATURE_BYTES + 64)


def load_cosignatures(path: Path, cell_id: bytes) -> dict[bytes, Cosignature]:
    """The cosignatures in a file by their signer's key; none when it is missing or damaged. Raises OSError."""
    try:
        with path.open("rb") as file:
            rows = decode(file.read(_FILE_BYTES + 1), max_bytes=_FILE_BYTES)
    except (FileNotFoundError, PeerError):
        return {}
    found: dict[bytes, Cosignature] = {}
    for row in rows if isinstance(rows, tuple) else ():
        match row:
            case (bytes(signer), bytes(envelope)):
                try:
                    found[signer] = open_cosignature(envelope, cell_id, signer)
                except PeerError:
                    continue
    return found


def save_cosignatures(path: Path, cosignatures: Iterable[Cosignature]) -> None:
    """Make these the content of the file. Raises OSError."""
    newest = sorted(cosignatures, key=lambda each: each.signer)[:COSIGNATURES]
    write_durably(path, encode(tuple((each.signer, each.envelope) for each in newest)))
