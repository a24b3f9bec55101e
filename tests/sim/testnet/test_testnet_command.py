"""`wattswarm testnet run` as a user runs it: real processes, one summary, and nothing left behind."""

import json
import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from ledger.files.directory import CONSENSUS_KEY_FILE, LEDGER_FILE
from ledger.files.keys import load_key
from ledger.membership.members import Membership
from ledger.records.genesis import Genesis
from ledger.records.votes import Step, Vote, sign_vote
from node.cli.root import main
from node.exit_codes import ExitCode
from sim.testnet.chaos_checks import signed_twice
from sim.testnet.waiting import until

pytestmark = pytest.mark.processes

COMMAND = (sys.executable, "-m", "node.cli.root", "testnet", "run")


def run(*arguments: object) -> subprocess.CompletedProcess[str]:
    """Run the command to its end."""
    command = [*COMMAND, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=240, check=False)


@pytest.fixture
def refused(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """Run the command in this process with options that are wrong; it ends as for those, and this is what it said."""

    def run_here(*arguments: object) -> str:
        monkeypatch.setattr(sys, "argv", ["wattswarm", "testnet", "run", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            main()
        assert ended.value.code == ExitCode.USAGE
        return "".join(capsys.readouterr())

    return run_here


BACKGROUND = ("sh", "-c", "trap '' INT; exec \"$@\"", "job")
"""Starts a command as a shell starts one in the background: it ignores SIGINT until it says otherwise."""


def begin(directory: Path, *more: str, nodes: int = 2) -> subprocess.Popen[bytes]:
    """Start a testnet that would take a minute; its messages go to a file beside the directory."""
    with directory.with_suffix(".err").open("wb") as messages:
        return subprocess.Popen(
            [
                *BACKGROUND,
                *COMMAND,
                "--nodes",
                str(nodes),
                "--intervals",
                "24",
                "--data-dir",
                str(directory),
                *more,
            ],
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
        ("--chaos", "loud", "--chaos"),
    ],
)
def test_a_wrong_option_is_named_and_nothing_is_founded(
    tmp_path: Path, refused: Callable[..., str], option: str, value: object, words: str
) -> None:
    assert words in refused("--data-dir", tmp_path / "net", option, value)
    assert not (tmp_path / "net").exists()


@pytest.mark.parametrize(("nodes", "intervals", "words"), [(3, 24, "--nodes"), (4, 6, "--intervals")])
def test_chaos_without_room_for_it_is_refused(
    tmp_path: Path, refused: Callable[..., str], nodes: int, intervals: int, words: str
) -> None:
    size = ("--nodes", nodes, "--intervals", intervals)
    assert f"{words}: chaos needs at least" in refused("--data-dir", tmp_path / "net", *size, "--chaos", 1)
    assert not (tmp_path / "net").exists()


def test_under_chaos_a_stop_and_an_old_copy_break_nothing_and_a_planted_second_vote_is_found(
    tmp_path: Path,
) -> None:
    directory = tmp_path / "net"
    size = ("--nodes", 4, "--intervals", 14, "--speed", 1800)
    done = run(*size, "--chaos", 15, "--data-dir", directory, "--json")
    assert done.returncode == 0, done.stderr + done.stdout
    report = json.loads(done.stdout.splitlines()[-1])["chaos"]
    assert report["seed"] == 15
    assert [each["action"] for each in report["planned"]] == ["stop", "old-copy"]
    assert report["carried_out"][0]["back_s"] > report["carried_out"][0]["began_s"]
    assert all(invariant == {"holds": True, "found": []} for invariant in report["invariants"].values())
    assert 0 < report["longest_silence_s"] <= report["allowed_silence_s"]
    assert "chaos: stop home-04 is over" in done.stderr
    assert processes_of(directory) == []
    nodes = sorted((directory / "nodes").iterdir())
    genesis = Genesis.decode((directory / "cell" / "genesis.cbor").read_bytes())
    assert signed_twice(nodes, genesis) == []
    plant_second_vote(nodes, genesis)
    (found,) = signed_twice(nodes, genesis)
    assert "two bodies" in found


def plant_second_vote(nodes: list[Path], genesis: Genesis) -> None:
    """Let the first node vote for something else where it voted already; another node has kept that vote."""
    key = load_key(nodes[0] / CONSENSUS_KEY_FILE, None)
    index = Membership.founding(genesis).validators().index_of(bytes(key.verify_key))
    with closing(sqlite3.connect(nodes[2] / LEDGER_FILE)) as ledger, ledger:
        query = "SELECT height, round FROM votes WHERE step = ? AND validator = ?"
        height, round_ = ledger.execute(query, (int(Step.PRECOMMIT), index)).fetchone()
        assert index is not None
        vote = Vote(height, round_, Step.PRECOMMIT, bytes(32), -1, index)
        envelope = sign_vote(key, genesis.cell_id, vote).envelope
        row = (height, round_, int(Step.PRECOMMIT), index, envelope)
        ledger.execute("INSERT INTO votes VALUES (?, ?, ?, ?, ?)", row)


async def test_interrupted_while_it_disturbs_it_stops_every_process_even_those_that_are_paused(
    tmp_path: Path,
) -> None:
    directory = tmp_path / "net"
    process = begin(directory, "--chaos", "13", nodes=4)
    messages = directory.with_suffix(".err")
    assert await until(
        lambda: "chaos: pause" in messages.read_text("utf-8") or process.poll() is not None, 90
    )
    assert process.poll() is None, messages.read_text("utf-8")
    process.send_signal(signal.SIGINT)
    assert await until(lambda: process.poll() is not None, 30)
    assert process.returncode == 130
    assert processes_of(directory) == []
    text = messages.read_text("utf-8")
    assert str(directory) in text
    assert "Traceback" not in text


async def test_killed_itself_it_takes_its_daemons_along_even_those_that_are_stopped(tmp_path: Path) -> None:
    directory = tmp_path / "net"
    process = begin(directory)
    await first_interval(process, directory)
    configurations = [directory / "nodes" / name / "node.toml" for name in ("home-01", "home-02")]
    (paused,) = processes_of(configurations[1])
    os.kill(paused, signal.SIGSTOP)
    process.kill()
    process.wait()
    try:
        assert await until(lambda: not any(map(processes_of, configurations)), 10)
    finally:
        for control in processes_of(directory):  # these would end half a minute after they lost their daemons
            os.kill(control, signal.SIGTERM)
    assert await until(lambda: not processes_of(directory), 10)


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
