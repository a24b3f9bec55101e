"""Who said what in the rounds of one height, counted by distinct validator.

A validator that signs two different things for one step is exposed, and its second vote does not enter the count,
with one exception. Honest nodes may have heard its votes in different order; if one of them saw a quorum and
locked, all others must be able to see that quorum too, or the lock never opens. So a conflicting vote still counts
for a block that a quorum less f others voted for. The paper counts messages per value, which is the same; keeping
only these bounds what a liar can make us hold.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

from ledger.records.validators import ValidatorSet
from ledger.records.votes import Certificate, SignedProposal, SignedVote, Step

ROUNDS_AHEAD = 4
"""Rounds beyond our own whose votes are kept, per validator: enough for reordering. Further ones only count as a
sign that their signer is ahead (``round_of_some_honest``); ticks bring them again when we get there."""

ROUNDS_BEHIND = 64
"""Earlier rounds that are kept: a late precommit may still complete a quorum there. A decision older than this
reaches us as a certificate."""

EARLY_MESSAGES = 8
"""Messages per validator for the next height that are kept until it begins: three rounds without loss."""

VOTING_STEPS = (Step.PREVOTE, Step.PRECOMMIT)


@dataclass(frozen=True, slots=True)
class Heard:
    """What hearing a message changed: whether it counts from now on, and what it contradicts, if first exposed."""

    counted: bool
    contradicts: SignedVote | SignedProposal | None = None


_NOTHING_NEW = Heard(counted=False)
_COUNTED = Heard(counted=True)


@dataclass(slots=True)
class RoundTally:
    """One round: the proposal, and the votes of each step by what they name and who cast them."""

    validators: ValidatorSet
    proposal: SignedProposal | None = None
    prevote_timer_set: bool = False
    """Line 34 is done "for the first time" only; so are lines 36 and 47."""
    quorum_seen: bool = False
    precommit_timer_set: bool = False
    _first: dict[tuple[Step, int], SignedVote] = field(default_factory=dict)
    _votes: dict[tuple[Step, bytes | None], dict[int, SignedVote]] = field(default_factory=dict)
    _voters: dict[Step, int] = field(default_factory=lambda: dict.fromkeys(VOTING_STEPS, 0))
    _quorum_block: dict[Step, bytes] = field(default_factory=dict)
    _exposed: set[tuple[Step, int]] = field(default_factory=set)
    _envelopes: dict[bytes, SignedVote | SignedProposal] = field(default_factory=dict)

    def add_proposal(self, signed: SignedProposal) -> Heard:
        """Keep the first proposal; a different one exposes the proposer."""
        if self.proposal is None:
            self.proposal = signed
            self._envelopes[signed.envelope] = signed
            return _COUNTED
        if self.proposal.body == signed.body:
            return _NOTHING_NEW
        return self._expose(Step.PROPOSE, signed.proposal.validator, self.proposal, counted=False)

    def add_vote(self, signed: SignedVote) -> Heard:
        """Count a vote once per validator; a different one for the same step exposes the voter."""
        vote = signed.vote
        first = self._first.get((vote.step, vote.validator))
        if first is None:
            self._first[vote.step, vote.validator] = signed
            self._voters[vote.step] += 1
            self._count(signed)
            return _COUNTED
        if first.body == signed.body:
            return _NOTHING_NEW
        supporters = self.supporters(vote.step, vote.block_id)
        needed = (
            vote.block_id is not None
            and vote.validator not in supporters
            and len(supporters) >= self.validators.quorum - self.validators.faults
        )
        if needed:
            self._count(signed)
        return self._expose(vote.step, vote.validator, first, counted=needed)

    def supporters(self, step: Step, block_id: bytes | None) -> dict[int, SignedVote]:
        """The votes for one block (or None), by validator."""
        return self._votes.get((step, block_id), {})

    def has_quorum(self, step: Step, block_id: bytes | None) -> bool:
        """Whether a quorum of distinct validators voted for this block (or None)."""
        return self._reached(len(self.supporters(step, block_id)))

    def has_quorum_of_any(self, step: Step) -> bool:
        """Whether a quorum of distinct validators voted at all."""
        return self._reached(self._voters[step])

    def quorum_block(self, step: Step) -> bytes | None:
        """The block that a quorum voted for, if there is one."""
        return self._quorum_block.get(step)

    def certificate(self, height: int, round_: int, block_id: bytes) -> Certificate:
        """The certificate that the precommits for a block make."""
        precommits = self.supporters(Step.PRECOMMIT, block_id)
        signatures = [
            precommits[index].signature if index in precommits else None
            for index in range(self.validators.size)
        ]
        return Certificate(height, round_, block_id, tuple(signatures))

    def messages(self, *steps: Step) -> list[SignedVote | SignedProposal]:
        """All that counts of these steps, in the order it came."""
        return [signed for signed in self._envelopes.values() if signed.content.step in steps]

    def known(self, envelope: bytes) -> SignedVote | SignedProposal | None:
        """The message that counts here and came as exactly these bytes."""
        return self._envelopes.get(envelope)

    def _reached(self, count: int) -> bool:
        return count >= self.validators.quorum

    def _count(self, signed: SignedVote) -> None:
        vote = signed.vote
        supporters = self._votes.setdefault((vote.step, vote.block_id), {})
        supporters[vote.validator] = signed
        self._envelopes[signed.envelope] = signed
        if vote.block_id is not None and self._reached(len(supporters)):
            self._quorum_block[vote.step] = vote.block_id

    def _expose(
        self, step: Step, validator: int, first: SignedVote | SignedProposal, *, counted: bool
    ) -> Heard:
        if (step, validator) in self._exposed:
            return Heard(counted)
        self._exposed.add((step, validator))
        return Heard(counted, first)


class HeightTally:
    """All rounds of one height that are worth keeping."""

    def __init__(self, validators: ValidatorSet) -> None:
        self.validators = validators
        self._rounds: dict[int, RoundTally] = {}
        self._newest: dict[int, int] = {}

    def of(self, round_: int) -> RoundTally:
        """The tally of one round."""
        if round_ not in self._rounds:
            self._rounds[round_] = RoundTally(self.validators)
        return self._rounds[round_]

    def add(self, signed: SignedVote | SignedProposal) -> Heard:
        """Count a message in its round.

        From a log, too: a message that counts is not heard again, so its signer's round is remembered here.
        """
        self.note_round(signed)
        tally = self.of(signed.content.round)
        return tally.add_vote(signed) if isinstance(signed, SignedVote) else tally.add_proposal(signed)

    def rounds(self) -> list[int]:
        """The rounds that are kept, ascending."""
        return sorted(self._rounds)

    def messages(self) -> list[SignedVote | SignedProposal]:
        """All that counts in this height."""
        return [signed for round_ in self.rounds() for signed in self._rounds[round_].messages(*Step)]

    def known(self, envelope: bytes) -> SignedVote | SignedProposal | None:
        """The counted message that came as exactly these bytes."""
        found = (tally.known(envelope) for tally in self._rounds.values())
        return next((signed for signed in found if signed is not None), None)

    def note_round(self, signed: SignedVote | SignedProposal) -> None:
        """Whoever has spoken in a round has reached it."""
        validator, round_ = signed.content.validator, signed.content.round
        self._newest[validator] = max(round_, self._newest.get(validator, 0))

    def round_of_some_honest(self) -> int:
        """The newest round that f+1 validators have reached: one of them is honest."""
        newest = sorted(self._newest.values(), reverse=True)
        faults = self.validators.faults
        return newest[faults] if len(newest) > faults else 0

    def certificates(self, height: int) -> list[Certificate]:
        """One for every round in which a quorum precommitted a block."""
        quorums = [(round_, self._rounds[round_].quorum_block(Step.PRECOMMIT)) for round_ in self.rounds()]
        return [self._rounds[round_].certificate(height, round_, block) for round_, block in quorums if block]

    def forget_rounds(self, keeps: Callable[[int], bool]) -> None:
        """Drop the rounds for which ``keeps`` is false."""
        for round_ in [known for known in self.rounds() if not keeps(known)]:
            del self._rounds[round_]

    def worth_repeating(self, own_round: int, locks: set[int]) -> list[SignedVote | SignedProposal]:
        """What a peer needs to follow us: this round, the quorum that began it, the quorums behind ``locks``."""
        wanted = {own_round: (Step.PROPOSE, Step.PREVOTE, Step.PRECOMMIT), own_round - 1: (Step.PRECOMMIT,)}
        for round_ in locks:
            wanted[round_] = (*wanted.get(round_, ()), Step.PREVOTE)
        kept = [(self._rounds[round_], steps) for round_, steps in wanted.items() if round_ in self._rounds]
        return [signed for tally, steps in kept for signed in tally.messages(*steps)]

    def holders(self, block_id: bytes) -> set[int]:
        """Validators that voted for a block or proposed it, so they hold it."""
        found: set[int] = set()
        for tally in self._rounds.values():
            for step in VOTING_STEPS:
                found |= tally.supporters(step, block_id).keys()
            if tally.proposal is not None and tally.proposal.proposal.block_id == block_id:
                found.add(tally.proposal.proposal.validator)
        return found


class EarlyMessages:
    """Messages for the next height that came before it began here, few per validator."""

    def __init__(self) -> None:
        self._kept: dict[bytes, list[SignedVote | SignedProposal]] = {}

    def keep(self, signed: SignedVote | SignedProposal) -> None:
        """Keep a message, unless its signer has had its share."""
        kept = self._kept.setdefault(signed.signer, [])
        if len(kept) < EARLY_MESSAGES:
            kept.append(signed)

    def of(self, validators: ValidatorSet) -> list[SignedVote | SignedProposal]:
        """Those whose signers are at their places in the validator set of the height that begins."""
        return [
            signed
            for signer, messages in self._kept.items()
            for signed in messages
            if validators.index_of(signer) == signed.content.validator
        ]
