"""The rows of a ledger file, as values that pass between the store and the cores."""

from dataclasses import dataclass
from hashlib import sha256


@dataclass(frozen=True, slots=True)
class EntryRow:
    """An entry as it is stored, with the cell time in ns at which this node first saw it."""

    member: bytes
    incarnation: int
    sequence: int
    id: bytes
    envelope: bytes
    first_seen_ns: int
    first_seen_check: bytes


@dataclass(frozen=True, slots=True)
class BlockRow:
    """A decided block and the certificate this node holds for it, encoded."""

    height: int
    id: bytes
    block: bytes
    certificate: bytes


@dataclass(frozen=True, slots=True)
class VoteRow:
    """A vote, or with step 0 a proposal, as it is kept for accountability."""

    height: int
    round: int
    step: int
    validator: int
    envelope: bytes


def first_seen_check(entry_id: bytes, first_seen_ns: int) -> bytes:
    """A checksum over the time an entry was first seen here, which no signature covers."""
    return sha256(entry_id + first_seen_ns.to_bytes(8, "big", signed=True)).digest()[:8]
