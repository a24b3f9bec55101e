"""What the ledger asks of the application whose state it agrees on.

The ledger orders entries and commits to results; it knows nothing of what they mean. An application is a
deterministic function of a block's input: two nodes that apply the same blocks to the same genesis hold
byte-identical leaves. It does no I/O, reads no clock, and never raises on the content of an entry: an entry
that means nothing to it is ignored, because a block may contain whatever a member signed.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol, TypeVar

from ledger.encoding import Value
from ledger.membership.members import Membership
from ledger.records.entries import SignedEntry
from ledger.records.genesis import Genesis

State = TypeVar("State")


@dataclass(frozen=True, slots=True)
class BlockInput:
    """What one block gives the application.

    `first_interval..last_interval` (inclusive) is the range the block covers; only the last may trade.
    `time_ns` is the proposer's cell time. `previous_timely` tells whether the block before was decided in
    time for its interval, so that its trades stand (None at height 1, which has no block before it).
    `entries` pairs each entry with its member's id, sorted by (member id, incarnation, sequence).
    `membership` is the one in force at this height, after this block's evidence and grants; what it has as
    `departed` no longer belongs to the cell. `voided` holds the members
    whose feed lost entries and continues in this block under a new incarnation: they do not trade in this
    block's intervals.
    """

    height: int
    first_interval: int
    last_interval: int
    time_ns: int
    previous_timely: bool | None
    entries: tuple[tuple[bytes, SignedEntry], ...]
    membership: Membership
    voided: frozenset[bytes]


class Outcomes(Protocol):
    """What followed from one block, committed to by its header as the clearing hash."""

    def leaves(self) -> Iterable[tuple[bytes, bytes]]:
        """The outcomes as (key, value) leaves with distinct keys, in any order."""
        ...


class Application(Protocol[State]):
    """A deterministic state machine over blocks; states are immutable values."""

    def initial(self, genesis: Genesis) -> State:
        """The state before block 1. Raises `InvalidGenesis` when the genesis' rules make no sense to it."""
        ...

    def apply(self, state: State, block: BlockInput) -> tuple[State, Outcomes]:
        """The state after a block and what followed from it; `state` itself stays as it was."""
        ...

    def accepts(self, state: State, member: bytes, terms: tuple[Value, ...]) -> bool:
        """Whether a new member with this id may be admitted on these terms; never raises."""
        ...

    def leaves(self, state: State) -> Iterable[tuple[bytes, bytes]]:
        """The state as (key, value) leaves with distinct keys, in any order."""
        ...

    def restore(self, genesis: Genesis, leaves: Iterable[tuple[bytes, bytes]]) -> State:
        """The state that has these leaves, which are proved and come sorted. Raises `PeerError`."""
        ...
