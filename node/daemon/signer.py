"""Shell: signs what the core asks for, in the only safe order: log, guard, signature.

A vote: the write-ahead log is flushed, then the guard, then the signature is made. An own entry: it is signed
and committed to the ledger, then claimed in the guard, and only then may it leave. So neither the log nor the ledger is
ever behind the guard after a crash, and whatever has left is known to the guard.
"""

from dataclasses import dataclass

from nacl.signing import SigningKey

from ledger.errors import DoubleSign, GuardMissing
from ledger.files.sign_guard import SignGuard
from ledger.files.write_ahead_log import WriteAheadLog
from ledger.heads import Head
from ledger.records.entries import Entry, SignedEntry, author_entry
from ledger.records.votes import Proposal, SignedProposal, SignedVote, Vote, sign_proposal, sign_vote
from node.events import SignEntry


@dataclass(slots=True)
class Signer:
    """The node's keys with the guard and log that stand before them; without a guard nothing is signed."""

    cell_id: bytes
    identity_key: SigningKey
    consensus_key: SigningKey | None
    guard: SignGuard | None
    log: WriteAheadLog

    @property
    def feed_key(self) -> bytes:
        """The public key of the own feed."""
        return self.identity_key.verify_key.encode()

    def vote(self, vote: Vote) -> SignedVote:
        """Sign a vote whose record is in the log. Raises DoubleSign or OSError: then nothing was signed."""
        assert self.consensus_key is not None, "only a validator votes"
        self.log.flush()
        self._guarded().advance_vote(vote.height, vote.round, vote.step, vote.encode())
        return sign_vote(self.consensus_key, self.cell_id, vote)

    def proposal(self, proposal: Proposal) -> SignedProposal:
        """Sign a proposal whose record is in the log. Raises DoubleSign or OSError: then nothing was signed."""
        assert self.consensus_key is not None, "only a validator proposes"
        self.log.flush()
        self._guarded().advance_vote(proposal.height, proposal.round, proposal.step, proposal.encode())
        return sign_proposal(self.consensus_key, self.cell_id, proposal)

    def entry(self, wanted: SignEntry, head: Head | None, incarnation: int) -> SignedEntry:
        """Sign the next entry of the own feed. It may leave only after `claim`. Raises DoubleSign."""
        entry = Entry(
            author=self.feed_key,
            incarnation=incarnation,
            sequence=0 if head is None else head.sequence + 1,
            previous=None if head is None else head.id,
            kind=wanted.kind,
            interval=wanted.interval,
            time_ns=wanted.time_ns,
            payload=wanted.payload,
        )
        last = self._guarded().last
        if (incarnation, entry.sequence) <= (last.feed_incarnation, last.feed_sequence):
            raise DoubleSign(f"entry {entry.sequence} of incarnation {incarnation} was signed before")
        return author_entry(self.identity_key, self.cell_id, entry)

    def claim(self, signed: SignedEntry) -> None:
        """An own entry is committed: claim its place, durably, so that it may leave. Raises DoubleSign, OSError."""
        self._guarded().advance_feed(signed.entry.incarnation, signed.entry.sequence, signed.id)

    def close(self) -> None:
        """Close guard and log; everything in them is durable."""
        self.log.close()
        if self.guard is not None:
            self.guard.close()

    def _guarded(self) -> SignGuard:
        if self.guard is None:
            raise GuardMissing("without its sign guard this node signs nothing")
        return self.guard
