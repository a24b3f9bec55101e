"""The seeded search finds bugs: each of these, planted at run time, within a bounded number of seeds.

The very seed that exposes a bug is clean without it, so it is the bug that was found.
"""

from collections.abc import Callable

import pytest

import ledger.vote_tally
import sim.agreement_node
from ledger.agreement import Agreement
from ledger.agreement_events import CastProposal, CastVote
from ledger.block_verdicts import BlockVerdicts
from ledger.own_casts import OwnCasts
from ledger.validators import ValidatorSet
from ledger.vote_tally import Heard, HeightTally, RoundTally
from ledger.votes import NO_ROUND, SignedVote, Step
from sim.agreement_node import SimulatedValidator
from sim.agreement_world import run_seed, search

Plant = Callable[[pytest.MonkeyPatch], None]

SEEDS = 200


def vote_counted_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    class CountsRepetitions(RoundTally):
        def add_vote(self, signed: SignedVote) -> Heard:
            heard = super().add_vote(signed)
            vote = signed.vote
            supporters = self.supporters(vote.step, vote.block_id)
            again = not heard.counted and supporters.get(vote.validator) == signed
            if again and vote.block_id is not None and len(supporters) + 1 >= self.validators.quorum:
                self._quorum_block[vote.step] = vote.block_id
            return heard

    monkeypatch.setattr(ledger.vote_tally, "RoundTally", CountsRepetitions)


def lock_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    class Forgets(Agreement):
        def _lock_on_quorum_of_prevotes(self) -> bool:
            applied = super()._lock_on_quorum_of_prevotes()
            self._locked_block = self._valid_block = None
            self._locked_round = self._valid_round = NO_ROUND
            return applied

    monkeypatch.setattr(sim.agreement_node, "Agreement", Forgets)


def lock_forgotten_in_a_restart(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(OwnCasts, "lock", lambda self: (None, NO_ROUND))


def quorum_of_two_of_four(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ValidatorSet, "quorum", property(lambda self: 2 * self.size // 3 + (self.size != 4)))


def log_flushed_after_the_send(monkeypatch: pytest.MonkeyPatch) -> None:
    def cast(self: SimulatedValidator, effect: CastVote | CastProposal) -> None:
        content = effect.vote if isinstance(effect, CastVote) else effect.proposal
        self.guard.advance_vote(content.height, content.round, content.step, content.encode())
        self.send_signed(self.sign(effect))
        self.power.use()
        self.log.flush()

    monkeypatch.setattr(SimulatedValidator, "cast", cast)


def signed_past_the_guard_and_flushed_after(monkeypatch: pytest.MonkeyPatch) -> None:
    def cast(self: SimulatedValidator, effect: CastVote | CastProposal) -> None:
        self.send_signed(self.sign(effect))
        self.power.use()
        self.log.flush()

    monkeypatch.setattr(SimulatedValidator, "cast", cast)


def verdict_on_blocks_ignored(monkeypatch: pytest.MonkeyPatch) -> None:
    is_good = BlockVerdicts.is_good

    def always(self: BlockVerdicts, round_: int, block_id: bytes, *, fresh: bool) -> bool | None:
        return None if is_good(self, round_, block_id, fresh=fresh) is None else True

    monkeypatch.setattr(BlockVerdicts, "is_good", always)


def unlocked_without_a_quorum(monkeypatch: pytest.MonkeyPatch) -> None:
    class Believes(Agreement):
        def _answer_repeated_proposal(self) -> bool:
            proposal = self._proposal
            if self.step is not Step.PROPOSE or proposal is None or proposal.valid_round == NO_ROUND:
                return False
            if not self._judge(self.round, proposal.block_id, fresh=False):
                return False
            self._prevote(proposal.block_id, proposal.valid_round)
            return True

    monkeypatch.setattr(sim.agreement_node, "Agreement", Believes)


def nothing_repeated(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(HeightTally, "worth_repeating", lambda self, own_round, locks: [])


def later_rounds_ignored(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(HeightTally, "round_of_some_honest", lambda self: 0)


PLANTS = (
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


@pytest.mark.parametrize("plant", PLANTS, ids=lambda plant: plant.__name__)
def test_the_search_finds_a_planted_bug_and_the_seed_is_clean_without_it(
    plant: Plant, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as planted:
        plant(planted)
        found = search(0, SEEDS, size=4)
    assert found is not None, f"{SEEDS} seeds did not expose it"
    assert run_seed(found.seed, size=4).violation is None
