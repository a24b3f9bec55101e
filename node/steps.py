"""What ordering asks for or announces besides effects: the core turns it into effects."""

from dataclasses import dataclass
from typing import Generic

from ledger.application import Outcomes, State
from ledger.blocks import Block
from ledger.chain import Tip
from ledger.heads import Head
from ledger.standing import Standing
from ledger.votes import Certificate
from node.events import Effect


@dataclass(frozen=True, slots=True)
class Decided(Generic[State]):
    """A height that was decided and applied here. `opened_real_ns` is when this node began it, None if it synced."""

    block: Block
    certificate: Certificate
    tip: Tip[State]
    outcomes: Outcomes
    opened_real_ns: int | None


@dataclass(frozen=True, slots=True)
class WantBlock:
    """This block is needed and not held; `holders` are validator indices that voted for it (maybe none known)."""

    block_id: bytes
    holders: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class WantEntries:
    """Entries up to these heads are needed to judge a block."""

    heads: tuple[Head, ...]


@dataclass(frozen=True, slots=True)
class WantAnswers:
    """A few peers are to say what this standing lacks."""

    standing: Standing


Step = Effect | Decided[State] | WantBlock | WantEntries | WantAnswers
