"""The hub's file: written when there is something new, whole or not at all, for its owner, and read at a start."""

import signal
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import trio

from devices.cell_clock import Instant
from devices.hub.demand import Demand
from devices.hub.home_use import CircuitUse, HomeUse
from devices.hub.recognition import DeviceKind
from devices.json_codec import to_json
from devices.process.hub_memory import HUB_NAME, HubMemory, read_hub, remembered
from sim.testnet.waiting import until

NS_PER_S = 1_000_000_000
QUARTER_NS = 900 * NS_PER_S
CIRCUIT = {"type": "circuit", "name": "office", "always_w": 200}


def learned(windows: int) -> HomeUse:
    demands = tuple(Demand("tv", each * QUARTER_NS, 5.0, 20.0, 1.0) for each in range(windows))
    return HomeUse(900, windows * QUARTER_NS, (CircuitUse("tv", DeviceKind.UNKNOWN, "", False, demands),))


def test_it_is_written_once_a_window_has_ended_and_a_minute_has_passed(tmp_path: Path) -> None:
    asked: list[int] = []

    def use() -> HomeUse:
        asked.append(1)
        return learned(len(asked))

    memory = HubMemory(tmp_path, use)
    for second in range(0, 1800, 10):  # at the pace of a wall clock
        memory.keep(Instant(second * NS_PER_S, second * NS_PER_S))
    assert len(asked) == 1
    for second in range(1800, 1860, 5):  # an hour in a second
        memory.keep(Instant(second * NS_PER_S, second * 3600 * NS_PER_S))
    assert len(asked) == 2
    memory.close()
    assert read_hub(tmp_path) == learned(3)
    assert [path.name for path in tmp_path.iterdir()] == [HUB_NAME]


def test_what_does_not_read_back_is_begun_anew_and_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert remembered(tmp_path) is None
    assert capsys.readouterr().err == ""
    good = to_json(learned(2))
    for bad in (b"", b"{", good.replace(b'"known":1.0', b'"known":7.0'), good.replace(b'"kind"', b'"mind"')):
        (tmp_path / HUB_NAME).write_bytes(bad)
        assert remembered(tmp_path) is None
        assert "begun anew" in capsys.readouterr().err
    (tmp_path / HUB_NAME).write_bytes(good)
    assert remembered(tmp_path) == learned(2)


@pytest.mark.processes
@pytest.mark.xdist_group("control")
async def test_a_control_process_keeps_it_over_a_restart(build_node: Callable[..., Any]) -> None:
    node = build_node(ders=[CIRCUIT], linger_s=None)
    kept: list[HomeUse] = []
    for _ in range(2):
        process = node.start()
        with trio.fail_after(30):
            assert await until((node.data_dir / "control.sock").exists, 20)
            async with node.observing() as observer:
                first = (await observer.hear_image()).cell_ns
                while (await observer.hear_image()).cell_ns - first < 3 * QUARTER_NS:
                    pass
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 0, process.stderr.read()
        use = read_hub(node.data_dir)
        assert use is not None
        kept.append(use)
    before, after = (each.circuits[0].windows for each in kept)
    assert len(before) >= 2
    assert after[: len(before)] == before
    assert len(after) > len(before)
    assert stat.S_IMODE((node.data_dir / HUB_NAME).stat().st_mode) == 0o600
