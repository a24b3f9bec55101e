"""The daemon's client against real control processes: attaching, starting, losing and finding them again."""

import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import trio

from devices.control.control_state import SavedState
from devices.errors import ControlError
from devices.json_codec import from_json
from devices.messages.control_messages import Attached, ImageReport, MeterRecord
from devices.process.control_client import ControlClient

pytestmark = [pytest.mark.processes, pytest.mark.xdist_group("control")]

PATIENCE_S = 30
Build = Callable[..., Any]


async def image_where(client: ControlClient, wanted: Callable[[ImageReport], bool]) -> ImageReport:
    async for message in client.messages:
        if isinstance(message, ImageReport) and wanted(message):
            return message
    raise AssertionError("control fell silent")


async def test_positions_are_followed_and_metered(build_node: Build) -> None:
    node = build_node()
    async with node.attached() as client:
        wanted = node.interval() + 2
        client.send_position(wanted, 3_500_000)
        async for message in client.messages:
            if isinstance(message, MeterRecord):
                client.acknowledge(message.interval)
                if message.interval == wanted:
                    break
        assert message.complete
        assert abs(message.contribution - message.consumption - 3_500_000) < 100_000
    assert not (node.data_dir / "control.sock").exists()


async def test_a_restarted_daemon_finds_the_same_control_and_its_records(
    build_node: Build,
) -> None:
    node = build_node()
    with trio.fail_after(PATIENCE_S):
        pids = []
        seen: list[set[int]] = []
        for _ in range(2):
            async with trio.open_nursery() as nursery:
                client = node.client()
                await nursery.start(client.run)
                intervals: set[int] = set()
                async for message in client.messages:
                    if isinstance(message, Attached):
                        pids.append(message.pid)
                    elif isinstance(message, MeterRecord):
                        intervals.add(message.interval)
                        break
                seen.append(intervals)
                nursery.cancel_scope.cancel()
        assert pids[0] == pids[1]
        assert seen[0] == seen[1]
    async with node.attached():
        pass


async def test_a_killed_control_process_is_started_again_with_what_it_kept(
    build_node: Build,
) -> None:
    node = build_node()
    async with node.attached() as client:
        pids: list[int] = []
        first: MeterRecord | None = None
        async for message in client.messages:
            if isinstance(message, Attached):
                pids.append(message.pid)
            elif isinstance(message, ImageReport) and len(pids) == 1 and _saved(node, first):
                os.kill(pids[0], signal.SIGKILL)
            elif isinstance(message, MeterRecord):
                if len(pids) == 2:
                    break
                first = message
        assert pids[0] != pids[1]
        assert message == first


def _saved(node: Any, record: MeterRecord | None) -> bool:
    state = node.data_dir / "control.state"
    return state.exists() and record in from_json(SavedState, state.read_bytes()).records


async def test_the_newest_daemon_wins(build_node: Build) -> None:
    node = build_node()
    async with node.attached() as client:
        assert isinstance(await client.messages.receive(), Attached)
        async with node.observing() as newer:
            assert isinstance(await newer.hear(), Attached)
            while not isinstance(await client.messages.receive(), Attached):
                pass
            while await newer.hear() is not None:
                pass


async def test_a_data_directory_with_a_long_path_works(build_node: Build, tmp_path: Path) -> None:
    node = build_node(data_dir=str(tmp_path / ("long" * 40)))
    async with node.attached() as client:
        assert isinstance(await client.messages.receive(), Attached)


async def test_sigterm_saves_the_state_and_exits_with_zero(build_node: Build) -> None:
    node = build_node()
    async with node.attached() as client:
        await image_where(client, lambda image: image.settled)
        client_process = node.controller()
        assert client_process is not None
        os.kill(client_process, signal.SIGTERM)
        while not isinstance(await client.messages.receive(), Attached):
            pass
        assert node.controller() != client_process
    assert b'"SavedState"' in (node.data_dir / "control.state").read_bytes()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"interval_s": -1, "cycle_ms": 0}, "interval_s: is -1"),
        ({"profile": "/nowhere.csv"}, "/nowhere.csv: "),
        ({"ders": [{"kind": "pv", "name": "roof", "maximum_w": 100}]}, "the profile needs 3000 W"),
    ],
)
async def test_a_wrong_configuration_reaches_the_daemon_as_an_error_with_the_reason(
    build_node: Build, changes: dict[str, Any], message: str
) -> None:
    client = build_node(**changes).client()
    with trio.fail_after(PATIENCE_S), pytest.raises(ControlError, match="exit code 2") as caught:
        await client.run()
    assert message in str(caught.value)


async def test_a_spoiled_state_is_not_guessed_at(build_node: Build) -> None:
    node = build_node()
    (node.data_dir / "control.state").write_bytes(b'{"type":"SavedState"')
    with trio.fail_after(PATIENCE_S), pytest.raises(ControlError, match="move it away to start afresh"):
        await node.client().run()
