"""What a real daemon says of itself to whoever watches it."""

import json
import socket
from collections.abc import Iterator

import httpx
import pytest
import trio
from cell_of_processes import Cell, ended, found, port_of

from ledger.audit.audit import verify_directory
from ledger.files.directory import GUARD_FILE
from market.cell import EnergyCell
from node.config import load_config
from node.founding import CONFIG_FILE
from node.operation.backup import back_up, restore
from node.operation.doctor import Level
from node.operation.examination import examine
from sim.testnet.layout import DAEMON_LOG
from sim.testnet.processes import Daemon

pytestmark = pytest.mark.processes


@pytest.fixture(scope="module")
def cell(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cell]:
    """A cell of one home that serves its metrics, running, with a block."""
    cell = found(tmp_path_factory.mktemp("operation") / "cell", 1, interval_real_s=1.0)
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


def test_a_backup_of_a_running_node_verifies_and_only_reads_when_it_comes_back(cell: Cell) -> None:
    (daemon,) = cell.daemons
    target = daemon.directory.parent / "node.backup"
    done = back_up(load_config(daemon.directory / CONFIG_FILE), target)
    assert done.manifest.height >= 1
    trio.run(cell.blocks, 1)
    assert daemon.running

    again = Daemon(daemon.directory.with_name("again"))
    restore(target, again.directory)
    report = verify_directory(again.directory, EnergyCell())
    assert report.verified, report.failure
    assert report.tip is not None
    assert report.tip.height == done.manifest.height
    listen_elsewhere(again)
    back = Cell(cell.prepared, [again])
    with ended(back):
        again.start()
        assert "the sign guard is missing" in trio.run(back.only_reads, again)
        assert not (again.directory / GUARD_FILE).exists()
        assert trio.run(back.stop) == {again.name: 0}


def listen_elsewhere(daemon: Daemon) -> None:
    """Give a daemon a port of its own."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    path = daemon.directory / CONFIG_FILE
    text = path.read_text("utf-8").replace(f"/tcp/{port_of(daemon)}", f"/tcp/{port}")
    path.write_text(text, "utf-8")
