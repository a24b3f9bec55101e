"""Control goes before everything that merely computes, where it may, and says so where it may not."""

import os
import select
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from devices.process.going_first import Turn, go_first, in_words

Build = Callable[..., Any]


def test_what_is_not_allowed_is_said_with_a_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "sched_setscheduler", refuse)
    fault = go_first(Turn.LOOP)
    assert fault == "Operation not permitted"
    assert "LimitRTPRIO=2" in in_words(fault)


def test_a_system_without_classes_is_none_to_fail_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "sched_setscheduler")
    assert go_first(Turn.BESIDE) == "this system has no such classes"


def test_the_loop_goes_before_its_threads_and_these_before_others(build_node: Build) -> None:
    node = build_node()
    process = node.start()
    try:
        threads = Path(f"/proc/{process.pid}/task")
        if not wait_for((node.data_dir / "control.sock").exists):
            raise AssertionError(process.stderr.read())
        said = select.select([process.stderr], [], [], 0)[0]
        if said:  # where the tests may not either
            assert "LimitRTPRIO=2" in process.stderr.readline()
            return

        def priorities() -> list[int]:
            return [os.sched_getparam(int(each.name)).sched_priority for each in threads.iterdir()]

        assert wait_for(lambda: max(priorities()) == Turn.LOOP), priorities()
        assert os.sched_getparam(process.pid).sched_priority == Turn.LOOP
        assert os.sched_getscheduler(process.pid) == os.SCHED_RR
        assert sorted(priorities()) == [Turn.BESIDE] * (len(priorities()) - 1) + [Turn.LOOP]
        assert len(priorities()) > 1
    finally:
        process.terminate()
        assert process.wait(20) == 0


def wait_for(condition: Callable[[], bool]) -> bool:
    """Until something is so, for some seconds at most."""
    ends = time.monotonic() + 20.0
    while time.monotonic() < ends:
        if condition():
            return True
        select.select([], [], [], 0.02)
    return False
