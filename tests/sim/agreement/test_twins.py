"""Twins scenarios: nothing is violated in a sample of them, and they find bugs that are planted at run time."""

from collections.abc import Callable

import pytest

import ledger.agreement.vote_tally
import sim.agreement.twins
from ledger.agreement.algorithm import Agreement
from ledger.agreement.vote_tally import Heard, RoundTally
from ledger.records.validators import ValidatorSet
from ledger.records.votes import NO_ROUND, SignedVote
from sim.agreement.twins import LIVENESS_NS, PHASE_NS, main, run_scenario, search
from sim.agreement.twins_scenarios import INSTANCES, ROUNDS, WHOLE, Scenario, ScenarioValidators, all_splits

SAMPLE = 1_000
"""`make soak` runs 100,000."""

Plant = Callable[[pytest.MonkeyPatch], None]


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

    monkeypatch.setattr(ledger.agreement.vote_tally, "RoundTally", CountsRepetitions)


def lock_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    class Forgets(Agreement):
        def _lock_on_quorum_of_prevotes(self) -> bool:
            applied = super()._lock_on_quorum_of_prevotes()
            self._locked_block = self._valid_block = None
            self._locked_round = self._valid_round = NO_ROUND
            return applied

    monkeypatch.setattr(sim.agreement.twins, "Agreement", Forgets)


def quorum_of_two_of_four(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ValidatorSet, "quorum", property(lambda self: 2 * self.size // 3))


def deaf_after_the_first_round(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Agreement, "_repeat", lambda self: None)


PLANTS = [
    (vote_counted_twice, 0, "without a quorum"),
    (lock_forgotten, 1000, "decided differently"),
    (quorum_of_two_of_four, 0, "without a quorum"),
    (deaf_after_the_first_round, 0, "not live"),
]
"""With the number from which the search begins: near the one that finds it, to save time."""


def test_nothing_is_violated_in_a_sample_of_scenarios() -> None:
    assert search(0, SAMPLE) is None


@pytest.mark.parametrize(
    ("plant", "first", "finding"), PLANTS, ids=lambda each: getattr(each, "__name__", "")
)
def test_scenarios_find_a_planted_bug_and_are_clean_without_it(
    plant: Plant, first: int, finding: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as planted:
        plant(planted)
        found = search(first, 100)
    assert found is not None and finding in str(found.violation)
    assert run_scenario(found.scenario.number).violation is None


def test_scenarios_reach_rounds_that_only_a_repaired_network_can_finish() -> None:
    outcomes = [run_scenario(number) for number in range(200)]
    assert {outcome.round for outcome in outcomes} >= {0, 1, 2, 3, 4}
    assert max(outcome.ended_ns for outcome in outcomes) >= ROUNDS * PHASE_NS
    assert max(outcome.ended_ns for outcome in outcomes) < ROUNDS * PHASE_NS + LIVENESS_NS // 2


def test_a_number_decides_everything() -> None:
    assert run_scenario(7) == run_scenario(7)
    assert Scenario.numbered(7) != Scenario.numbered(8)


def test_every_split_in_two_is_there_once() -> None:
    splits = all_splits()
    assert len(splits) == len(set(splits)) == 2 ** (INSTANCES - 1)
    assert WHOLE in splits


def test_leaders_are_the_scenarios_first_and_take_turns_afterwards() -> None:
    scenario = Scenario.numbered(3)
    validators = ScenarioValidators.of(scenario)
    assert [validators.proposer(1, round_) for round_ in range(ROUNDS)] == [
        each.leader for each in scenario.rounds
    ]
    assert validators.proposer(1, ROUNDS) == (1 + ROUNDS) % 4


def test_the_command_says_what_it_ran(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert main(0, 20) == 0
    assert "20 Twins scenarios from 0: nothing violated" in capsys.readouterr().out
    quorum_of_two_of_four(monkeypatch)
    assert main(0, 20) == 1
    assert "round 0: leader" in capsys.readouterr().err
