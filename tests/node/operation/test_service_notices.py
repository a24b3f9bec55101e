"""What a service manager is told, by the protocol of sd_notify(3): the test has systemd's end of the socket."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
import trio
from counterparts import Manager
from example_status import S, status

from node.cli.root import app
from node.operation.service_notices import ServiceManager

ROOT = Path(__file__).parents[3]
FILES = ROOT / "node" / "operation" / "files"


@pytest.mark.parametrize("abstract", [False, True])
def test_messages_reach_a_socket_by_path_or_by_name(tmp_path: Path, abstract: bool) -> None:
    manager = Manager(f"@{tmp_path.name}-notify" if abstract else str(tmp_path / "notify"))
    ServiceManager({"NOTIFY_SOCKET": manager.path}).tell(READY="1", STATUS="all\nwell")
    assert manager.hear() == {"READY": "1", "STATUS": "all well"}


def test_without_a_manager_or_with_one_that_is_gone_nothing_happens(tmp_path: Path) -> None:
    ServiceManager({}).tell(READY="1")
    ServiceManager({"NOTIFY_SOCKET": str(tmp_path / "gone")}).tell(READY="1")
    assert ServiceManager({}).beat_s == 5.0
    assert ServiceManager({"WATCHDOG_USEC": "3000000"}).beat_s == 1.5
    assert ServiceManager({"WATCHDOG_USEC": "3000000", "WATCHDOG_PID": "1"}).beat_s == 5.0


async def test_the_watchdog_is_fed_only_while_the_node_lives(
    tmp_path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    manager = Manager(str(tmp_path / "notify"))
    told = iter([status(), status(), status(loop_real_ns=80 * S), status(active=False)])
    client = ServiceManager({"NOTIFY_SOCKET": manager.path, "WATCHDOG_USEC": "2000000"})
    with trio.move_on_after(2.5):
        await client.run(lambda: next(told))
    first, good, hangs, idle, last = (manager.hear() for _ in range(5))
    assert first["READY"] == good["WATCHDOG"] == good["X_WATTSWARM_READY"] == "1"
    assert "WATCHDOG" not in hangs
    assert "has not come round" in hangs["STATUS"]
    assert (idle["WATCHDOG"], idle["X_WATTSWARM_READY"]) == ("1", "0")
    assert last["STOPPING"] == "1"


def unit() -> dict[str, list[str]]:
    """The settings of the service file."""
    settings: dict[str, list[str]] = {}
    for line in (FILES / "wattswarm@.service").read_text("utf-8").splitlines():
        if line and not line.startswith(("#", "[")):
            name, _, value = line.partition("=")
            settings.setdefault(name, []).append(value)
    return settings


def test_the_unit_is_hardened_watched_and_starts_a_command_that_exists() -> None:
    settings = unit()
    assert settings["Type"] == ["notify"]
    assert settings["KillMode"] == ["process"], "the control process outlives a crashed daemon"
    assert float(settings["WatchdogSec"][0]) > 10
    for name in (
        *("NoNewPrivileges", "PrivateTmp", "PrivateDevices", "ProtectHome", "ProtectKernelTunables"),
        *("ProtectKernelModules", "ProtectControlGroups", "RestrictNamespaces", "LockPersonality"),
    ):
        assert settings[name] == ["yes"], name
    assert settings["ProtectSystem"] == ["strict"]
    assert settings["CapabilityBoundingSet"] == [""]
    command = settings["ExecStart"][0].split()[1:]
    function, _, ignored = app.parse_args(command, exit_on_error=False, print_error=False)
    assert callable(function)
    assert not ignored


def test_statuses_that_a_restart_cannot_mend_are_not_restarted() -> None:
    table = (ROOT / "docs" / "operating.md").read_text("utf-8")
    rows = re.findall(r"^\| (\d+) +\| `\w+` .*\| (no|report it first) +\|$", table, re.M)
    hopeless = {int(status) for status, _ in rows} - {1}
    assert {int(each) for each in unit()["RestartPreventExitStatus"][0].split()} == hopeless


def test_the_container_copies_what_is_there_and_runs_as_nobody() -> None:
    text = (FILES / "Containerfile").read_text("utf-8")
    copied = [name for line in re.findall(r"^COPY (?!--from)(.+)$", text, re.M) for name in line.split()[:-1]]
    assert {"ledger", "market", "devices", "node", "sim", "pyproject.toml"} <= set(copied)
    assert all((ROOT / name).exists() for name in copied)
    assert "USER 10001:10001" in text
    assert "HEALTHCHECK" in text
    assert "/healthz" in text


def test_bash_completes_commands_and_options(tmp_path: Path) -> None:
    made = subprocess.run(
        [sys.executable, "-m", "node.cli.root", "completion", "bash"],
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
        cwd=ROOT,
    )
    (tmp_path / "completion").write_text(made.stdout, "utf-8")
    script = """
    source completion
    words=$(complete -p wattswarm); name=${words#*-F }; name=${name%% *}
    try() { COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); COMPREPLY=(); "$name" wattswarm "${@: -1}" "${@: -2:1}";
            echo "${COMPREPLY[@]}"; }
    try wattswarm node do; try wattswarm ledger ver; try wattswarm node doctor --
    """
    done = subprocess.run(
        ["bash", "-c", script], cwd=tmp_path, capture_output=True, text=True, check=False, timeout=30
    )
    first, second, third = done.stdout.splitlines()
    assert (first.split(), second.split()) == (["doctor"], ["verify"]), done.stderr
    assert {"--config", "--json"} <= set(third.split())
