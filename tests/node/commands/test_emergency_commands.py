"""`wattswarm cell emergency`: what the dso's word leaves for its node, what is refused, and what is shown."""

import json
import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from cell_world import CellWorld
from command_line import Run, command_line

from ledger.files.directory import LEDGER_FILE
from ledger.records.genesis import Genesis
from ledger.store.store import Store
from market.emergency.payloads import Seen, decode_declaration, decode_priority
from market.emergency.priority import NO_PRIORITY, Priority
from market.payloads import Kind
from node.cli import emergency as command
from node.saying.spool import Spool
from node.views.emergency_view import emergency_view

FEEDER = "[grid]\nimport_price = 0.31\nexport_price = 0.04\n\n[branches.street]\n"


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Run:
    """Run `wattswarm` where home-0 is operator and dso, home-1 neither: exit status, standard output and error."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("WATTSWARM_PASSPHRASE", raising=False)
    run_command = command_line(monkeypatch, capsys)
    for number in range(2):
        assert run_command("node", "init", f"home-{number}", "--name", f"home-{number}")[0] == 0
    Path("feeder.toml").write_text(FEEDER, "utf-8")
    cards = ("home-0/member.toml", "home-1/member.toml")
    founded = ("--feeder", "feeder.toml", "--operator", "home-0")
    assert run_command("cell", "init", "cell", *cards, *founded)[0] == 0
    genesis = Path("cell/genesis.cbor").read_bytes()
    for number in range(2):
        Path(f"home-{number}/genesis.cbor").write_bytes(genesis)
        shutil.copy("cell/members.toml", f"home-{number}")
        Store.open(Path(f"home-{number}") / LEDGER_FILE, Genesis.decode(genesis).cell_id, create=True).close()
    return run_command


def waiting() -> list[tuple[int, int, bool]]:
    """What home-0 is to say: first interval, last interval, and whether there is an emergency."""
    found = []
    for _, said in Spool(Path("home-0")).waiting():
        assert said.kind == Kind.DECLARATION
        declared = decode_declaration(said.payload)
        found.append((said.interval, declared.last, declared.emergency))
    return found


def test_a_dso_declares_and_ends_and_both_wait_for_its_node(run: Run) -> None:
    first = Genesis.decode(Path("home-0/genesis.cbor").read_bytes()).first_interval
    status, out, _ = run("cell", "emergency", "declare", "--for-s", "3601", "--in-s", "1", "--node", "home-0")
    assert (status, "An emergency from interval" in out) == (0, True)
    status, out, _ = run("cell", "emergency", "end", "--node", "home-0", "--json")
    assert status == 0 and json.loads(out)["said"].startswith("No emergency from interval")
    (begins, until, emergency), (ends, ended, none) = waiting()
    assert (until - begins, emergency, ended - ends, none) == (4, True, 3, False)
    assert begins >= first and ends >= first


def test_an_operator_grants_what_is_served_first(run: Run) -> None:
    words = ("--critical-w", "2000", "--essential-w", "0.5", "--node", "home-0")
    status, out, _ = run("cell", "emergency", "priority", "home-1", *words)
    assert (status, out.startswith("In an emergency 2000 W of home-1 are served first, and 0.5 W next.")) == (
        0,
        True,
    )
    status, out, _ = run("cell", "emergency", "priority", "home-1", "--node", "home-0", "--json")
    assert json.loads(out) == {"said": "Nothing of what home-1 buys is served first in an emergency."}
    granted = [decode_priority(said.payload)[1] for _, said in Spool(Path("home-0")).waiting()]
    assert granted == [Priority(2_000_000, 500), NO_PRIORITY]


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ("priority home-1 --critical-w 5 --node home-1", "says of priorities does not count"),
        ("priority home-1 --critical-w -1 --node home-0", "--critical-w: a power is from 0"),
        ("priority nobody --critical-w 5 --node home-0", "nobody"),
        ("declare --node home-1", "says of emergencies does not count; those of home-0 would"),
        ("end --node home-1", "says of emergencies does not count; those of home-0 would"),
        ("declare --for-s 0 --node home-0", "at least 1"),
        ("declare --in-s -1 --node home-0", "at least 0"),
        ("declare --for-s 1000000 --node home-0", "beyond interval"),
    ],
)
def test_what_does_not_count_is_refused_with_a_remedy(run: Run, arguments: str, reason: str) -> None:
    status, _, error = run("cell", "emergency", *arguments.split())
    assert (status, reason in error) == (2, True), error
    assert waiting() == []


def test_a_cell_in_which_nothing_was_said_is_in_no_emergency(run: Run) -> None:
    status, out, _ = run("cell", "emergency", "show", "--node", "home-1", "--json")
    said = json.loads(out)
    assert status == 0
    assert {key: said[key] for key in said if key != "interval"} == {
        "by": None,
        "since": None,
        "needed": 1,
        "sightings": [],
        "declarations": [],
        "priorities": [],
    }
    assert "no emergency." in run("cell", "emergency", "show", "--node", "home-1")[1]


def test_what_is_shown_is_what_the_block_says() -> None:
    world = CellWorld()
    world.block(world.observe(0, 99, Seen.ISLANDED), world.observe(1, 99, Seen.DEAD_BUS))
    world.freeze(1)
    world.block(world.declare(True, 101, 104), world.grant(2, 8000, 500))
    tip: Any = SimpleNamespace(state=world.state, membership=world.membership)
    view = emergency_view(tip)
    assert (view.interval, view.by, view.since, view.needed) == (101, "dso", 100, 2)
    assert [(each.member, each.seen, each.until, each.counts) for each in view.sightings] == [
        ("m0", "islanded", 102, True)
    ]
    text = command._text(view)
    for line in (
        "Interval 101: emergency by dso, since interval 100.",
        "m5 declares an emergency from interval 101 to 104.",
        "m0 sees islanded, said in interval 99.",
        "m2 is served first: 8 W critical, 0.5 W essential.",
        "2 of those that decide have to see the grid gone.",
    ):
        assert line in text.splitlines()
