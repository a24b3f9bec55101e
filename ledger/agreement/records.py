"""The records of the write-ahead log: what this node is about to sign, what it heard and counted, and the blocks it
is about to prevote.

A record is ``[kind, bytes]``. What is about to be signed is kept as its bare body; what was heard is kept
with its signature, because a restarted node must be able to show it to others (the quorum of a valid round).
A block is kept before it is prevoted, in pieces: when the whole cell loses power with a lock on a block, somebody
must still have it.
"""

from collections.abc import Iterable

from ledger.agreement.events import Record
from ledger.encoding import decode, encode
from ledger.errors import Corrupt, PeerError
from ledger.files.write_ahead_log import RECORD_BYTES as LOG_RECORD_BYTES
from ledger.limits import PROPOSAL_BYTES, VOTE_BYTES
from ledger.records.validators import ValidatorSet
from ledger.records.votes import (
    Proposal,
    SignedProposal,
    SignedVote,
    Step,
    Vote,
    decode_proposal,
    decode_vote,
    open_proposal,
    open_vote,
)
from ledger.signing import unseal

RECORD_BYTES = PROPOSAL_BYTES + 8
"""The largest record: a proposal's envelope and its framing."""

PIECE_BYTES = 3 * 1024
"""Of a block in one record of the log."""

_CAST_VOTE, _CAST_PROPOSAL, _HEARD_VOTE, _HEARD_PROPOSAL, _BLOCK_PIECE = range(5)


def encode_record(record: Record) -> bytes:
    """The bytes of one record."""
    match record:
        case Vote():
            return encode((_CAST_VOTE, record.encode()))
        case Proposal():
            return encode((_CAST_PROPOSAL, record.encode()))
        case SignedVote():
            return encode((_HEARD_VOTE, record.envelope))
        case SignedProposal():
            return encode((_HEARD_PROPOSAL, record.envelope))


def block_records(block: bytes) -> tuple[bytes, ...]:
    """The records that keep an encoded block."""
    return tuple(
        encode((_BLOCK_PIECE, len(block), offset, block[offset : offset + PIECE_BYTES]))
        for offset in range(0, len(block), PIECE_BYTES)
    )


def read_blocks(records: Iterable[bytes]) -> tuple[bytes, ...]:
    """The encoded blocks that the records keep; one whose end is torn off is left out."""
    blocks: list[bytes] = []
    block = b""
    for record in records:
        match decode(record, max_bytes=LOG_RECORD_BYTES):
            case (4, int(size), int(offset), bytes(piece)):
                block = block[:offset] + piece
                if len(block) == size:
                    blocks.append(block)
    return tuple(blocks)


def read_records(
    records: Iterable[bytes], height: int, cell_id: bytes, validators: ValidatorSet
) -> tuple[Record, ...]:
    """The records of one height, verified; those of other heights are left out.

    Raises Corrupt for a record that this node cannot have written.
    """
    try:
        found = (_read(record, height, cell_id, validators) for record in records)
        return tuple(record for record in found if record is not None)
    except PeerError as fault:
        raise Corrupt(f"the write-ahead log holds what was never accepted: {fault}") from fault


def log_is_behind(records: Iterable[Record], height: int, signed: tuple[int, int, Step]) -> bool:
    """Whether the sign guard (its ``place``) knows of something signed that the log of this height does not.

    The log is flushed before the guard, so then the log or the database has lost something: start the height
    with ``can_sign`` False.
    """
    if signed[0] < height:
        return False
    casts = [record for record in records if isinstance(record, Vote | Proposal)]
    return signed > max(
        ((cast.height, cast.round, cast.step) for cast in casts), default=(0, 0, Step.PROPOSE)
    )


def _read(data: bytes, height: int, cell_id: bytes, validators: ValidatorSet) -> Record | None:
    match decode(data, max_bytes=LOG_RECORD_BYTES):
        case (0, bytes(body)):
            vote = decode_vote(body)
            return vote if vote.height == height else None
        case (1, bytes(body)):
            proposal = decode_proposal(body)
            return proposal if proposal.height == height else None
        case (2, bytes(envelope)):
            vote = decode_vote(unseal(envelope, VOTE_BYTES)[0])
            return open_vote(envelope, cell_id, validators) if vote.height == height else None
        case (3, bytes(envelope)):
            proposal = decode_proposal(unseal(envelope, PROPOSAL_BYTES)[0])
            return open_proposal(envelope, cell_id, validators) if proposal.height == height else None
        case (4, int(), int(), bytes()):
            return None
    raise Corrupt("the write-ahead log holds a record of no known kind")
