"""Accusations: proofs of equivocation that wait for a block, one per member.

One piece freezes a member, so more of its kind are neither held nor passed on: who equivocates without end costs a
node no more than who does it once. A piece that no longer holds, because its signer left the cell, gave up the key or
is frozen, is forgotten: it would spoil every block that named it.
"""

from dataclasses import dataclass, field

from ledger.errors import InvalidEvidence
from ledger.membership.evidence import Evidence
from ledger.membership.members import Membership
from ledger.records.votes import SignedProposal, SignedVote


@dataclass(slots=True)
class Accusations:
    """The pieces held, in their byte form, by the id of the member that each convicts."""

    cell_id: bytes
    held: dict[bytes, bytes] = field(default_factory=dict)

    def take(self, evidence: Evidence, membership: Membership) -> bytes | None:
        """The member that this convicts; None when it convicts nobody who is not accused or frozen already."""
        offender = self._convicts(evidence, membership)
        if offender is None or offender in self.held:
            return None
        self.held[offender] = evidence.encode()
        return offender

    def pieces(self) -> tuple[bytes, ...]:
        """What a block may name, sorted."""
        return tuple(sorted(self.held.values()))

    def keep_what_holds(self, membership: Membership) -> None:
        """Forget what convicts nobody any more, after a block."""
        self.held = {
            offender: piece
            for offender, piece in self.held.items()
            if self._convicts(Evidence.decode(piece), membership) == offender
        }

    def _convicts(self, evidence: Evidence, membership: Membership) -> bytes | None:
        try:
            offender = evidence.check(self.cell_id, membership)
        except InvalidEvidence:
            return None
        member = membership.by_id(offender)
        return None if member is None or member.frozen_at is not None else offender


def evidence_of(first: SignedVote | SignedProposal, second: SignedVote | SignedProposal) -> Evidence:
    """The proof that two messages of one kind and place are."""
    if isinstance(first, SignedVote) and isinstance(second, SignedVote):
        return Evidence.of_votes(first, second)
    assert isinstance(first, SignedProposal) and isinstance(second, SignedProposal), "two of one kind"
    return Evidence.of_proposals(first, second)
