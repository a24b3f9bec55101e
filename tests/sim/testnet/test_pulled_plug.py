"""The walk of docs/hardware.md: ten lines of TOML put a SunSpec inverter into a testnet, and its plug is pulled."""

import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
import trio

from node.errors import ConfigError
from sim.counterparts.started import Counterpart, counterpart
from sim.testnet.given_devices import read_devices
from sim.testnet.waiting import until

SPEED = "60"
SILENT = {"power-unknown", "setpoint-refused"}
START_S = 240.0
"""Real seconds for five interpreters and their libraries on a machine that does something else, too."""
REST_S = 150.0
"""On a busy machine a reading may be late, and then the unit rests for a minute."""
SHAPE = ("--nodes", "2", "--intervals", "40", "--data", "swiss", "--speed", SPEED)
WALK = Path(__file__).parents[3] / "docs" / "hardware.md"


def ten_lines() -> str:
    """The table that the documentation tells the reader to write."""
    text = WALK.read_text("utf-8").partition("## Pull the plug")[2].partition("```toml\n")[2]
    return text.partition("   ```")[0].replace("   ", "")


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("", "must have tables"),
        ("[site]\nders = []", "must have tables"),
        ('[[site.ders]]\nname = "cellar"\n[web]', "must have tables"),
        ("site", "not valid TOML"),
    ],
)
def test_a_file_of_devices_has_nothing_else(tmp_path: Path, text: str, fault: str) -> None:
    path = tmp_path / "devices.toml"
    path.write_text(text, "utf-8")
    with pytest.raises(ConfigError, match=fault):
        read_devices(path)
    with pytest.raises(ConfigError, match="devices scan"):
        read_devices(tmp_path / "missing.toml")


@pytest.mark.processes
def test_a_pulled_plug_is_an_alarm_and_nothing_else_stops(tmp_path: Path) -> None:
    plant = ("--real-time", "--speed", SPEED)
    with counterpart(*plant) as inverter:
        lines = ten_lines()
        assert len(lines.splitlines()) == 10
        devices = tmp_path / "cellar.toml"
        devices.write_text(lines.replace("5020", str(inverter.port)), "utf-8")
        with a_testnet(tmp_path, devices) as ask:
            assert trio.run(until, lambda: cellar(ask)["stored_wh"] is not None, 60.0)
            assert trio.run(until, lambda: commanded(inverter), REST_S), (ask("ders"), ask("alarms"))
            assert trio.run(until, lambda: not SILENT & alarms(ask) and headroom_w(ask) > 0, 30.0)
            inverter.end()
            assert trio.run(until, lambda: alarms(ask) >= SILENT, 30.0)
            assert trio.run(until, lambda: cellar(ask)["power_w"] is None, 10.0)
            assert cellar(ask)["stored_wh"] is None
            assert ask("flows")["connection_w"] is None  # nobody knows any more what crosses it
            assert trio.run(until, lambda: headroom_w(ask) == 0, 20.0)
            height = ask("status")["height"]
            assert trio.run(until, lambda: ask("status")["height"] > height, 60.0)
            assert ask("status")["active"]
            with counterpart(*plant, "--port", str(inverter.port)) as again:
                assert trio.run(until, lambda: not SILENT & alarms(ask), 30.0), ask("alarms")
                assert trio.run(until, lambda: cellar(ask)["stored_wh"] is not None, 10.0)
                assert trio.run(until, lambda: commanded(again), REST_S), (ask("ders"), ask("alarms"))


@contextmanager
def a_testnet(directory: Path, devices: Path) -> Iterator[Callable[[str], Any]]:
    """The command that the documentation tells the reader to run, and the API of its first node."""
    words = (sys.executable, "-m", "node.cli.root", "testnet", "run", *SHAPE, "--page", "--page-port", "0")
    cell = directory / "plug-cell"
    command = [*words, "--data-dir", str(cell), "--device", str(devices)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as running:
        try:
            address = cell / "page.address"
            assert trio.run(until, address.exists, START_S)
            with httpx.Client(
                base_url=f"{address.read_text('utf-8').strip()}/nodes/home-01/api/v1/", timeout=20
            ) as client:
                yield lambda path: client.get(path).json()
        finally:
            running.send_signal(signal.SIGINT)
            _, said = running.communicate(timeout=60)
    assert b"all nodes are stopped" in said


def commanded(inverter: Counterpart) -> bool:
    """Whether the inverter holds a setpoint other than rest."""
    return abs(inverter.get("704.WSet")) > 1


def cellar(ask: Callable[[str], Any]) -> dict[str, Any]:
    """The device as the page has it; nothing is known of it before control has said its first word."""
    unknown = {"stored_wh": None, "power_w": None}
    return next((unit for unit in ask("ders")["units"] if unit["name"] == "cellar"), unknown)


def alarms(ask: Callable[[str], Any]) -> set[str]:
    """What stands about the device."""
    return {each["code"] for each in ask("alarms?standing=true") if each["device"] == "cellar"}


def headroom_w(ask: Callable[[str], Any]) -> float:
    """What the node tells the cell that it could give more."""
    found: float = next(each["headroom_up_w"] for each in ask("members") if each["name"] == "home-01")
    return found
