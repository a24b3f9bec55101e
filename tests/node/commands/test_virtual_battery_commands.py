"""`wattswarm cell battery`: what members leave for their nodes, what is refused, and what is shown."""

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from cell_world import CellWorld
from command_line import Run, command_line

from ledger.files.directory import LEDGER_FILE
from ledger.records.genesis import Genesis
from ledger.store.store import Store
from market.federation.parent_rule import ParentRule
from market.payloads import Kind
from market.virtual_battery.payloads import decode_aggregation, decode_delegation
from node.cli import virtual_battery as command
from node.errors import InputRefusedError
from node.saying.speaking import Speaker, speaker
from node.saying.spool import Spool
from node.saying.virtual_battery import aggregate, delegate, partners, why_not
from node.views.virtual_battery_view import virtual_battery_view

FEEDER = """[grid]
import_price = 0.31
export_price = 0.04

[branches.row]
[branches.rack]
parent = "row"
"""
NODES = {"server-a": "rack", "server-b": "rack", "server-c": "rack", "pump": "row"}


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Run:
    """Run `wattswarm` beside three servers of one rack and a pump elsewhere: exit status, standard output and error."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("WATTSWARM_PASSPHRASE", raising=False)
    run_command = command_line(monkeypatch, capsys)
    for name, branch in NODES.items():
        assert run_command("node", "init", name, "--name", name, "--branch", branch)[0] == 0
    Path("feeder.toml").write_text(FEEDER, "utf-8")
    cards = [f"{name}/member.toml" for name in NODES]
    assert run_command("cell", "init", "cell", *cards, "--feeder", "feeder.toml")[0] == 0
    genesis = Path("cell/genesis.cbor").read_bytes()
    for name in NODES:
        Path(name, "genesis.cbor").write_bytes(genesis)
        shutil.copy("cell/members.toml", name)
        Store.open(Path(name, LEDGER_FILE), Genesis.decode(genesis).cell_id, create=True).close()
    return run_command


def member(name: str) -> bytes:
    """The id of a member."""
    return speaker(Path(name)).member.id


def test_both_sides_say_it_and_end_it(run: Run) -> None:
    status, out, _ = run("cell", "battery", "join", "server-b", "--node", "server-a")
    assert (status, out) == (
        0,
        "server-b bids for server-a as soon as it names it, too. It waits for the node.\n",
    )
    status, out, _ = run("cell", "battery", "leave", "--node", "server-a", "--json")
    assert (status, json.loads(out)) == (0, {"said": "server-a bids for itself."})
    status, out, _ = run("cell", "battery", "lead", "server-c", "server-a", "--node", "server-b")
    assert status == 0
    assert "bids for server-a and server-c, for server-a and server-c as soon as they joined." in out
    status, out, _ = run("cell", "battery", "lead", "--nobody", "--node", "server-b", "--json")
    assert (status, json.loads(out)) == (0, {"said": "server-b bids for nobody else."})
    joins, leaves = (said for _, said in Spool(Path("server-a")).waiting())
    leads, ends = (said for _, said in Spool(Path("server-b")).waiting())
    assert (joins.kind, decode_delegation(joins.payload)) == (Kind.DELEGATION, member("server-b"))
    assert (leaves.kind, decode_delegation(leaves.payload)) == (Kind.DELEGATION, None)
    both = tuple(sorted((member("server-a"), member("server-c"))))
    assert (leads.kind, decode_aggregation(leads.payload)) == (Kind.AGGREGATION, both)
    assert (ends.kind, decode_aggregation(ends.payload)) == (Kind.AGGREGATION, ())


def test_the_same_word_after_another_is_said_again(run: Run) -> None:
    for words in (["join", "server-b"], ["leave"], ["join", "server-b"]):
        assert run("cell", "battery", *words, "--node", "server-a")[0] == 0
    said = [decode_delegation(each.payload) for _, each in Spool(Path("server-a")).waiting()]
    assert said == [member("server-b"), None, member("server-b")]


def test_a_member_is_named_by_the_start_of_its_id(run: Run) -> None:
    whose = member("server-b")
    assert run("cell", "battery", "join", whose.hex()[:16], "--node", "server-a")[0] == 0
    ((_, said),) = Spool(Path("server-a")).waiting()
    assert decode_delegation(said.payload) == whose


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ("join server-9", "there are "),
        ("join server-a", "is the node's own member, which bids for itself anyhow; name one of server-b, server-c"),
        ("join pump", "pump is on branch row and not on rack; name one of server-b, server-c"),
        ("lead server-b pump", "pump is on branch row and not on rack; name one of server-b, server-c"),
        ("lead server-b server-a", "is the node's own member"),
        ("lead", "or end it with --nobody"),
        ("lead server-b --nobody", "give one or the other"),
    ],
)  # fmt: skip
def test_what_does_not_count_is_refused_with_a_remedy(run: Run, arguments: str, reason: str) -> None:
    status, _, error = run("cell", "battery", *arguments.split(), "--node", "server-a")
    assert (status, reason in " ".join(error.split())) == (2, True), error
    assert Spool(Path("server-a")).waiting() == []


def test_a_cell_in_which_nobody_wanted_one_has_none(run: Run) -> None:
    status, out, _ = run("cell", "battery", "show", "server-a", "--json")
    shown = json.loads(out)
    assert (status, shown["virtual_batteries"], shown["waiting"]) == (0, [], [])
    assert (
        f"of interval {shown['interval']} on everybody bids" in run("cell", "battery", "show", "server-b")[1]
    )


@pytest.fixture
def left(tmp_path: Path) -> Callable[[CellWorld, int], Speaker]:
    """Who speaks as a member of a played cell."""

    def speak(world: CellWorld, number: int) -> Speaker:
        who = next(each for each in world.membership.members if each.id == world.ids[number])
        return Speaker(tmp_path, who, tip_of(world))

    return speak


def tip_of(world: CellWorld) -> Any:
    return SimpleNamespace(
        state=world.state, membership=world.membership, last_interval=world.state.last_interval
    )


def on_one_branch(branch: int = 1, **more: Any) -> CellWorld:
    """The world with its four members on one branch; m4 and m5 have no metering point."""
    members = tuple(replace(each, branch=branch) for each in CellWorld().rules.members)
    return CellWorld(members=members, **more)


def test_the_text_says_what_is_still_missing(left: Any) -> None:
    world = on_one_branch()
    world.block(world.delegate(1, 0), world.aggregate(0, 2))
    assert delegate(left(world, 2), "m0") == "m0 bids for m2."
    assert delegate(left(world, 3), "m0") == "m0 bids for m3 as soon as it names it, too."
    assert aggregate(left(world, 0), ["m1", "m1"]) == "m0 bids for m1."
    said = aggregate(left(world, 0), ["m2", "m1", "m3"])
    assert said == "m0 bids for m1, m2 and m3, for m2 and m3 as soon as they joined."


def test_who_cannot_be_in_one_is_told_why(left: Any) -> None:
    world = on_one_branch()
    world.block(world.delegate(0, 1))
    world.freeze(3)
    assert why_not(left(world, 0)) == ""
    assert "no metering point" in why_not(left(world, 4))
    assert "frozen" in why_not(left(world, 3))
    assert partners(left(world, 0)) == ["m1", "m2"]
    for speaks, whom, reason in (
        (4, "m0", "m4 has no metering point"),
        (0, "m4", "m4 has no metering point; name one of m1, m2"),
        (0, "m3", "m3 is frozen"),
        (1, "m0", "m0 itself has m1 bid for it"),
    ):
        with pytest.raises(InputRefusedError, match=reason):
            delegate(left(world, speaks), whom)
    assert Spool(left(world, 0).directory).waiting() == []


def test_the_gateway_of_the_cell_is_in_none(left: Any) -> None:
    gateway, *others = CellWorld().ids
    world = on_one_branch(0, parent=ParentRule(bytes(32), (bytes([9]) * 32,), 60, 1, gateway, others[0]))
    with pytest.raises(InputRefusedError, match="m0 is the cell's gateway and bids in two cells"):
        aggregate(left(world, 0), [])
    with pytest.raises(InputRefusedError, match="m0 is the cell's gateway; name one of m2, m3"):
        delegate(left(world, 1), "m0")


def test_at_most_as_many_members_as_an_entry_holds(left: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    world = on_one_branch()
    monkeypatch.setattr("node.saying.virtual_battery.MOST_MEMBERS", 2)
    with pytest.raises(InputRefusedError, match="an aggregator names 2 at most"):
        aggregate(left(world, 0), ["m1", "m2", "m3"])


def test_what_is_shown_is_what_the_block_says() -> None:
    world = on_one_branch()
    world.block(world.aggregate(0, 1), world.delegate(1, 0), world.aggregate(1, 2), world.delegate(2, 1))
    world.block(world.delegate(3, 0))
    view = virtual_battery_view(tip_of(world))
    (battery,) = view.virtual_batteries
    assert (battery.aggregator, battery.branch) == ("m0", "north")
    assert (battery.max_injection_mw, battery.max_withdrawal_mw) == (3000, 3000)
    assert [(each.member, each.aggregator) for each in battery.members] == [("m1", "m0"), ("m2", "m1")]
    (word,) = view.waiting
    assert (word.member, word.aggregator, word.said, word.waits_for) == ("m3", "m0", ("delegation",), "m0")
    assert command._text(view).splitlines() == [
        "From the auction of interval 102 on:",
        "m0 bids for 3 members on north, which together inject 3 W and withdraw 3 W at most.",
        "  m1: agreed by both",
        "  m2: agreed by both, through m1",
        "Waiting: m3 names m0 as its aggregator, but m0 does not name m3 yet;"
        " m0 says: wattswarm cell battery lead m1 m3",
    ]


def test_the_shown_is_what_the_next_auction_goes_by() -> None:
    world = on_one_branch()
    world.block(world.aggregate(0, 1, 2), world.delegate(1, 0))
    (battery,) = virtual_battery_view(tip_of(world)).virtual_batteries
    world.block()
    pending = world.state.pending
    assert pending is not None
    assert pending.aggregators == {world.ids[1]: world.ids[0]}
    assert (battery.aggregator, [each.member for each in battery.members]) == ("m0", ["m1"])


def test_a_word_that_cannot_have_an_effect_is_shown_with_the_reason() -> None:
    world = on_one_branch()
    world.block(world.aggregate(0, 1, 3), world.delegate(1, 0), world.aggregate(1, 0), world.delegate(0, 1))
    world.freeze(3)
    lines = command._text(virtual_battery_view(tip_of(world))).splitlines()
    assert lines[0] == "From the auction of interval 101 on everybody bids for itself."
    ring = "its aggregators form a ring, or are more than 8"
    assert set(lines[1:]) == {
        f"Without effect: m1 names m0 as its aggregator, but {ring}.",
        f"Without effect: m0 names m1 as its aggregator, but {ring}.",
        "Without effect: m0 names m3, but m3 is frozen or has left.",
    }
