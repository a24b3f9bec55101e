"""Checkpoints, cosignatures, and how cells ask each other for them: byte forms, strict both ways.

A checkpoint is the size and root of a cell's header log, as C2SP's tlog-checkpoint has them; the cell is its
origin and stands in the preimage of the signature, like everywhere. A cosignature says that its signer, whose
clock showed `time_ns` (unix), has seen this log at this size, and no other history of it.
"""

from dataclasses import dataclass
from typing import Final

from nacl.signing import SigningKey

from ledger.chain.epochs import CertifiedHeader, EpochLink, certified_from, link_from
from ledger.encoding import Value, decode, encode
from ledger.errors import Malformed
from ledger.limits import ID_BYTES
from ledger.merkle import EMPTY_ROOT
from ledger.signing import MessageType, seal, sign, unseal, verify

WITNESS_VERSION: Final = 1

COSIGNATURE_BYTES: Final = 160
"""A cosignature's envelope: a signature, a root, three integers and the framing."""

WITNESS_REQUEST_BYTES: Final = 64 * 1024
"""A request: a header with the certificate of four hundred validators, or two changes of two hundred."""

WITNESS_REPLY_BYTES: Final = 256
"""A reply: a cosignature or two integers."""

CONSISTENCY_NODES: Final = 64
"""Nodes of a consistency proof: as many as a log of 2**62 headers could need."""


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A cell's header log at one moment: the ids of the headers 1 to `size` have this root."""

    size: int
    root: bytes


NOTHING: Final = Checkpoint(0, EMPTY_ROOT)
"""The checkpoint of a log of which nothing was seen yet."""


@dataclass(frozen=True, slots=True)
class Cosignature:
    """A witness' word for a checkpoint, with its signature verified or just made."""

    signer: bytes
    checkpoint: Checkpoint
    time_ns: int
    envelope: bytes


@dataclass(frozen=True, slots=True)
class AddCheckpoint:
    """A cell asks: here is a certified header; cosign the log that it commits to.

    `old_size` and `known_from` say from where `consistency` and `links` begin: the size that the witness
    cosigned last and the height from which it knows the validators. `last` is the newest cosignature of this
    witness that the cell holds: a witness that lost its memory does not fall back behind it.
    """

    cell_id: bytes
    old_size: int
    known_from: int
    links: tuple[EpochLink, ...]
    certified: CertifiedHeader
    consistency: tuple[bytes, ...]
    last: bytes | None

    def encode(self) -> bytes:
        """The bytes of the request."""
        return encode(
            (
                WITNESS_VERSION,
                self.cell_id,
                self.old_size,
                self.known_from,
                tuple(link.value() for link in self.links),
                self.certified.value(),
                self.consistency,
                self.last,
            )
        )

    @staticmethod
    def decode(data: bytes) -> "AddCheckpoint":
        """A request from a peer; nothing in it is verified. Raises `Malformed`."""
        match decode(data, max_bytes=WITNESS_REQUEST_BYTES):
            case (
                1,
                bytes(cell_id),
                int(old_size),
                int(known_from),
                tuple(links),
                certified,
                tuple(consistency),
                (bytes() | None) as last,
            ) if len(cell_id) == ID_BYTES and old_size >= 0 and known_from >= 1:
                return AddCheckpoint(
                    cell_id,
                    old_size,
                    known_from,
                    tuple(link_from(link) for link in links),
                    certified_from(certified),
                    _nodes(consistency),
                    last,
                )
        raise Malformed("not a request for a cosignature")


@dataclass(frozen=True, slots=True)
class Cosigned:
    """The answer: a cosignature of the checkpoint that was shown, an envelope."""

    envelope: bytes

    def encode(self) -> bytes:
        """The bytes of the reply."""
        return encode((1, self.envelope))


@dataclass(frozen=True, slots=True)
class Differs:
    """The answer: begin at this size and this height instead; nothing was cosigned."""

    size: int
    known_from: int

    def encode(self) -> bytes:
        """The bytes of the reply."""
        return encode((2, self.size, self.known_from))


def decode_reply(data: bytes) -> Cosigned | Differs:
    """A witness' reply; the cosignature in it is not opened. Raises `Malformed`."""
    match decode(data, max_bytes=WITNESS_REPLY_BYTES):
        case (1, bytes(envelope)) if len(envelope) <= COSIGNATURE_BYTES:
            return Cosigned(envelope)
        case (2, int(size), int(known_from)) if size >= 0 and known_from >= 1:
            return Differs(size, known_from)
    raise Malformed("not a witness' reply")


def cosign(key: SigningKey, cell_id: bytes, checkpoint: Checkpoint, time_ns: int) -> Cosignature:
    """Sign a checkpoint of a cell's log. Only after the witness' memory holds it durably."""
    body = encode((WITNESS_VERSION, checkpoint.size, checkpoint.root, time_ns))
    envelope = seal(body, sign(key, MessageType.COSIGNATURE, cell_id, body))
    return Cosignature(key.verify_key.encode(), checkpoint, time_ns, envelope)


def open_cosignature(envelope: bytes, cell_id: bytes, signer: bytes) -> Cosignature:
    """A cosignature of a cell's log under a witness' key. Raises `Malformed` or `BadSignature`."""
    body, signature = unseal(envelope, COSIGNATURE_BYTES)
    verify(signer, MessageType.COSIGNATURE, cell_id, body, signature)
    match decode(body, max_bytes=COSIGNATURE_BYTES):
        case (1, int(size), bytes(root), int(time_ns)) if (
            size >= 1 and len(root) == ID_BYTES and time_ns >= 0
        ):
            return Cosignature(signer, Checkpoint(size, root), time_ns, envelope)
    raise Malformed("a cosignature has version, size, root and time")


def _nodes(items: tuple[Value, ...]) -> tuple[bytes, ...]:
    nodes = tuple(item for item in items if isinstance(item, bytes))
    if len(nodes) != len(items) or len(nodes) > CONSISTENCY_NODES:
        raise Malformed(f"a consistency proof has at most {CONSISTENCY_NODES} byte strings")
    return nodes
