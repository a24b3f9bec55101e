"""What a real daemon says of itself to whoever watches it."""

import json
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
import trio
from cell_of_processes import Cell, ended, found

from node.founding import CONFIG_FILE
from node.operation.doctor import Level
from node.operation.examination import examine
from sim.testnet.layout import DAEMON_LOG
from sim.testnet.processes import Daemon

pytestmark = pytest.mark.processes


@pytest.fixture
def cell(tmp_path: Path) -> Iterator[Cell]:
    """A cell of one home that serves its metrics, running, with a block."""
    cell = found(tmp_path / "cell", 1, interval_real_s=1.0)
    (daemon,) = cell.daemons
    with (daemon.directory / CONFIG_FILE).open("a", encoding="utf-8") as file:
        file.write('\n[metrics]\nlisten = "127.0.0.1:0"\n')
    with ended(cell):
        cell.started(daemon)
        trio.run(cell.blocks, 1)
        yield cell


def address_of(daemon: Daemon) -> str:
    """Where it says that it serves its metrics."""
    lines = (daemon.directory / DAEMON_LOG).read_text("utf-8").splitlines()
    events = (json.loads(line) for line in lines if line.startswith("{"))
    return str(next(event["address"] for event in events if event["event"] == "metrics"))


def test_a_running_daemon_is_healthy_and_its_metrics_are_those_of_its_ledger(cell: Cell) -> None:
    (daemon,) = cell.daemons
    with httpx.Client(base_url=f"http://{address_of(daemon)}", trust_env=False) as client:
        assert client.get("/healthz").text == "ok\n"
        assert client.get("/readyz").text == "ok\n"
        before = trio.run(cell.blocks, 0) or cell.height
        page = client.get("/metrics").text
    daemon.follow()
    values = dict(line.rsplit(" ", 1) for line in page.splitlines() if not line.startswith("#"))
    assert before <= float(values["wattswarm_height"]) <= daemon.view.height + 1
    assert float(values['wattswarm_mode{mode="grid-support"}']) == 1
    assert float(values['wattswarm_events_total{event="block"}']) >= 1
    assert float(values["wattswarm_image_age_seconds"]) < 15
    assert float(values["wattswarm_ledger_bytes"]) > 0
    assert any(name.startswith("wattswarm_device_power_watts{") for name in values)


def test_the_doctor_finds_a_running_node_well_and_disturbs_nothing(cell: Cell) -> None:
    (daemon,) = cell.daemons
    findings = examine(daemon.directory / CONFIG_FILE, None)
    bad = [each for each in findings if each.level is not Level.GOOD and each.check not in ("clock", "disk")]
    assert bad == []
    texts = [finding.text for finding in findings]
    assert f"{daemon.name} is a member of the cell" in texts
    assert "the sign guard is there" in texts
    assert any(text.endswith("the daemon answers") for text in texts)
    assert any(text.endswith("and a control process holds them") for text in texts)
    trio.run(cell.blocks, 1)
    assert daemon.running
