"""What the documents say is true: links, commands, configuration, tables, worked numbers and the wire format."""

import json
import re
import shlex
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any, get_args

import pytest
from pydantic import BaseModel

from devices.configuration.control_config import parse_config
from devices.messages import control_messages
from devices.messages.control_messages import AlarmCode
from devices.messages.frames import FRAME_BYTES as CONTROL_FRAME_BYTES
from devices.profiles import read_profile
from ledger import limits
from ledger.encoding import Value, encode
from ledger.records.blocks import Header
from ledger.records.validators import ValidatorSet
from ledger.signing import MessageType
from ledger.sync.replication import REPLY_BLOCKS, REPLY_ENTRIES, REQUEST_POSITIONS
from market.clear_command import clear_command
from market.feeder_file import read_feeder
from market.payloads import Kind
from node import constants
from node.cli.ledger import verify
from node.cli.root import app
from node.configuration.config import Config, load_config
from node.errors import ConfigError
from node.exit_codes import ExitCode
from node.wire import (
    CAPACITY_BYTES,
    CertificateFrame,
    Frame,
    ProposalFrame,
    StandingFrame,
    StatusFrame,
    VoteFrame,
    encode_frame,
)
from sim.testnet.summary import Summary

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
OPERATING = (DOCS / "operating.md").read_text("utf-8")
REPORTS = (DOCS / "reports.md").read_text("utf-8")
WIRE = (DOCS / "wire-format.md").read_text("utf-8")
README = (ROOT / "README.md").read_text("utf-8")
PAGES = sorted([*ROOT.glob("*.md"), *DOCS.rglob("*.md"), ROOT / "sim" / "data" / "README.md"])


def section(text: str, heading: str) -> str:
    """What stands under a heading, up to the next of its level or above."""
    found = re.search(rf"^(#+) {re.escape(heading)}$(.*?)(?=^#{{1,2}} |\Z)", text, re.M | re.S)
    assert found is not None, heading
    return found.group(2)


def blocks(text: str, language: str) -> list[str]:
    """The fenced blocks of a language ("" for none), in order."""
    fenced = re.findall(r"^```(\w*)\n(.*?)^```$", text, re.M | re.S)
    return [block for named, block in fenced if named == language]


def rows(text: str, first: str) -> Iterator[list[str]]:
    """The cells of those table rows whose first cell matches."""
    for line in text.splitlines():
        cells = [cell.strip() for cell in re.split(r"(?<!\\)\|", line.strip().strip("|"))]
        if line.startswith("|") and re.fullmatch(first, cells[0]):
            yield cells


def anchors(page: Path) -> set[str]:
    """The anchors that a page's headings make."""
    headings = re.findall(r"^#+ (.+)$", page.read_text("utf-8"), re.M)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def commands() -> list[str]:
    """Every wattswarm command in a shell block or after a prompt."""
    found = []
    for page in PAGES:
        text = page.read_text("utf-8")
        shell = "\n".join(blocks(text, "sh"))
        found += re.findall(r"^(?:\$ |    )?(wattswarm .+?)(?: +# .*)?$", shell, re.M)
        found += re.findall(r"^(?:\$ |    )(wattswarm .+)$", text, re.M)
    return sorted(set(found))


def test_the_index_of_the_documents_is_complete() -> None:
    index = (DOCS / "README.md").read_text("utf-8")
    assert {page.name for page in DOCS.glob("*.md")} - {"README.md"} <= set(
        re.findall(r"\((\S+\.md)\)", index)
    )
    decisions = {page.name for page in (DOCS / "decisions").glob("0*.md")}
    assert (
        set(re.findall(r"\((0\S+\.md)\)", (DOCS / "decisions" / "README.md").read_text("utf-8"))) == decisions
    )


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_links_lead_to_files_and_headings(page: Path) -> None:
    text = re.sub(r"^```.*?^```$|`[^`\n]*`", "", page.read_text("utf-8"), flags=re.M | re.S)
    targets = [target for target in re.findall(r"\]\(([^)\s]+)\)", text) if "://" not in target]
    for target in targets:
        name, _, anchor = target.partition("#")
        file = page if not name else page.parent / name
        assert file.exists(), target
        assert not anchor or anchor in anchors(file), target


def test_there_are_commands_to_check() -> None:
    assert {
        "wattswarm node",
        "wattswarm cell",
        "wattswarm completion",
        "wattswarm devices",
        "wattswarm ledger",
        "wattswarm market",
        "wattswarm sim",
        "wattswarm testnet",
    } == {" ".join(command.split()[:2]) for command in commands()}


@pytest.mark.parametrize("command", commands())
def test_every_command_parses(command: str) -> None:
    function, _, ignored = app.parse_args(shlex.split(command)[1:], exit_on_error=False, print_error=False)
    assert callable(function)
    assert not ignored


def test_the_quick_commands_are_targets_of_the_makefile() -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text("utf-8"), re.M))
    wanted = {match for page in PAGES for match in re.findall(r"\bmake ([a-z]+)\b", code(page))}
    assert {"demo", "test", "setup", "bench", "soak"} <= wanted <= targets


def code(page: Path) -> str:
    """What stands in code: fenced or between backticks."""
    text = page.read_text("utf-8")
    return "\n".join([*blocks(text, "sh"), *re.findall(r"`([^`\n]+)`", text)])


@pytest.fixture
def example(tmp_path: Path) -> Path:
    """The example configuration of the documents, with the files that it names."""
    configuration = next(block for block in blocks(OPERATING, "toml") if block.startswith("[node]"))
    (tmp_path / "node.toml").write_text(configuration, "utf-8")
    (tmp_path / "members.toml").write_text('[peers]\nben = ["/ip4/127.0.0.1/tcp/9402"]\n', "utf-8")
    (tmp_path / "profile.csv").write_text(blocks(OPERATING, "csv")[0], "utf-8")
    return tmp_path / "node.toml"


def test_the_example_configuration_is_one(example: Path) -> None:
    config = load_config(example)
    assert [der["kind"] for der in config.site.ders] == ["load", "pv", "battery"]
    assert config.profile_path is not None
    with config.profile_path.open(encoding="utf-8") as lines:
        assert read_profile(lines, "profile.csv").load.energies == (8_333, 8_667)


def test_the_readme_shows_a_device_as_the_example_has_it(example: Path) -> None:
    (shown,) = tomllib.loads(blocks(README, "toml")[0])["site"]["ders"]
    assert shown in load_config(example).site.ders


def test_mistakes_in_a_configuration_read_as_shown(example: Path, tmp_path: Path) -> None:
    shown = re.findall(r"^bad\.toml: (.+)$", OPERATING, re.M)
    good = example.read_text("utf-8")
    spoilt = {
        "node.colour": good.replace("[network]", "colour = 3\n[network]"),
        "network.listen": good.replace("/ip4/127.0.0.1/tcp/9401", "localhost:9400"),
        "site.ders[0].kind": good.replace('"load"', '"toaster"'),
    }
    found = []
    for text in spoilt.values():
        (tmp_path / "bad.toml").write_text(text, "utf-8")
        with pytest.raises(ConfigError) as caught:
            load_config(tmp_path / "bad.toml")
        found += [mistake.split("bad.toml: ")[1] for mistake in caught.value.mistakes]
    assert found == shown


def settings(model: type[BaseModel], path: str = "") -> Iterator[tuple[str, Any]]:
    """Every key of a configuration with its default; Ellipsis where there is none."""
    for name, field in model.model_fields.items():
        inner = field.annotation
        if isinstance(inner, type) and issubclass(inner, BaseModel):
            yield from settings(inner, f"{path}{name}.")
        elif path:
            yield (
                f"{path}{name}",
                ... if field.is_required() else one(field.get_default(call_default_factory=True)),
            )


def one(default: Any) -> Any:
    """A default; of a list of one its only element, as a file may have it too."""
    return default[0] if isinstance(default, tuple) and len(default) == 1 else default


def test_the_table_of_the_configuration_has_every_key_with_its_default() -> None:
    table = section(OPERATING, "The configuration")
    shown = {row[0].strip("`"): row[1].strip("`") for row in rows(table, r"`\w+(?:\.\w+)+`")}
    assert shown == {
        key: ""
        if default is ...
        else "none"
        if default in (None, {}, ())
        else str(default).join('""' if isinstance(default, str) else ["", ""])
        for key, default in settings(Config)
    }


def test_the_table_of_devices_has_every_key_with_its_default() -> None:
    table = {
        (row[0].strip("`"), row[1].strip("`")): row[2]
        for row in rows(section(OPERATING, "The configuration"), "`(battery|pv|load)`")
    }
    required: dict[str, dict[str, object]] = {"battery": {}, "pv": {}, "load": {}}
    for (kind, key), default in table.items():
        if not default:
            required[kind][key] = 5_000
    ders = [{"kind": kind, "name": kind, **keys} for kind, keys in required.items()]
    config = parse_config(
        {
            "data_dir": ".",
            "profile": "profile.csv",
            "interval_s": 900,
            "clock": {"start_wall_ns": 0, "epoch_ns": 0},
            "connection": {"minimum_w": -1.0, "maximum_w": 1.0},
            "ders": ders,
        }
    )
    (battery,) = config.batteries
    names = {field.name for field in fields(battery)} - {"name"}
    assert {key for kind, key in table if kind == "battery"} == names
    for (kind, key), default in table.items():
        if kind == "battery" and default:
            assert getattr(battery, key) == (None if default == "none" else float(default)), key


def test_the_table_of_exit_statuses_is_that_of_the_program() -> None:
    shown = {row[1].strip("`"): int(row[0]) for row in rows(section(OPERATING, "Exit statuses"), r"\d+")}
    assert shown == {code.name: code.value for code in ExitCode}


def test_the_tables_of_events_and_alarms_are_complete() -> None:
    logs = section(OPERATING, "Logs")
    shown = {row[0].strip("`") for row in rows(logs, "`[a-z_-]+`")}
    rooms = ("", "alarms", "agreement", "trading", "core", "transport", "gateway", "daemon")
    paths = [path for room in rooms for path in (ROOT / "node" / room).glob("*.py")]
    sources = "\n".join(path.read_text("utf-8") for path in paths if path.name != "operation_mounting.py")
    events = set(re.findall(r"(?:Report|_?log\.(?:info|warning|error))\(\s*\"(\w+)\"", sources)) | {"failed"}
    assert shown == events | {alarm.value for alarm in AlarmCode}


def test_the_founding_in_the_documents_works_as_written(tmp_path: Path) -> None:
    founding = section(OPERATING, "Found a cell")
    (tmp_path / "feeder.toml").write_text(blocks(founding, "toml")[0], "utf-8")
    script = [line for block in blocks(founding, "sh") for line in block.splitlines()]
    done = [line for line in script if "node run" not in line]
    assert len(script) == len(done) + 1
    wattswarm = 'wattswarm() { "$PYTHON" -m node.cli.root "$@"; }'
    run = subprocess.run(
        ["bash", "-euc", "\n".join([wattswarm, *done])],
        cwd=tmp_path,
        env={"PYTHON": sys.executable, "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert run.returncode == 0, run.stderr
    told, founded = blocks(founding, "")[:2]
    assert told in run.stdout
    assert founded.splitlines()[1:] == run.stdout.splitlines()[-3:]
    assert load_config(tmp_path / "ada" / "node.toml").network.peers.keys() == {"ada", "ben", "cy", "di"}


def test_the_json_of_verify_has_the_keys_listed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        verify(tmp_path, as_json=True)
    table = rows(section(OPERATING, "Look at the ledger"), r"`\w+`.*")
    listed = [key for row in table for key in re.findall(r"`(\w+)`", row[0])]
    assert listed == list(json.loads(capsys.readouterr().out))


def test_the_summary_of_a_testnet_has_the_keys_listed() -> None:
    listed = [row[0].strip("`") for row in rows(section(REPORTS, "The summary of a testnet"), r"`\w+`")]
    assert listed == list(Summary.__annotations__)


def test_an_auction_with_mistakes_reads_as_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    orders = "id,member,branch,side,price,kwh\no1,ada,north,buy,0.1234567,1.5\no2,ben,nowhere,sale,0.12,2\n"
    Path("bad.csv").write_text(orders, "utf-8")
    Path("feeder.toml").write_text(blocks(section(OPERATING, "Found a cell"), "toml")[0], "utf-8")
    assert read_feeder(Path("feeder.toml")).grid is not None
    assert clear_command(Path("bad.csv"), feeder=Path("feeder.toml")) == 1
    assert capsys.readouterr().err in blocks(OPERATING, "")


def test_the_faults_tolerated_are_those_said() -> None:
    keys = tuple(bytes([index]) for index in range(7))
    assert [ValidatorSet(keys[:size]).faults for size in (3, 4, 7)] == [0, 1, 2]
    assert "none of 3,\n  one of 4, two of 7" in OPERATING


def test_the_caps_of_the_wire_format_are_the_limits() -> None:
    shown: dict[str, str] = {}
    for row in rows(section(WIRE, "Envelope"), "[a-z]+"):
        shown |= {row[0]: row[1], row[2]: row[3]}
    shown.pop("cap", None)
    assert {name: int(number.replace(",", "")) for name, number in shown.items()} == {
        "entry": limits.ENTRY_BYTES,
        "vote": limits.VOTE_BYTES,
        "proposal": limits.PROPOSAL_BYTES,
        "evidence": limits.EVIDENCE_BYTES,
        "block": limits.BLOCK_BYTES,
        "reply of sync": limits.SYNC_BYTES,
        "genesis": limits.GENESIS_BYTES,
        "name": limits.NAME_BYTES,
    }
    assert f"at most {limits.DEPTH} arrays" in WIRE
    assert f"at most {limits.REORDER_ENTRIES} per member" in WIRE


def test_the_numbers_of_sync_and_network_are_the_limits() -> None:
    sync, network = section(WIRE, "Sync"), section(WIRE, "On the network")
    for number, text in (
        (REPLY_ENTRIES, sync),
        (REPLY_BLOCKS, sync),
        (REQUEST_POSITIONS, sync),
        (constants.FRAME_BYTES, network),
        (constants.BLOCK_IN_FRAME_BYTES, network),
        (CAPACITY_BYTES, network),
        (constants.GOSSIP_BYTES, network),
        (constants.REQUEST_BYTES, network),
        (CONTROL_FRAME_BYTES, section(WIRE, "The control socket")),
    ):
        assert re.search(rf"\b{number:,}\b", text), number


def test_the_types_of_what_is_signed_are_those_listed() -> None:
    (sentence,) = re.findall(r"^`type` is one of (.+?)\. The cell id", WIRE, re.M | re.S)
    assert re.findall(r"`(\w+)`", sentence) == [kind.value.decode() for kind in MessageType]


def test_a_header_has_the_fields_listed_in_their_order() -> None:
    (listed,) = re.findall(r"^\[(version, height, previous.+?)\]$", WIRE, re.M | re.S)
    shown = [re.sub(r"\s+or null$", "", name.strip()).replace(" ", "_") for name in listed.split(",")]
    names = ["time" if field.name == "time_ns" else field.name for field in fields(Header)]
    assert shown == names


def test_the_kinds_of_entries_are_those_listed() -> None:
    table = rows(section(WIRE, "The market's part"), r"\d\d [a-z].*")
    shown = {int(n): name for row in table for n, name in re.findall(r"(\d+) ([a-z ]*[a-z])", row[0])}
    assert shown == {kind.value: kind.name.lower().replace("_", " ") for kind in Kind}


@pytest.mark.parametrize(
    ("frame", "name", "value"),
    [
        (VoteFrame(b"v"), "1, vote", (1, b"v")),
        (ProposalFrame(b"p", None), "2, proposal", (2, b"p", None)),
        (StatusFrame(7), "3, status", (3, 7)),
        (CertificateFrame(b"c"), "4, certificate", (4, b"c")),
        (StandingFrame(b"s"), "5, standing", (5, b"s")),
    ],
)
def test_frames_are_as_listed(frame: Frame, name: str, value: Value) -> None:
    assert encode_frame(frame) == encode(value)
    assert len(list(rows(section(WIRE, "On the network"), name))) == 1


def test_the_messages_of_the_control_socket_are_those_listed() -> None:
    text = section(WIRE, "The control socket")
    for union, word in ((control_messages.Downward, "Down"), (control_messages.Upward, "Up")):
        (listed,) = re.findall(rf"{word}: (.+?)\.", text, re.S)
        assert re.findall(r"`(\w+)`", listed) == [message.__name__ for message in get_args(union)]
