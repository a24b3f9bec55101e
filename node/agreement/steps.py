"""What ordering asks for or announces besides effects: the core turns it into effects."""

from dataclasses import dataclass
from typing import Generic

from ledger.agreement.standing import Standing
from ledger.chain.application import Outcomes, State
from ledger.chain.chain import Tip
from ledger.heads import Head
from ledger.records.blocks import Block
from ledger.records.votes import Certificate
from market.outcomes import BlockOutcomes
from node.events import Effect, Now, Report


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
    """This block is needed and not held; `holders` are the consensus keys of who voted for it (maybe none known)."""

    block_id: bytes
    holders: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class WantEntries:
    """Entries up to these heads are needed to judge a block."""

    heads: tuple[Head, ...]


@dataclass(frozen=True, slots=True)
class Halt:
    """This program cannot go on with the next block: from now on it says nothing."""

    reason: str


@dataclass(frozen=True, slots=True)
class WantAnswers:
    """A few peers are to say what this standing lacks."""

    standing: Standing


def block_report(
    decided: Decided[State], outcomes: BlockOutcomes, headroom_mw: list[int], now: Now
) -> Report:
    """The log line about a decided block."""
    tip, opened_ns = decided.tip, decided.opened_real_ns
    fields: dict[str, object] = {
        "height": tip.height,
        "id": tip.header_id.hex(),
        "interval": tip.last_interval,
        "round": decided.certificate.round,
        "agreement_ms": None if opened_ns is None else (now.real_ns - opened_ns) / 1e6,
        "prices": list(outcomes.clearing.prices),
        "volume": outcomes.clearing.volume,
        "heads": len(decided.block.heads),
        "headroom_mw": headroom_mw,
    }
    return Report("block", fields)


Step = Effect | Decided[State] | WantBlock | WantEntries | WantAnswers | Halt
