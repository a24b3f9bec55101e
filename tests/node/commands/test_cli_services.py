"""The dso's commands, commands to devices and for alarms: what they leave for the node, and what they refuse."""

import json
import shutil
import sys
from pathlib import Path

import pytest

from ledger.encoding import Value
from ledger.files.directory import LEDGER_FILE
from ledger.files.keys import load_key
from ledger.records.entries import Entry, SignedEntry, author_entry
from ledger.records.genesis import Genesis, member_id
from ledger.store.store import Store
from market.administration.payloads import Action, decode_command, decode_rights, device_key
from market.payloads import Kind, decode_limit
from market.services.payloads import (
    Cause,
    ServiceRequest,
    Sharing,
    decode_terms,
    decode_withdrawal,
    encode_request,
)
from node.cli.root import main
from node.founding.member_card import read_card
from node.saying.spool import Spool

FEEDER = "[grid]\nimport_price = 0.31\nexport_price = 0.04\n\n[branches.street]\n"


@pytest.fixture
def first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> int:
    """A cell of two nodes, of which home-0 is operator and dso; its first interval."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("WATTSWARM_PASSPHRASE", raising=False)
    for number in range(2):
        assert run(monkeypatch, "node", "init", f"home-{number}", "--name", f"home-{number}") == 0
    (tmp_path / "feeder.toml").write_text(FEEDER, "utf-8")
    cards = ("home-0/member.toml", "home-1/member.toml")
    assert (
        run(monkeypatch, "cell", "init", "cell", *cards, "--feeder", "feeder.toml", "--operator", "home-0")
        == 0
    )
    genesis = (tmp_path / "cell" / "genesis.cbor").read_bytes()
    for number in range(2):
        (tmp_path / f"home-{number}" / "genesis.cbor").write_bytes(genesis)
        shutil.copy(tmp_path / "cell" / "members.toml", tmp_path / f"home-{number}")
        path = tmp_path / f"home-{number}" / LEDGER_FILE
        Store.open(path, Genesis.decode(genesis).cell_id, create=True).close()
    return Genesis.decode(genesis).first_interval


def run(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    monkeypatch.setattr(sys, "argv", ["wattswarm", *arguments])
    try:
        main()
    except SystemExit as ended:
        return int(ended.code or 0)
    return 0


def test_a_dso_leaves_terms_and_limits_for_its_node(first: int, monkeypatch: pytest.MonkeyPatch) -> None:
    terms = ("--requested", "--up-w", "5000", "--up-price", "0.01", "--from-interval", str(first + 5))
    assert run(monkeypatch, "cell", "service", "flex", *terms, "--node", "home-0") == 0
    limit = ("--first", str(first + 2), "--last", str(first + 3), "--node", "home-0")
    assert run(monkeypatch, "cell", "limit", "street", "30000", *limit) == 0
    (_, service), (_, limited) = Spool(Path("home-0")).waiting()
    assert (service.kind, service.interval) == (Kind.SERVICE_TERMS, first + 5)
    said = decode_terms(service.payload)
    assert (said.name, said.requested, said.up_mw, said.up_price) == (b"flex", True, 5_000_000, 10_000)
    assert decode_limit(limited.payload).limit_mw == 30_000_000


def test_commands_to_devices_name_them_by_key(first: int, monkeypatch: pytest.MonkeyPatch) -> None:
    assert first
    own, other = (
        member_id(bytes.fromhex(read_card(Path(f"home-{number}/member.toml")).feed_key)) for number in (0, 1)
    )
    assert run(monkeypatch, "devices", "stop", "--everybody", "--node", "home-0") == 0
    assert run(monkeypatch, "devices", "release", "kitchen", "--member", "home-1", "--node", "home-0") == 0
    assert run(monkeypatch, "devices", "standby", "--node", "home-0") == 0
    freezer = ("freezer", "--priority", "critical", "--member", "home-1", "--node", "home-0")
    assert run(monkeypatch, "devices", "rights", *freezer) == 0
    *commands, (_, rights) = Spool(Path("home-0")).waiting()
    stop, release, standby = (decode_command(said.payload) for _, said in commands)
    assert (stop.action, stop.member) == (Action.STOP, None)
    assert (release.action, release.device) == (Action.RELEASE, device_key(other, "kitchen"))
    assert (standby.action, standby.member) == (Action.STAND_BY, own)
    said = decode_rights(rights.payload)
    assert (said.member, said.device, said.priority) == (other, device_key(other, "freezer"), 0)


def test_a_dso_lists_and_withdraws_what_its_node_has_asked(
    first: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    start_ns = first * 900 * 10**9
    asked = ServiceRequest(b"flex", Cause.PEAK, 500_000, start_ns, 86_400, sharing=Sharing.EQUALISED)
    signed = said_by_home_0(Kind.REQUEST, first, encode_request(asked), start_ns)
    assert run(monkeypatch, "cell", "requests", "--node", "home-0", "--json") == 0
    ((row,),) = json.loads(capsys.readouterr().out).values()
    assert (row["id"], row["power_w"], row["withdrawn"]) == (signed.id.hex(), 500.0, False)
    assert run(monkeypatch, "cell", "withdraw", row["id"][:12], "--node", "home-0") == 0
    ((_, left),) = Spool(Path("home-0")).waiting()
    assert (left.kind, left.interval, decode_withdrawal(left.payload)) == (Kind.WITHDRAWAL, first, signed.id)
    capsys.readouterr()
    assert run(monkeypatch, "cell", "requests", "--node", "home-0") == 0
    assert "500 W of flex, withdrawn" in capsys.readouterr().out
    assert run(monkeypatch, "cell", "withdraw", row["id"], "--node", "home-0") != 0


def test_a_dso_lists_and_withdraws_a_limit_that_no_block_has_yet(
    first: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    limit = ("--first", str(first + 2), "--last", str(first + 3), "--node", "home-0")
    assert run(monkeypatch, "cell", "limit", "street", "30000", *limit) == 0
    ((name, asked),) = Spool(Path("home-0")).waiting()
    signed = said_by_home_0(asked.kind, asked.interval, asked.payload)
    Spool(Path("home-0")).done(name)
    capsys.readouterr()
    assert run(monkeypatch, "cell", "limits", "--node", "home-0", "--json") == 0
    ((row,),) = json.loads(capsys.readouterr().out).values()
    assert row == {
        "id": signed.id.hex(),
        "branch": "street",
        "limit_w": 30_000.0,
        "first": first + 2,
        "last": first + 3,
        "agreed": False,
        "withdrawn": False,
    }
    assert run(monkeypatch, "cell", "withdraw", row["id"][:12], "--node", "home-0", "--json") == 0
    assert "30000 W at most on street" in json.loads(capsys.readouterr().out)["text"]
    ((_, left),) = Spool(Path("home-0")).waiting()
    assert (left.kind, left.interval) == (Kind.WITHDRAWAL, first + 2)
    assert decode_withdrawal(left.payload) == signed.id
    assert run(monkeypatch, "cell", "limits", "--node", "home-0") == 0
    assert "withdrawn" in capsys.readouterr().out
    assert run(monkeypatch, "cell", "withdraw", row["id"], "--node", "home-0") != 0


def said_by_home_0(kind: int, interval: int, payload: tuple[Value, ...], time_ns: int = 0) -> SignedEntry:
    """An entry in the feed of home-0, as its daemon would have signed it."""
    genesis = Genesis.decode(Path("home-0/genesis.cbor").read_bytes())
    key = load_key(Path("home-0/identity.key"), None)
    entry = Entry(key.verify_key.encode(), 0, 0, None, kind, interval, time_ns, payload)
    signed = author_entry(key, genesis.cell_id, entry)
    store = Store.open(Path("home-0") / LEDGER_FILE, genesis.cell_id, create=False)
    store.append(member_id(key.verify_key.encode()), signed, time_ns)
    store.commit()
    store.close()
    return signed


@pytest.mark.parametrize(
    ("command", "reason"),
    [
        ("cell service flex --up-w 5 --from-interval {first} --node home-0", "is too late"),
        ("cell service Flex --up-w 5 --from-interval {later} --node home-0", "a to z, 0 to 9"),
        (
            "cell service flex --up-w 5 --from-interval {later} --node home-1",
            "does not count; those of home-0",
        ),
        ("cell request flex 500 --for-s 60 --node home-0", "no requested service of this dso"),
        ("cell withdraw 00 --node home-0", "there is none that has not ended"),
        ("cell withdraw 00 --node home-1", "does not count; those of home-0"),
        ("cell limits --node home-9", "home-9"),
        ("cell limit lane 500 --first {later} --last {later} --node home-0", "it has street"),
        ("cell limit street 500 --first 5 --last 5 --node home-0", "is before"),
        ("devices stop --everybody --node home-1", "may not give this command"),
        ("devices release kitchen --node home-0", "no device of this node; it has none"),
        ("devices rights battery --member home-1 --no-dso --node home-0", "may not say this"),
        ("devices rights battery --member home-1 --node home-0", "name what is to change"),
        ("devices stop --everybody --member home-1 --node home-0", "contradict each other"),
        ("node alarms acknowledge 00 --node home-0", "no alarm begins with '00'"),
    ],
)
def test_what_cannot_be_said_is_refused_with_a_remedy(
    first: int,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    command: str,
    reason: str,
) -> None:
    capsys.readouterr()
    status = run(monkeypatch, *command.format(first=first, later=first + 9).split())
    assert (status, reason in capsys.readouterr().err) == (2, True)
    assert Spool(Path("home-0")).waiting() == Spool(Path("home-1")).waiting() == []


def test_a_ledger_without_alarms_lists_none(
    first: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert first
    capsys.readouterr()
    assert run(monkeypatch, "node", "alarms", "list", "home-0", "--json") == 0
    assert json.loads(capsys.readouterr().out) == []
    assert run(monkeypatch, "node", "alarms", "list", "home-0") == 0
    assert "severity" in capsys.readouterr().out
