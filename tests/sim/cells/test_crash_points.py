"""Power cut at any disk operation loses nothing that was told; bugs in what is durable first are found this way."""

from collections import deque
from collections.abc import Callable

import pytest

from ledger.files.sign_guard import SignGuard
from node import events as ev
from node.daemon.signer import Signer
from node.daemon.turns import Turns
from sim.cells.crash_points import HEIGHTS, CrashPoint, Fate, Outcome, crash_points, main, run_point

EVERY = 19
"""`make soak` tries every operation of every node."""

Plant = Callable[[pytest.MonkeyPatch], None]


def sent_before_the_commit(monkeypatch: pytest.MonkeyPatch) -> None:
    carry_out = Turns._carry_out

    def sends_at_once(self: Turns, effects: list[ev.Effect], inputs: deque[ev.Input]) -> None:
        carry_out(self, effects, inputs)
        held = [message for message in self._outbox if isinstance(message, ev.CommandPosition)]
        for message in self._outbox:
            if message not in held:
                self._send(message)
        self._outbox[:] = held

    monkeypatch.setattr(Turns, "_carry_out", sends_at_once)


def guard_not_flushed(monkeypatch: pytest.MonkeyPatch) -> None:
    write = SignGuard._write

    def writes_only(self: SignGuard, state: object) -> None:
        file = self._file
        with monkeypatch.context() as unflushed:
            unflushed.setattr(type(file), "flush", lambda _: None)
            write(self, state)  # type: ignore[arg-type]

    monkeypatch.setattr(SignGuard, "_write", writes_only)


def entries_claimed_before_the_commit(monkeypatch: pytest.MonkeyPatch) -> None:
    sign = Signer.entry

    def claims(self: Signer, *wanted: object) -> object:
        signed = sign(self, *wanted)  # type: ignore[arg-type]
        self.claim(signed)
        return signed

    monkeypatch.setattr(Signer, "entry", claims)


PLANTS = [
    (sent_before_the_commit, 162, "lost"),
    (guard_not_flushed, 15, "from its guard"),
    (entries_claimed_before_the_commit, 183, "not live"),
]
"""With the operation from which the search begins: near the one that finds it, to save time."""


def first_failure(every: int, begin: int = 1) -> tuple[CrashPoint, Outcome] | None:
    """The first point of node 0 from an operation on at which something goes wrong."""
    tried = crash_points(0, every, begin)
    return next(((point, outcome) for point, outcome in tried if outcome.violation), None)


def test_no_point_of_a_sample_loses_anything() -> None:
    assert first_failure(EVERY) is None


def test_every_fate_of_unflushed_writes_is_tried_where_there_are_any() -> None:
    tried = [(point.operation, point.fate, outcome.unflushed) for point, outcome in crash_points(0, 60)]
    for operation in {operation for operation, _, _ in tried}:
        fates = {fate for at, fate, _ in tried if at == operation}
        writes = max(unflushed for at, _, unflushed in tried if at == operation)
        assert Fate.LOST in fates
        assert ({Fate.KEPT, Fate.TORN} <= fates) == (writes > 0)
        assert (Fate.REORDERED in fates) == (writes > 1)


def test_without_a_cut_three_heights_need_hundreds_of_operations_of_each_disk() -> None:
    outcome = run_point(None)
    assert outcome.violation is None
    assert outcome.unflushed == 0
    assert HEIGHTS == 3
    assert min(outcome.operations) > 150


@pytest.mark.parametrize(("plant", "begin", "finding"), PLANTS)
def test_a_planted_bug_of_what_is_durable_first_is_found(
    plant: Plant, begin: int, finding: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as planted:
        plant(planted)
        found = first_failure(7, begin)
    assert found is not None and finding in str(found[1].violation)
    assert run_point(found[0]).violation is None


def test_the_command_counts_the_points(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(120, 1) == 0
    assert "crash points of 3 heights: nothing lost" in capsys.readouterr().out
