"""Bugs of the agreement, each planted by replacing one function; the search in worlds of bare validators must find
every one.
"""

import ledger.vote_tally
import sim.agreement.node
from ledger.agreement import Agreement
from ledger.agreement_events import CastProposal, CastVote
from ledger.block_verdicts import BlockVerdicts
from ledger.own_casts import OwnCasts
from ledger.validators import ValidatorSet
from ledger.vote_tally import Heard, HeightTally, RoundTally
from ledger.votes import NO_ROUND, SignedVote, Step
from sim.agreement.node import SimulatedValidator
from sim.patches import Patches


def vote_counted_twice(patches: Patches) -> None:
    """A vote that comes twice counts twice."""

    class CountsRepetitions(RoundTally):
        def add_vote(self, signed: SignedVote) -> Heard:
            heard = super().add_vote(signed)
            vote = signed.vote
            supporters = self.supporters(vote.step, vote.block_id)
            again = not heard.counted and supporters.get(vote.validator) == signed
            if again and vote.block_id is not None and len(supporters) + 1 >= self.validators.quorum:
                self._quorum_block[vote.step] = vote.block_id
            return heard

    patches.setattr(ledger.vote_tally, "RoundTally", CountsRepetitions)


def lock_forgotten(patches: Patches) -> None:
    """A validator votes as if it had never locked."""

    class Forgets(Agreement):
        def _lock_on_quorum_of_prevotes(self) -> bool:
            applied = super()._lock_on_quorum_of_prevotes()
            self._locked_block = self._valid_block = None
            self._locked_round = self._valid_round = NO_ROUND
            return applied

    patches.setattr(sim.agreement.node, "Agreement", Forgets)


def lock_forgotten_in_a_restart(patches: Patches) -> None:
    """A lock does not survive a restart."""
    patches.setattr(OwnCasts, "lock", lambda self: (None, NO_ROUND))


def quorum_of_two_of_four(patches: Patches) -> None:
    """Two of four decide."""
    patches.setattr(ValidatorSet, "quorum", property(lambda self: 2 * self.size // 3 + (self.size != 4)))


def log_flushed_after_the_send(patches: Patches) -> None:
    """A vote leaves before the log holds it."""

    def cast(self: SimulatedValidator, effect: CastVote | CastProposal) -> None:
        content = effect.vote if isinstance(effect, CastVote) else effect.proposal
        self.guard.advance_vote(content.height, content.round, content.step, content.encode())
        self.send_signed(self.sign(effect))
        self.power.use()
        self.log.flush()

    patches.setattr(SimulatedValidator, "cast", cast)


def signed_past_the_guard_and_flushed_after(patches: Patches) -> None:
    """A vote leaves before log and guard hold it."""

    def cast(self: SimulatedValidator, effect: CastVote | CastProposal) -> None:
        self.send_signed(self.sign(effect))
        self.power.use()
        self.log.flush()

    patches.setattr(SimulatedValidator, "cast", cast)


def verdict_on_blocks_ignored(patches: Patches) -> None:
    """Invalid blocks are voted for."""
    is_good = BlockVerdicts.is_good

    def always(self: BlockVerdicts, round_: int, block_id: bytes, *, fresh: bool) -> bool | None:
        return None if is_good(self, round_, block_id, fresh=fresh) is None else True

    patches.setattr(BlockVerdicts, "is_good", always)


def unlocked_without_a_quorum(patches: Patches) -> None:
    """A proposer is believed that a quorum prevoted its block."""

    class Believes(Agreement):
        def _answer_repeated_proposal(self) -> bool:
            proposal = self._proposal
            if self.step is not Step.PROPOSE or proposal is None or proposal.valid_round == NO_ROUND:
                return False
            if not self._judge(self.round, proposal.block_id, fresh=False):
                return False
            self._prevote(proposal.block_id, proposal.valid_round)
            return True

    patches.setattr(sim.agreement.node, "Agreement", Believes)


def nothing_repeated(patches: Patches) -> None:
    """Lost votes are not said again."""
    patches.setattr(HeightTally, "worth_repeating", lambda self, own_round, locks: [])


def later_rounds_ignored(patches: Patches) -> None:
    """Who lags stays in its round."""
    patches.setattr(HeightTally, "round_of_some_honest", lambda self: 0)


BUGS = (
    vote_counted_twice,
    lock_forgotten,
    lock_forgotten_in_a_restart,
    quorum_of_two_of_four,
    log_flushed_after_the_send,
    signed_past_the_guard_and_flushed_after,
    verdict_on_blocks_ignored,
    unlocked_without_a_quorum,
    nothing_repeated,
    later_rounds_ignored,
)
