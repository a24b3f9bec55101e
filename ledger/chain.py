"""The chain: from a tip and a block to the next tip, deterministically.

`propose` builds a block and `extend` checks one; both derive everything that follows from the block's content
with the same function, so they end in the same tip. Neither judges whose turn it was or whether the block was
timely: those are questions of a fresh proposal and belong to the agreement's caller. Nothing here does I/O:
the entries that a block names come from an `EntrySource`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, Protocol

from ledger.application import Application, Outcomes, State
from ledger.blocks import Block
from ledger.entries import SignedEntry
from ledger.feeds import Head
from ledger.genesis import Genesis
from ledger.membership import Membership
from ledger.merkle import Frontier
from ledger.validators import ValidatorSet
from ledger.votes import Certificate


@dataclass(frozen=True, slots=True)
class Tip(Generic[State]):
    """All that is known after a block, and all that the next one is judged by. Immutable.

    Height 0 is the genesis: its `header_id` is the cell id and its `last_interval` is the one before the
    first. `validators` decide the block at `height + 1` and `next_validators` the one after; `deciders`
    decided this one (None at genesis). `heads` maps a member's id to its last anchored entry. `log` is the
    header log up to and including this block.
    """

    genesis: Genesis
    height: int
    header_id: bytes
    last_interval: int
    time_ns: int
    membership: Membership
    deciders: ValidatorSet | None
    validators: ValidatorSet
    next_validators: ValidatorSet
    heads: Mapping[bytes, Head]
    log: Frontier
    state: State


@dataclass(frozen=True, slots=True)
class Draft:
    """What a proposer chooses. All else in a block follows from it and the tip.

    `heads` may contain heads that did not move or belong to frozen members, and `evidence` what is already
    known: `propose` leaves them out. A `time_ns` not after the tip's is moved just after it.
    """

    proposer: int
    time_ns: int
    last_interval: int
    heads: tuple[Head, ...]
    evidence: tuple[bytes, ...]
    last_certificate: Certificate | None


class EntrySource(Protocol):
    """Where the entries that a block names are taken from. What it returns has verified signatures."""

    def entries(self, member: bytes, incarnation: int, after: int, through: int) -> Sequence[SignedEntry]:
        """The member's entries with sequence in `after + 1 .. through`. Raises `MissingEntries`."""
        ...


def genesis_tip(genesis: Genesis, application: Application[State]) -> Tip[State]:
    """The tip before block 1. Raises `InvalidGenesis` when the application refuses its rules."""
    raise NotImplementedError


def propose(
    tip: Tip[State], application: Application[State], draft: Draft, source: EntrySource
) -> tuple[Block, Tip[State], Outcomes]:
    """The block that this draft gives on top of `tip`, the tip after it and its outcomes.

    Raises `MissingEntries` when the source lacks entries of the draft's heads, and `InvalidBlock` when the
    draft cannot give a valid block (an interval that is not after the tip's, a certificate of another block).
    """
    raise NotImplementedError


def extend(
    tip: Tip[State], application: Application[State], block: Block, source: EntrySource
) -> tuple[Tip[State], Outcomes]:
    """The tip after `block`, and its outcomes.

    Raises `InvalidBlock` with the first reason why the block may not follow `tip`, and `MissingEntries`
    naming every head whose entries the source lacks, so that the caller can fetch them all and ask again.
    """
    raise NotImplementedError
