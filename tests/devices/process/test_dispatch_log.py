"""The dispatch log: what a control process writes replays to the same decisions, and no other."""

import json
import signal
import subprocess
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from devices.cell_clock import Instant
from devices.dispatch.cycle_record import CycleRecord
from devices.dispatch.dispatch import DispatchInput, NetToZero, dispatch
from devices.json_codec import to_json
from devices.limits import PowerRange
from devices.process.dispatch_log import DispatchLog, LogError, older, replay
from node.cli.root import app

INPUTS = DispatchInput(
    locked=False,
    curtailed=False,
    batteries=(),
    pv=(),
    load=PowerRange(-500.0, -500.0),
    batteries_w=0.0,
    connection=PowerRange(-9000.0, 5000.0),
    wish=NetToZero(),
    horizon_s=1.0,
)


def cycle(number: int) -> CycleRecord:
    time = Instant(number * 10**8, number * 10**8)
    return CycleRecord(time, INPUTS, dispatch(INPUTS), (), settled=True)


def written(path: Path, count: int, most_bytes: int = 10**9, first: int = 0) -> None:
    log = DispatchLog(path, most_bytes)
    for number in range(first, first + count):
        log.add(cycle(number))
    log.close()


def test_what_was_written_replays(tmp_path: Path) -> None:
    path = tmp_path / "log"
    written(path, 5)
    written(path, 3, first=5)
    seen = replay(path)
    assert (seen.cycles, seen.left_out, seen.different) == (8, 0, None)
    assert (seen.first, seen.last) == (cycle(0).time, cycle(7).time)


def test_a_full_file_is_put_aside(tmp_path: Path) -> None:
    path = tmp_path / "log"
    for first in range(3):
        written(path, 1, most_bytes=10, first=first)
    assert replay(path).first == cycle(2).time
    assert replay(older(path)).first == cycle(1).time


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40)
@given(st.integers(0, len(to_json(cycle(0))) + 1))
def test_a_line_that_was_being_written_is_let_be_and_cut_off_by_the_next(tmp_path: Path, kept: int) -> None:
    path = tmp_path / "log"
    line = to_json(cycle(0)) + b"\n"
    path.write_bytes(line + line[:kept])
    whole = 2 if kept == len(line) else 1
    assert replay(path).cycles == whole
    written(path, 1, first=1)
    assert replay(path).cycles == whole + 1


def test_a_disk_that_does_not_take_it_is_counted(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "folder" / "log"
    log = DispatchLog(path, 10**9)
    log.add(cycle(0))
    log.add(cycle(1))
    log.close()
    assert capfd.readouterr().err.count("dispatch log: ") == 1


def test_a_decision_that_was_changed_is_found(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "log"
    lines = [to_json(cycle(number)) for number in range(3)]
    changed = json.loads(lines[1])
    changed["decision"]["power_w"] += 100.0
    lines[1] = json.dumps(changed).encode()
    path.write_bytes(b"\n".join([*lines, b"# left out: 7", b""]))
    seen = replay(path)
    assert (seen.cycles, seen.left_out, seen.different) == (3, 7, (2, cycle(1).time))
    with pytest.raises(SystemExit) as ended:
        app(["devices", "replay", str(path)])
    assert ended.value.code == 1
    assert "line 2, 1970-01-01 00:00:00.100: the decision comes out otherwise" in capsys.readouterr().out


@pytest.mark.parametrize("line", [b"{}", b"hello", b"# left out: many", b'{"type": "CycleRecord"}', b"\xff"])
def test_a_line_that_is_none_is_named(line: bytes, tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_bytes(to_json(cycle(0)) + b"\n" + line + b"\n")
    with pytest.raises(LogError, match=f"{path}:2: "):
        replay(path)


@pytest.mark.processes
def test_a_control_process_writes_a_log_that_replays(
    tmp_path: Path, build_node: Callable[..., Any], capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "dispatch.jsonl"
    node = build_node(dispatch_log=str(path), cycle_ms=20)
    with node.start() as process:
        try:
            while not (path.exists() and path.read_bytes().count(b"\n") > 20):
                with suppress(subprocess.TimeoutExpired):
                    pytest.fail(f"control ended: {process.wait(0.05)}")
            process.send_signal(signal.SIGTERM)
            assert process.wait(60) == 0
        finally:
            process.kill()
    with pytest.raises(SystemExit) as ended:
        app(["devices", "replay", str(path), "--json"])
    shown = json.loads(capsys.readouterr().out)
    assert (ended.value.code, shown["same"], shown["different"]) == (0, True, None)
    assert shown["cycles"] >= 20
