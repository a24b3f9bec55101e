"""The rows of a ledger file, as values that pass between the store and the cores."""

from dataclasses import dataclass


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
