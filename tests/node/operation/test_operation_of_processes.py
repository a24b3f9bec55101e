"""What a real daemon says of itself to whoever watches it."""

import json
import signal
import socket
from collections.abc import Iterator
from http.server import HTTPServer
from pathlib import Path

import httpx
import pytest
import trio
from cell_of_processes import Cell, ended, found, port_of
from counterparts import Manager, Web, serving

from ledger.audit.audit import verify_directory
from ledger.files.directory import GUARD_FILE
from market.cell import EnergyCell
from node.cli.notification import acknowledge, warnings
from node.cli.operation import versions
from node.configuration.config import load_config
from node.errors import InputRefusedError
from node.founding.founding import CONFIG_FILE
from node.operation.backup import back_up, restore
from node.operation.doctor import Level
from node.operation.examination import examine
from sim.testnet.layout import DAEMON_LOG
from sim.testnet.processes import Daemon

pytestmark = [pytest.mark.processes, pytest.mark.xdist_group("daemon")]


@pytest.fixture(scope="module")
def cell(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cell]:
    """A cell of two homes, of which the first serves its metrics, running, with a block."""
    cell = found(tmp_path_factory.mktemp("operation") / "cell", 2, interval_real_s=1.0)
    daemon = cell.daemons[0]
    with (daemon.directory / CONFIG_FILE).open("a", encoding="utf-8") as file:
        file.write('\n[metrics]\nlisten = "127.0.0.1:0"\n')
    with ended(cell):
        trio.run(cell.start)
        yield cell


def address_of(daemon: Daemon) -> str:
    """Where it says that it serves its metrics."""
    lines = (daemon.directory / DAEMON_LOG).read_text("utf-8").splitlines()
    events = (json.loads(line) for line in lines if line.startswith("{"))
    return str(next(event["address"] for event in events if event["event"] == "metrics"))


def test_a_running_daemon_is_healthy_and_its_metrics_are_those_of_its_ledger(cell: Cell) -> None:
    daemon = cell.daemons[0]
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
    daemon = cell.daemons[0]
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


def test_two_nodes_know_which_version_the_other_runs(cell: Cell, capsys: pytest.CaptureFixture[str]) -> None:
    first, second = cell.daemons
    shown = first.directory / "versions.json"
    trio.run(cell.wait, lambda: second.name in shown.read_text("utf-8"), 30.0, "the version of the other")
    versions(first.directory)
    lines = capsys.readouterr().out.splitlines()
    assert lines == [f"{each.name}  0.1.0  protocol 1" for each in (first, second)]
    versions(first.directory, as_json=True)
    table = json.loads(capsys.readouterr().out)
    assert table[second.name] == {"version": "0.1.0", "protocols": [1]}


def test_a_node_that_came_back_from_a_backup_only_reads_and_tells_everybody(
    cell: Cell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    daemon = cell.daemons[0]
    target = tmp_path / "node.backup"
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
    manager = Manager(str(tmp_path / "notify"))
    monkeypatch.setenv("NOTIFY_SOCKET", manager.path)
    monkeypatch.setenv("WATCHDOG_USEC", "1000000")
    back = Cell(cell.prepared, [again])
    with serving(HTTPServer(("127.0.0.1", 0), Web)) as (port, posted), ended(back):
        warn_at(again, port)
        again.start()
        assert "the sign guard is missing" in trio.run(back.only_reads, again)
        assert not (again.directory / GUARD_FILE).exists()
        assert manager.until(lambda heard: "READY" in heard)["X_WATTSWARM_READY"] == "0"
        assert "it only reads" in manager.until(lambda heard: "WATCHDOG" in heard)["STATUS"]
        trio.run(back.wait, lambda: len(posted) > 0, 60.0, "a warning")
        expect_acknowledged(back, again, json.loads(posted[0]), capsys)
        again.signal(signal.SIGTERM)
        assert "reversion" in manager.until(lambda heard: "STOPPING" in heard)["STATUS"]
        assert trio.run(back.stop) == {again.name: 0}


def expect_acknowledged(
    back: Cell, daemon: Daemon, posted: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    """The warning that was posted says what is wrong, and is taken on by its reference."""
    path = daemon.directory / CONFIG_FILE
    name = load_config(path).node.name
    assert (posted["title"], posted["type"]) == (f"{name}: CRITICAL", "failure")
    assert posted["message"].startswith("The node only reads")
    reference = posted["message"].split("acknowledge ")[1].split()[0]
    acknowledge(reference, config=path)

    def taken() -> bool:
        table = json.loads((daemon.directory / "warnings.json").read_text("utf-8"))
        return any(each["reference"] == reference and each["acknowledged"] for each in table["open"])

    trio.run(back.wait, taken, 30.0, "the acknowledgement")
    capsys.readouterr()
    warnings(config=path)
    assert f"{reference}  critical: The node only reads" in capsys.readouterr().out
    with pytest.raises(InputRefusedError, match="no such warning"):
        acknowledge("00000000", config=path)


def warn_at(daemon: Daemon, port: int) -> None:
    """Have a daemon post its warnings to a port of this machine."""
    channel = f'\n[[notify.channels]]\nname = "hook"\nurl = "json://127.0.0.1:{port}"\n'
    path = daemon.directory / CONFIG_FILE
    path.write_text(path.read_text("utf-8") + channel, "utf-8")


def listen_elsewhere(daemon: Daemon) -> None:
    """Give a daemon a port of its own."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    path = daemon.directory / CONFIG_FILE
    text = path.read_text("utf-8").replace(f"/tcp/{port_of(daemon)}", f"/tcp/{port}")
    path.write_text(text, "utf-8")
