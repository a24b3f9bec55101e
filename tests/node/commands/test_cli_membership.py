"""`wattswarm cell add|remove|rotate|readmit|status`: changes signed beside a node, and shown from its ledger."""

import json
import shutil
from pathlib import Path

import pytest
from command_line import Run, command_line

from ledger.encoding import encode
from ledger.files.directory import IDENTITY_KEY_FILE, LEDGER_FILE
from ledger.records.changes import (
    CHANGE_KIND,
    Admit,
    NumberedChange,
    Readmit,
    Remove,
    Rotate,
    open_change,
)
from ledger.records.genesis import Genesis, Role
from ledger.store.store import Store
from market.payloads import decode_deposit
from node import events as ev
from node.configuration.config import read_addresses
from node.founding.founding import MEMBERS_FILE, OPERATOR_KEY_FILE
from node.instructions import Instruction
from node.saying.spool import SPOOL_FILES, Spool
from sim.cells.calm import INTERVAL_NS
from sim.cells.faults import MS, ClusterPlan, Outage, S
from sim.cells.keys import Keys
from sim.cells.membership import ADMISSION_KEY, ChangingCluster, PlannedChange


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Run:
    """Run `wattswarm` in a directory with a cell and a node of it: exit status, standard output, standard error."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("WATTSWARM_PASSPHRASE", raising=False)
    return command_line(monkeypatch, capsys)


def grown(directory: Path, size: int = 4, silent: int | None = None) -> ChangingCluster:
    """A cell that has traded and of which home-3 left: its founder's directory and that of a node. One may be down."""
    outages = () if silent is None else (Outage(3 * S, silent, 10_000 * S, 1),)
    plan = ClusterPlan(2 * S + INTERVAL_NS, 0.0, 0.0, 20 * MS, outages=outages)
    changes = (PlannedChange(5 * S, 0, Remove(Keys.of(3).member)),)
    cluster = ChangingCluster(5, size, plan, changes, guests=frozenset({3, silent or 3}))
    assert cluster.run().violation is None
    cluster.nodes[0].save(directory / "home-0")
    (directory / "cell").mkdir()
    (directory / "cell" / "genesis.cbor").write_bytes(cluster.genesis.encode())
    key = directory / "cell" / OPERATOR_KEY_FILE
    key.write_bytes(encode((1, ADMISSION_KEY.verify_key.encode(), ADMISSION_KEY.encode())))
    key.chmod(0o600)
    return cluster


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, ChangingCluster]:
    """One such cell for all tests that only add to its directories."""
    directory = tmp_path_factory.mktemp("grown")
    return directory, grown(directory)


@pytest.fixture
def cluster(template: tuple[Path, ChangingCluster], tmp_path: Path) -> ChangingCluster:
    """The cell, in directories of this test."""
    directory, made = template
    shutil.copytree(directory, tmp_path, dirs_exist_ok=True)
    return made


def waiting(tmp_path: Path, cluster: ChangingCluster) -> list[NumberedChange]:
    """What waits in the node's spool."""
    keys = cluster.genesis.admission_keys
    found = []
    for _, asked in Spool(tmp_path / "home-0").waiting():
        (envelope,) = asked.payload
        assert isinstance(envelope, bytes)
        found.append(open_change(envelope, cluster.genesis.cell_id, keys))
    return found


FEEDER = "[grid]\nimport_price = 0.31\nexport_price = 0.04\n\n[branches.substation]\n"
WHERE = ("--cell", "cell", "--node", "home-0")


def test_changes_given_one_after_another_are_numbered_and_wait_for_the_node(
    run: Run, tmp_path: Path, cluster: ChangingCluster
) -> None:
    assert run("node", "init", "home-9", "--name", "home-9", "--branch", "north", "--joins")[0] == 0
    assert "joins = true" in (tmp_path / "home-9" / "node.toml").read_text("utf-8")
    (tmp_path / "cell" / MEMBERS_FILE).write_text('[peers]\nhome-0 = ["/ip4/127.0.0.1/tcp/9400"]\n', "utf-8")
    status, out, err = run("cell", "add", "home-9/member.toml", *WHERE)
    assert (status, err) == (0, "")
    assert "change 2: add home-9 (prosumer, validator)" in out
    assert set(read_addresses(tmp_path / "cell" / MEMBERS_FILE)) == {"home-0", "home-9"}
    assert run("node", "init", "new", "--name", "home-1")[0] == 0
    assert run("cell", "rotate", "home-1", "new/member.toml", "--no-consensus", *WHERE)[0] == 0
    assert run("node", "init", "newer", "--name", "home-2")[0] == 0
    assert run("cell", "readmit", "home-2", "newer/member.toml", *WHERE)[0] == 0
    assert run("cell", "remove", "home-9", *WHERE)[0] == 0
    add, rotate, readmit, remove = waiting(tmp_path, cluster)
    assert [each.number for each in (add, rotate, readmit, remove)] == [2, 3, 4, 5]
    assert isinstance(add.change, Admit) and add.change.roles == int(Role.PROSUMER | Role.VALIDATOR)
    assert isinstance(rotate.change, Rotate) and rotate.change.consensus_key is None
    assert isinstance(readmit.change, Readmit) and readmit.change.incarnation == 1
    assert isinstance(remove.change, Remove)


@pytest.mark.parametrize(
    ("command", "reason"),
    [
        (("remove", "nobody"), "no member is called 'nobody'; there are"),
        (("remove", "home-3"), "no member is called 'home-3'"),
        (("readmit", "home-1"), "only with a new consensus key"),
        (("add", "home-1/member.toml"), "home-1/member.toml: cannot be read"),
        (("add", "taken/member.toml"), "another member is named 'home-1'"),
        (("add", "lost/member.toml"), "branch 'west' is not in the feeder; it has substation, north, south"),
    ],
)
def test_what_the_cell_would_not_take_is_refused_with_the_reason(
    run: Run, tmp_path: Path, cluster: ChangingCluster, command: tuple[str, ...], reason: str
) -> None:
    run("node", "init", "taken", "--name", "home-1")
    run("node", "init", "lost", "--name", "home-8", "--branch", "west")
    status, _, err = run("cell", *command, *WHERE)
    assert status == 2
    assert reason in err
    assert waiting(tmp_path, cluster) == []


@pytest.mark.usefixtures("cluster")
def test_a_key_that_admits_nobody_and_another_cell_are_refused(run: Run, tmp_path: Path) -> None:
    assert run("node", "init", "other", "--name", "home-8")[0] == 0
    (tmp_path / "cell" / OPERATOR_KEY_FILE).unlink()
    (tmp_path / "other" / IDENTITY_KEY_FILE).rename(tmp_path / "cell" / OPERATOR_KEY_FILE)
    status, _, err = run("cell", "remove", "home-1", *WHERE)
    assert (status, "is no admission key of this cell" in err) == (2, True)
    status, _, err = run("cell", "remove", "home-1", "--cell", "home-0/..", "--node", "home-0")
    assert (status, "name the directory that `wattswarm cell init` wrote" in err) == (2, True)


def test_the_status_shows_members_changes_and_who_misses_commits(run: Run, tmp_path: Path) -> None:
    grown(tmp_path, size=5, silent=2)
    status, out, _ = run("cell", "status", "home-0", "--json")
    shown = json.loads(out)
    assert status == 0
    assert [member["name"] for member in shown["departed"]] == ["home-3"]
    assert shown["next_change"] == 2
    assert {row["name"]: row["misses_commits"] for row in shown["members"]} == {
        "home-0": False,
        "home-1": False,
        "home-2": True,
        "home-4": False,
    }
    assert all(row["commits"] for row in shown["members"])
    text = run("cell", "status", "home-0")[1]
    assert "home-3 left at block" in text
    assert "misses commits" in text
    assert run("cell", "status", "home-0", "--last", "0")[0] == 2
    assert run("ledger", "verify", "home-0")[0] == 0
    assert run("ledger", "show", "home-0", "feed", "home-3")[0] == 0


def test_a_spool_holds_few_sets_aside_what_is_none_and_forgets_what_is_said(tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    assert spool.waiting() == []
    for number in range(SPOOL_FILES):
        spool.leave(Instruction(34, number, (5, 1)))
    with pytest.raises(Exception, match="is the node running"):
        spool.leave(Instruction(34, 99, (5, 1)))
    names = [name for name, _ in spool.waiting()]
    assert [asked.interval for _, asked in spool.waiting()] == list(range(SPOOL_FILES))
    spool.done(names[0])
    spool.done(names[0])
    (tmp_path / "spool" / names[1]).write_bytes(Instruction(34, 1, (5, 1)).encode() + b"x")
    assert len(spool.waiting()) == SPOOL_FILES - 2
    assert (tmp_path / "spool" / names[1]).with_suffix(".refused").exists()
    with pytest.raises(ValueError, match="not said by hand"):
        spool.leave(Instruction(32, 1, ()))


def test_an_instruction_is_said_once_also_after_a_restart() -> None:
    plan = ClusterPlan(2 * S + INTERVAL_NS, 0.0, 0.0, 20 * MS)
    cluster = ChangingCluster(5, 1, plan, (), guests=frozenset())
    node = cluster.nodes[0]
    node.start()
    asked = ev.OperatorInstructed("one", 35, 7, (node.keys.member, b"\x05"))
    for _ in range(2):
        node.take(asked, asked)
        node.black_out()
        node.start()
        node.take(asked)
    kinds = [
        signed.entry.kind
        for signed in node.store.entries(
            node.keys.member, 0, -1, node.store.last_sequence(node.keys.member, 0)
        )
    ]
    assert kinds.count(35) == 1


def test_the_operator_sets_tariffs_and_books_money_through_its_own_node(
    run: Run, tmp_path: Path, cluster: ChangingCluster
) -> None:
    card = tmp_path / "home-0" / "member.toml"
    card.write_text(f'name = "home-0"\nfeed_key = "{Keys.of(0).public.hex()}"\n', "utf-8")
    status, _, err = run("cell", "deposit", "home-1", "25.5", "--node", "home-0")
    assert (status, "this cell has no operator" in err) == (2, True)
    assert cluster.genesis.cell_id


def test_what_an_operator_left_waits_in_its_spool(run: Run, tmp_path: Path) -> None:
    for number in range(2):
        assert run("node", "init", f"home-{number}", "--name", f"home-{number}")[0] == 0
    (tmp_path / "feeder.toml").write_text(FEEDER, "utf-8")
    cards = ("home-0/member.toml", "home-1/member.toml")
    assert run("cell", "init", "cell", *cards, "--feeder", "feeder.toml", "--operator", "home-0")[0] == 0
    genesis = (tmp_path / "cell" / "genesis.cbor").read_bytes()
    for number in range(2):
        (tmp_path / f"home-{number}" / "genesis.cbor").write_bytes(genesis)
        Store.open(
            tmp_path / f"home-{number}" / LEDGER_FILE, Genesis.decode(genesis).cell_id, create=True
        ).close()
    first = Genesis.decode(genesis).first_interval
    assert (
        run("cell", "tariff", "0.29", "0.05", "--from-interval", str(first + 9), "--node", "home-0")[0] == 0
    )
    status, out, _ = run("cell", "deposit", "home-1", "25.50", "--node", "home-0")
    assert (status, out) == (0, "25.500000 EUR for home-1. It waits for the node.\n")
    (_, tariff), (_, deposit) = Spool(tmp_path / "home-0").waiting()
    assert (tariff.kind, tariff.interval, tariff.payload) == (34, first + 9, (290_000, 50_000))
    assert (deposit.kind, decode_deposit(deposit.payload).amount) == (35, 25_500_000_000_000)
    for wrong, reason in (
        (("tariff", "0.05", "0.29", "--from-interval", str(first + 9), "--node", "home-0"), "export_price"),
        (("tariff", "0.29", "0.05", "--from-interval", str(first), "--node", "home-0"), "is too late"),
        (("deposit", "home-1", "0", "--node", "home-0"), "must not be zero"),
        (("deposit", "home-7", "1", "--node", "home-0"), "no member is called 'home-7'"),
        (("deposit", "home-1", "1", "--node", "home-1"), "does not count; those of home-0 would"),
    ):
        status, _, err = run("cell", *wrong)
        assert (status, reason in err) == (2, True), err
    assert len(Spool(tmp_path / "home-0").waiting()) == 2


def test_a_switch_of_the_protocol_is_signed_beside_a_node_and_shown(
    run: Run, cluster: ChangingCluster
) -> None:
    height = cluster.nodes[0].store.height() + 9
    where = ("--cell", "cell", "--node", "home-0")
    status, out, _ = run("cell", "protocol", "--version", "2", "--height", str(height), *where)
    assert (status, "protocol 2 from block" in out, "0 of 3 validators know it" in out) == (0, True, True)
    assert "would not be enough" in out
    ((_, asked),) = Spool(Path("home-0")).waiting()
    assert asked.kind == CHANGE_KIND
    status, out, _ = run("cell", "versions", "home-0", "--json")
    shown = json.loads(out)
    assert (status, shown["version"], shown["proposed"], shown["members"][0]["knows"]) == (0, 1, None, [1])
    assert "protocol 1" in run("cell", "versions", "home-0")[1]


@pytest.mark.parametrize(
    ("version", "ahead", "words"),
    [("0", 9, "versions begin at 1"), ("1", 9, "not newer than 1"), ("2", 2, "too near")],
)
def test_a_switch_that_could_not_be_taken_is_refused_with_the_reason(
    run: Run, cluster: ChangingCluster, version: str, ahead: int, words: str
) -> None:
    height = str(cluster.nodes[0].store.height() + ahead)
    where = ("--cell", "cell", "--node", "home-0")
    status, _, err = run("cell", "protocol", "--version", version, "--height", height, *where)
    assert (status, words in err) == (2, True)
    assert Spool(Path("home-0")).waiting() == []
