"""The blocks of the height being agreed on, and what each would lead to. Each is judged once.

A block's id is that of its header, and whoever passes it on could exchange the rest. So only a block whose content is
the one that its header commits to is held: then one id has one content, and one verdict.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Generic, Protocol

from ledger.chain.application import Application, Outcomes, State
from ledger.chain.chain import Draft, EntrySource, Tip, extend, propose
from ledger.chain.commitments import feeds_root
from ledger.errors import PeerError
from ledger.heads import Head
from ledger.records.blocks import Block, evidence_root
from node.constants import BLOCKS_HELD


@dataclass(frozen=True, slots=True)
class Leads(Generic[State]):
    """What a valid block leads to."""

    tip: Tip[State]
    outcomes: Outcomes


@dataclass(frozen=True, slots=True)
class Invalid:
    """Why a block may not follow the tip; every node finds the same."""

    reason: str


class BranchSource(EntrySource, Protocol):
    """Entries, with those branches of a forked feed that a block names."""

    def naming(self, tip: Tip[State], heads: Sequence[Head]) -> EntrySource:
        """The entries as a block on `tip` with these heads sees them."""
        ...


@dataclass(slots=True)
class Candidates(Generic[State]):
    """Bounded: what is not held is pulled when votes name it."""

    cell_id: bytes
    application: Application[State]
    source: BranchSource
    _blocks: dict[bytes, Block] = field(default_factory=dict)
    _verdicts: dict[bytes, Leads[State] | Invalid] = field(default_factory=dict)

    def hold(self, tip: Tip[State], block: Block) -> bytes:
        """Keep a block on `tip`, unless there are too many or it is not what its header says; returns its id."""
        block_id = block.block_id(self.cell_id)
        if len(self._blocks) < BLOCKS_HELD and _is_whole(tip, block):
            self._blocks[block_id] = block
        return block_id

    def get(self, block_id: bytes) -> Block | None:
        """A held block."""
        return self._blocks.get(block_id)

    def build(self, tip: Tip[State], draft: Draft) -> bytes:
        """Make a block of our own on `tip`; returns its id."""
        block, next_tip, outcomes = propose(tip, self.application, draft, self.source)
        block_id = block.block_id(self.cell_id)
        self._blocks[block_id] = block
        self._verdicts[block_id] = Leads(next_tip, outcomes)
        return block_id

    def judge(self, tip: Tip[State], block: Block) -> Leads[State] | Invalid:
        """What a block leads to on `tip`. Raises `MissingEntries`: then ask again when they are here."""
        block_id = block.block_id(self.cell_id)
        verdict = self._verdicts.get(block_id)
        if verdict is None:
            try:
                verdict = Leads(*extend(tip, self.application, block, self.source.naming(tip, block.heads)))
            except PeerError as fault:
                verdict = Invalid(str(fault))
            self._verdicts[block_id] = verdict
        return verdict

    def clear(self) -> None:
        """A new height: nothing of the last one is a candidate any more."""
        self._blocks.clear()
        self._verdicts.clear()


def _is_whole(tip: Tip[State], block: Block) -> bool:
    """Whether the header commits to exactly these heads, this evidence and this certificate."""
    header, certificate = block.header, block.last_certificate
    members = [head.member for head in block.heads]
    return (
        header.last_certificate_hash == (None if certificate is None else certificate.hash())
        and header.evidence_root == evidence_root(block.evidence)
        and members == sorted(set(members))
        and all(tip.heads.get(head.member) != head for head in block.heads)
        and header.feeds_root == feeds_root({**tip.heads, **{head.member: head for head in block.heads}})
    )
