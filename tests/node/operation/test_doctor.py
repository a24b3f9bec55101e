"""What the doctor makes of what was found out, and that each thing that is wrong comes with what to do."""

import json
import socket
from collections.abc import Iterable
from pathlib import Path

import pytest

from node.cli.node import init
from node.cli.operation import doctor as doctor_command
from node.operation import doctor
from node.operation.doctor import (
    ClockFacts,
    DeviceFacts,
    DiskFacts,
    Finding,
    KeyFacts,
    Level,
    NetworkFacts,
    PeerFacts,
    worst,
)

GOOD_CLOCK = ClockFacts(kept=True, error_s=0.01, margin_s=0.3, block_ahead_s=-2.0)
GOOD_DISK = DiskFacts(free_bytes=10**11, free_files=10**6, flush_s=0.002)
GOOD_KEYS = KeyFacts((("identity.key", ""),), guard=True, ledger=True, membership=("ada is a member", ""))
GOOD_NETWORK = NetworkFacts(True, (("/ip4/127.0.0.1/tcp/9401", ""),), (PeerFacts("ben", "x", ""),), 1, 1)
GOOD_DEVICES = DeviceFacts(configured=2, controlled=True, expected=True)


def judged(facts: object) -> tuple[Finding, ...]:
    match facts:
        case ClockFacts():
            found: Iterable[Finding] = doctor.judge_clock(facts)
        case DiskFacts():
            found = doctor.judge_disk(facts)
        case KeyFacts():
            found = doctor.judge_keys(facts)
        case NetworkFacts():
            found = doctor.judge_network(facts)
        case DeviceFacts():
            found = doctor.judge_devices(facts)
        case _:
            raise AssertionError(facts)
    return tuple(found)


@pytest.mark.parametrize("facts", [GOOD_CLOCK, GOOD_DISK, GOOD_KEYS, GOOD_NETWORK, GOOD_DEVICES])
def test_what_is_well_is_good_and_needs_nothing(facts: object) -> None:
    findings = judged(facts)
    assert findings
    assert worst(findings) is Level.GOOD
    assert all(not finding.remedy for finding in findings)


@pytest.mark.parametrize(
    ("facts", "level", "words"),
    [
        (ClockFacts(None, None, 0.3), Level.WARNING, "does not say"),
        (ClockFacts(False, None, 0.3), Level.PROBLEM, "nothing keeps"),
        (ClockFacts(True, 0.5, 0.3), Level.WARNING, "0.500 s, more than the gate margin"),
        (ClockFacts(True, 0.1, 0.3, block_ahead_s=7.0), Level.PROBLEM, "7.0 s in the future"),
        (DiskFacts(10**6, None, 0.001), Level.PROBLEM, "0.0 GB"),
        (DiskFacts(10**11, 0, 0.001), Level.PROBLEM, "no files"),
        (DiskFacts(5 * 10**8, None, 0.001), Level.WARNING, "0.5 GB"),
        (DiskFacts(10**11, None, None, "Read-only file system"), Level.PROBLEM, "Read-only"),
        (DiskFacts(10**11, None, 0.08), Level.WARNING, "80 ms"),
        (KeyFacts((("identity.key", "identity.key is bad"),), False, False), Level.PROBLEM, "is bad"),
        (KeyFacts((), guard=False, ledger=True), Level.PROBLEM, "only read"),
        (KeyFacts((), True, True, ("unknown", "do this")), Level.PROBLEM, "unknown"),
        (NetworkFacts(False, (("a", "Address in use"),), (), 0, 0), Level.PROBLEM, "Address in use"),
        (
            NetworkFacts(False, (), (PeerFacts("b", "x", "refused"), PeerFacts("b", "y", "")), 3, 1),
            Level.GOOD,
            "",
        ),
        (
            NetworkFacts(
                False,
                (),
                (PeerFacts("b", "x", "refused"), PeerFacts("c", "y", ""), PeerFacts("d", "z", "")),
                3,
                2,
            ),
            Level.WARNING,
            "b is not reached: x: refused",
        ),
        (NetworkFacts(False, (), (PeerFacts("b", "x", "refused"),), 3, 2), Level.PROBLEM, "0 of 3"),
        (DeviceFacts(0, False, False), Level.WARNING, "no device"),
        (DeviceFacts(2, False, True, "exit code 4"), Level.PROBLEM, "exit code 4"),
        (DeviceFacts(2, False, False), Level.GOOD, ""),
        (DeviceFacts(2, True, True, reasons=("it only reads: x",)), Level.WARNING, "it only reads: x"),
        (DeviceFacts(2, True, True, profile_fault="profile.csv: line 1"), Level.PROBLEM, "line 1"),
    ],
)
def test_what_is_wrong_is_said_with_what_to_do(facts: object, level: Level, words: str) -> None:
    findings = judged(facts)
    assert worst(findings) is level
    bad = [finding for finding in findings if finding.level is not Level.GOOD]
    assert all(finding.remedy for finding in bad)
    assert any(words in finding.text for finding in findings)


@pytest.fixture
def node(tmp_path: Path) -> Path:
    """A new node that listens on a free port and has no genesis yet."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    init(tmp_path / "ada", name="ada", listen=(f"/ip4/127.0.0.1/tcp/{port}",))
    (tmp_path / "ada" / "members.toml").write_text("[peers]\n", "utf-8")
    return tmp_path / "ada" / "node.toml"


def findings_of(config: Path, capsys: pytest.CaptureFixture[str]) -> list[dict[str, str]]:
    """What the command prints as JSON, whatever its exit status."""
    capsys.readouterr()
    with pytest.raises(SystemExit) as ended:
        doctor_command(config=config, as_json=True)
    assert ended.value.code == 1
    found: list[dict[str, str]] = json.loads(capsys.readouterr().out)["findings"]
    return found


def test_a_new_node_is_told_what_it_lacks(node: Path, capsys: pytest.CaptureFixture[str]) -> None:
    findings = findings_of(node, capsys)
    problems = [each for each in findings if each["level"] == "problem" and each["check"] != "clock"]
    assert [each["check"] for each in problems] == ["keys"]
    assert "genesis.cbor: no such file" in problems[0]["text"]
    assert "founder" in problems[0]["remedy"]
    assert {each["check"] for each in findings} == {
        "configuration",
        "clock",
        "disk",
        "keys",
        "network",
        "devices",
    }


def test_a_key_that_others_can_read_and_a_port_in_use_are_found(
    node: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (node.parent / "identity.key").chmod(0o644)
    port = int(node.read_text("utf-8").split("/tcp/")[1].split('"')[0])
    with socket.create_server(("127.0.0.1", port)):
        problems = [each["text"] for each in findings_of(node, capsys) if each["level"] == "problem"]
    assert any("identity.key" in text and "chmod 600" in text for text in problems), problems
    assert any("Address already in use" in text for text in problems)


def test_a_configuration_with_mistakes_is_all_that_is_looked_at(
    node: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    node.write_text(node.read_text("utf-8").replace("[network]", "[network]\nport = 1"), "utf-8")
    assert [each["check"] for each in findings_of(node, capsys)] == ["configuration"]


def test_people_read_lines_with_the_remedy_below(node: Path, capsys: pytest.CaptureFixture[str]) -> None:
    capsys.readouterr()
    with pytest.raises(SystemExit):
        doctor_command(config=node)
    lines = capsys.readouterr().out.splitlines()
    at = next(index for index, line in enumerate(lines) if "genesis.cbor" in line)
    assert lines[at].startswith("PROBLEM  keys: ")
    assert lines[at + 1].strip() == "do: the founder of the cell gives it to every member"
