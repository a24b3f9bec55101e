"""`wattswarm testnet run --page`: all nodes side by side while the cell runs, and nothing left behind."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest
import trio

from sim.testnet.waiting import until

pytestmark = pytest.mark.processes

COMMAND = (sys.executable, "-m", "node.cli.root", "testnet", "run")


def test_all_nodes_are_shown_while_the_testnet_runs(tmp_path: Path) -> None:
    directory = tmp_path / "cell"
    shape = ("--nodes", "2", "--intervals", "6", "--speed", "1200")
    command = [*COMMAND, *shape, "--data-dir", str(directory), "--page", "--page-port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as testnet:
        address = directory / "page.address"
        assert trio.run(until, address.exists, 120.0)
        url = address.read_text("utf-8").strip()

        def overview() -> dict[str, Any]:
            found: dict[str, Any] = httpx.get(f"{url}/api/overview", timeout=20).json()
            return found

        def followed() -> bool:
            cards = overview()["nodes"].values()
            return all(
                card["status"]["followed"] > 0 and card["flows"]["load_w"] is not None for card in cards
            )

        assert trio.run(until, followed, 60.0), overview()
        assert set(overview()["nodes"]) == {"home-01", "home-02"}
        own = httpx.get(f"{url}/nodes/home-02/api/v1/status", timeout=20).json()
        assert own["node"] == "home-02"
        assert "All nodes" in httpx.get(url, timeout=20, follow_redirects=True).text
        _, said = testnet.communicate(timeout=120)
    assert testnet.returncode == 0, said.decode()
    with pytest.raises(httpx.ConnectError):
        httpx.get(url, timeout=5)
