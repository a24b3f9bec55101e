"""`wattswarm testnet run` as a user runs it: real processes, one summary, and nothing left behind."""

import json
import os
import signal
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from node.exit_codes import ExitCode
from sim.testnet.waiting import until

pytestmark = pytest.mark.processes

COMMAND = (sys.executable, "-m", "node.cli.root", "testnet", "run")


def run(*arguments: object) -> subprocess.CompletedProcess[str]:
    """Run the command to its end."""
    command = [*COMMAND, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=240, check=False)


BACKGROUND = ("sh", "-c", "trap '' INT; exec \"$@\"", "job")
"""Starts a command as a shell starts one in the background: it ignores SIGINT until it says otherwise."""


def begin(directory: Path) -> subprocess.Popen[bytes]:
    """Start a testnet of two nodes that would take a minute; its messages go to a file beside the directory."""
    with directory.with_suffix(".err").open("wb") as messages:
        return subprocess.Popen(
            [*BACKGROUND, *COMMAND, "--nodes", "2", "--intervals", "24", "--data-dir", str(directory)],
            stdout=messages,
            stderr=messages,
        )


async def first_interval(process: subprocess.Popen[bytes], directory: Path) -> None:
    """Wait until an interval was agreed."""
    messages = directory.with_suffix(".err")
    assert await until(lambda: "1/24" in messages.read_text("utf-8") or process.poll() is not None, 90)
    assert process.poll() is None, messages.read_text("utf-8")


def processes_of(directory: Path) -> list[int]:
    """Every process whose command line names the directory."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            named = os.fsencode(directory) in path.read_bytes()
        except OSError:
            continue
        if named:
            found.append(int(path.parent.name))
    return found


def write_households(path: Path) -> None:
    """Two homes for five days of hours: one has sun to sell around noon, the other never has."""
    start = datetime(2026, 6, 1, tzinfo=UTC)
    lines = ["start,home,load_kwh,pv_kwh,import_price,export_price"]
    for hour in range(5 * 24):
        at = (start + timedelta(hours=hour)).isoformat()
        lines += [f"{at},sunny,0.3,2.5,0.31,0.08", f"{at},shady,1.1,0,0.31,0.08"]
    path.write_text("\n".join(lines) + "\n", "utf-8")


def test_a_file_of_meter_data_is_traded_and_summed_up_in_one_object(tmp_path: Path) -> None:
    data, directory = tmp_path / "street.csv", tmp_path / "net"
    write_households(data)
    done = run(
        "--nodes", 2, "--intervals", 3, "--speed", 1800, "--data", data, "--data-dir", directory, "--json"
    )
    assert done.returncode == 0, done.stderr
    summary = json.loads(done.stdout.splitlines()[-1])
    assert (summary["nodes"], summary["intervals"]) == (2, 3)
    assert summary["agreed"] is True and summary["verified"] is True
    assert summary["blocks"] >= 3
    assert summary["traded_kwh"] > 0
    assert 0 < summary["local_share"] <= 1
    assert 0 < summary["agreement_ms_p50"] <= summary["agreement_ms_p99"]
    assert summary["bytes_per_node_and_interval"] > 0
    assert summary["cpu_s_per_node_and_interval"] > 0
    assert "3/3" in done.stderr
    assert processes_of(directory) == []
    again = run("--nodes", 2, "--intervals", 3, "--data", data, "--data-dir", directory)
    assert again.returncode == ExitCode.USAGE
    assert str(directory) in again.stderr and "not empty" in again.stderr


def test_half_hourly_homes_of_london_agree_and_verify(tmp_path: Path) -> None:
    directory = tmp_path / "net"
    done = run("--nodes", 2, "--intervals", 2, "--speed", 900, "--data", "london", "--data-dir", directory)
    assert done.returncode == 0, done.stderr
    assert "all nodes hold the same: yes" in done.stdout
    assert "all verify" in done.stdout
    assert str(directory) in done.stdout


@pytest.mark.parametrize(
    ("option", "value", "words"),
    [
        ("--nodes", 0, "ask for 1 to"),
        ("--intervals", 100_000, "ask for 1 to 336"),
        ("--speed", 0, "--speed"),
        ("--data", "nowhere.csv", "no such file"),
        ("--season", "autumn", "winter"),
    ],
)
def test_a_wrong_option_is_named_and_nothing_is_founded(
    tmp_path: Path, option: str, value: object, words: str
) -> None:
    done = run("--data-dir", tmp_path / "net", option, value)
    assert done.returncode == ExitCode.USAGE
    assert words in done.stderr + done.stdout
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "net").exists()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_interrupted_it_stops_every_process_and_says_where_the_data_is(
    tmp_path: Path, number: signal.Signals
) -> None:
    directory = tmp_path / "net"
    process = begin(directory)
    if number is signal.SIGINT:
        await first_interval(process, directory)
    else:
        assert await until(lambda: len(processes_of(directory)) >= 3, 60)
    process.send_signal(number)
    assert await until(lambda: process.poll() is not None, 30)
    assert process.returncode == 130
    assert processes_of(directory) == []
    text = directory.with_suffix(".err").read_text("utf-8")
    assert str(directory) in text
    assert "Traceback" not in text


async def test_a_node_that_dies_ends_the_testnet_which_says_which_and_why(tmp_path: Path) -> None:
    directory = tmp_path / "net"
    process = begin(directory)
    await first_interval(process, directory)
    victim = directory / "nodes" / "home-02"
    (daemon,) = (pid for pid in processes_of(victim / "node.toml") if pid != process.pid)
    os.kill(daemon, signal.SIGKILL)
    assert await until(lambda: process.poll() is not None, 60)
    assert process.returncode == ExitCode.FAILED
    text = directory.with_suffix(".err").read_text("utf-8")
    assert "home-02" in text and "-9" in text
    assert str(victim / "daemon.log") in text
    assert "Traceback" not in text
