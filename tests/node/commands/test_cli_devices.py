"""`wattswarm devices scan|show|test` against a SunSpec server: what a user sees, and every way to fail."""

import json
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
from command_line import Run, command_line
from nut_server import nut_server

from devices.process.control_files import lock_directory
from node.cli import device_tests
from node.configuration.config import load_config
from node.configuration.config_file import config_text
from sim.counterparts.started import Counterpart, counterpart

pytestmark = [pytest.mark.processes, pytest.mark.xdist_group("control")]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Run:
    monkeypatch.chdir(tmp_path)
    return command_line(monkeypatch, capsys, "devices")


@pytest.fixture
def battery(monkeypatch: pytest.MonkeyPatch) -> Iterator[Counterpart]:
    """A server whose time passes while the command waits."""
    with counterpart() as server:
        monkeypatch.setattr(device_tests, "_wait", lambda seconds: server.ask(advance=seconds))
        yield server


def write(port: int, **changes: object) -> str:
    way = {"driver": "sunspec", "name": "cellar", "host": "127.0.0.1", "port": port, "kind": "battery"}
    size = {"charge_w": 3000, "discharge_w": 3000, "capacity_wh": 8000}
    table = {"node": {"name": "ada"}, "site": {"ders": [way | size | changes]}}
    Path("node.toml").write_text(config_text(table), "utf-8")
    return "node.toml"


def test_what_scan_prints_is_a_configuration_that_passes_the_test(run: Run, battery: Counterpart) -> None:
    status, text, _ = run("scan", "--host", f"127.0.0.1:{battery.port}")
    assert status == 0
    assert "Wattswarm Counterpart" in text
    assert "model 704: DER AC Controls" in text
    printed = text[text.index("[[site.ders]]") :]
    Path("node.toml").write_text('[node]\nname = "ada"\n\n' + printed, "utf-8")
    assert load_config(Path("node.toml")).site.ders[0]["charge_w"] == 5000
    status, text, _ = run("test", "node.toml")
    assert (status, text.count("passed"), text.count("FAILED")) == (0, 7, 0)
    assert "in the configuration as device-1" in run("scan", "node.toml")[1]


def test_show_prints_every_value_with_its_unit(run: Run, battery: Counterpart) -> None:
    battery.ask(put={"704.WSetEna": 1, "704.WSet": -1500}, advance=1.0)
    status, text, _ = run("show", write(battery.port))
    assert status == 0
    assert [line for line in text.splitlines() if "TotWhInj " in line]
    status, text, _ = run("show", "node.toml", "--json")
    values = {(each["model"], each["point"]): each for each in json.loads(text)["cellar"]["values"]}
    assert (values[701, "W"]["value"], values[701, "W"]["units"]) == (-1500.0, "W")
    assert values[701, "InvSt"]["value"] == "RUNNING"
    assert values[1, "Mn"]["value"] == "Wattswarm"
    assert (701, "WL1") not in values


def test_a_ups_is_shown_and_looked_at_and_never_commanded(run: Run, tmp_path: Path) -> None:
    with nut_server(tmp_path) as server:
        path = write_ups(server.port)
        assert "A quoted maker" in run("show", path)[1]
        status, text, _ = run("test", path, "--json")
        steps = json.loads(text)["rack"]
        assert (status, [step["name"] for step in steps]) == (0, ["answers", "keeps measuring"])
        server.unplug()
        assert run("test", path)[0] == 1
        assert "its driver does not run" in run("show", path)[1]


def write_ups(port: int) -> str:
    table = {"driver": "nut", "name": "rack", "ups": "home", "port": port, "maximum_w": 600}
    Path("node.toml").write_text(config_text({"node": {"name": "ada"}, "site": {"ders": [table]}}), "utf-8")
    return "node.toml"


def test_a_device_that_fails_a_step_gives_status_1(run: Run, battery: Counterpart) -> None:
    battery.ask(fault="refuse")
    status, text, _ = run("test", write(battery.port), "cellar", "--json")
    steps = {step["name"]: step["passed"] for step in json.loads(text)["cellar"]}
    assert (status, steps["answers"], steps["charges"]) == (1, True, False)


def test_a_device_that_is_not_there_gives_status_1(run: Run) -> None:
    with counterpart() as server:
        port = server.port
    for command in ("scan", "show", "test"):
        status, text, _ = run(command, write(port, timeout_ms=50))
        assert status == 1
        assert f"127.0.0.1:{port}, unit 1" in text


def test_a_node_that_runs_is_not_disturbed(run: Run, battery: Counterpart) -> None:
    path = write(battery.port)
    with lock_directory(Path.cwd()):
        status, _, told = run("test", path)
    assert status == 1
    assert "already controlled by the process" in told
    assert battery.get("704.WSetEna") == 0.0


def test_wrong_arguments_say_what_is_right(run: Run) -> None:
    path = write(502)
    assert run("test", path, "roof")[::2] == (
        2, "wattswarm: no real device 'roof' in this configuration; there is: cellar\n",
    )  # fmt: skip
    assert "at most 3000, for cellar" in run("test", path, "--power-w", "4000")[2]
    assert "nowhere to look" in run("scan")[2]
    assert "is no host or host:port" in run("scan", "--host", "a:b")[2]
    assert "--units: 99 is not" in run("scan", "--host", "a", "--units", "99")[2]
    assert tomllib.loads(Path(path).read_text())["site"]["ders"][0]["name"] == "cellar"
