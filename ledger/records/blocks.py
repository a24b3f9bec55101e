"""Headers and blocks: what the validators agree on, and its one byte form.

A block names feed heads and contains no entries. Its id is the identifier of its header, and the header
commits to everything else: to the heads through `feeds_root` (the map of every member's head after the
block), to the evidence through `evidence_root` and to the last certificate through its hash. So two blocks
with one id are one block.
"""

from dataclasses import dataclass, fields
from functools import lru_cache
from itertools import pairwise

from ledger.encoding import Value, decode, encode
from ledger.errors import InvalidBlock
from ledger.heads import Head
from ledger.limits import BLOCK_BYTES, ID_BYTES
from ledger.merkle import root
from ledger.records import protocols
from ledger.records.votes import Certificate
from ledger.signing import MessageType, identifier


@dataclass(frozen=True, slots=True)
class Header:
    """The agreed summary of one block; heights start at 1 and `previous` of block 1 is the cell id.

    `version` is that of the protocol in force. `proposer` is an index into the validators of this height, `round`
    the one in which the block was first proposed. `log_size` and `log_root` commit to the ids of
    the headers 1 to height - 1. `time_ns` is cell time.
    """

    version: int
    height: int
    previous: bytes
    first_interval: int
    last_interval: int
    time_ns: int
    proposer: int
    round: int
    validators_hash: bytes
    next_validators_hash: bytes
    clearing_hash: bytes
    feeds_root: bytes
    state_root: bytes
    log_size: int
    log_root: bytes
    last_certificate_hash: bytes | None
    evidence_root: bytes

    @property
    def body(self) -> bytes:
        """The canonical bytes that the block id is taken of."""
        return _header_body(self)


@dataclass(frozen=True, slots=True)
class Block:
    """One block. `heads` are those that moved, sorted by member; `evidence` is encoded and sorted."""

    header: Header
    heads: tuple[Head, ...]
    evidence: tuple[bytes, ...]
    last_certificate: Certificate | None

    def block_id(self, cell_id: bytes) -> bytes:
        """The id that votes and certificates name."""
        return header_id(self.header, cell_id)

    def encode(self) -> bytes:
        """The block's canonical bytes."""
        certificate = self.last_certificate
        return encode(
            (
                self.header.body,
                tuple((head.member, head.incarnation, head.sequence, head.id) for head in self.heads),
                self.evidence,
                None if certificate is None else certificate.encode(),
            )
        )


def header_id(header: Header, cell_id: bytes) -> bytes:
    """The id of a block with this header."""
    return identifier(MessageType.HEADER, cell_id, header.body)


def evidence_root(evidence: tuple[bytes, ...]) -> bytes:
    """What a header commits to for this evidence."""
    return root(evidence)


def decode_header(body: bytes) -> Header:
    """A header from its canonical bytes. Raises `Malformed` or `InvalidBlock`."""
    value = decode(body, max_bytes=BLOCK_BYTES)
    names = fields(Header)
    if not isinstance(value, tuple) or len(value) != len(names):
        raise InvalidBlock(f"a header has {len(names)} fields")
    for item, field in zip(value, names, strict=True):
        if field.type is int:
            _require_natural(item, field.name)
        elif not (item is None and field.name == "last_certificate_hash"):
            _require_hash(item, field.name)
    header = Header(*value)  # type: ignore[arg-type]  # each field was checked against its type above
    if header.version not in protocols.known():
        raise InvalidBlock(
            f"header version {header.version} is unknown; this software knows {protocols.known()}: upgrade it"
        )
    return header


def decode_block(data: bytes) -> Block:
    """A block from its canonical bytes, consistent with its header. Raises `Malformed` or `InvalidBlock`."""
    value = decode(data, max_bytes=BLOCK_BYTES)
    if not isinstance(value, tuple) or len(value) != 4:
        raise InvalidBlock("a block has four parts")
    header_body, heads, evidence, certificate = value
    block = Block(
        decode_header(_require_bytes(header_body, "header")),
        tuple(_decode_head(item) for item in _require_tuple(heads, "heads")),
        tuple(_require_bytes(item, "evidence") for item in _require_tuple(evidence, "evidence")),
        None if certificate is None else Certificate.decode(_require_bytes(certificate, "certificate")),
    )
    _check_own_commitments(block)
    return block


def _check_own_commitments(block: Block) -> None:
    members = [head.member for head in block.heads]
    if any(left >= right for left, right in pairwise(members)):
        raise InvalidBlock("heads are not sorted by member, or one appears twice")
    if any(left >= right for left, right in pairwise(block.evidence)):
        raise InvalidBlock("evidence is not sorted, or one appears twice")
    if block.header.evidence_root != evidence_root(block.evidence):
        raise InvalidBlock("the evidence is not what the header commits to")
    certificate_hash = None if block.last_certificate is None else block.last_certificate.hash()
    if block.header.last_certificate_hash != certificate_hash:
        raise InvalidBlock("the last certificate is not what the header commits to")


def _decode_head(value: Value) -> Head:
    item = _require_tuple(value, "head")
    if len(item) != 4:
        raise InvalidBlock("a head has four fields")
    member, incarnation, sequence, entry_id = item
    return Head(
        _require_hash(member, "head member"),
        _require_natural(incarnation, "head incarnation"),
        _require_natural(sequence, "head sequence"),
        _require_hash(entry_id, "head id"),
    )


@lru_cache(maxsize=256)
def _header_body(header: Header) -> bytes:
    return encode(tuple(getattr(header, field.name) for field in fields(Header)))


def _require_tuple(value: Value, name: str) -> tuple[Value, ...]:
    if not isinstance(value, tuple):
        raise InvalidBlock(f"{name} is not an array")
    return value


def _require_bytes(value: Value, name: str) -> bytes:
    if not isinstance(value, bytes):
        raise InvalidBlock(f"{name} is not a byte string")
    return value


def _require_hash(value: Value, name: str) -> bytes:
    if len(_require_bytes(value, name)) != ID_BYTES:
        raise InvalidBlock(f"{name} is not {ID_BYTES} bytes")
    assert isinstance(value, bytes)
    return value


def _require_natural(value: Value, name: str) -> int:
    if not isinstance(value, int) or value < 0:
        raise InvalidBlock(f"{name} is not a non-negative integer")
    return value
