"""`wattswarm ledger`: on the ledger of a simulated node, whole and damaged, through the command's own entry point."""

import json
import shutil
import sqlite3
from pathlib import Path

import pytest
from command_line import Run, command_line

from node.errors import InputRefusedError
from node.views import ledger_view
from sim.cells.cluster import Cluster
from sim.cells.faults import ClusterPlan, S


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The data directory of a node that decided some blocks."""
    cluster = Cluster(1, 2, 1, ClusterPlan(5 * S, 0.0, 0.0, 5_000_000))
    assert cluster.run().violation is None
    directory = tmp_path_factory.mktemp("cell") / "home-0"
    cluster.nodes[0].save(directory)
    return directory


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Run `wattswarm` with arguments: exit status, standard output, standard error."""
    return command_line(monkeypatch, capsys)


def test_a_whole_ledger_holds(run: Run, saved: Path) -> None:
    status, out, _ = run("ledger", "verify", saved)
    assert status == 0 and "holds: 13 blocks" in out


def test_the_result_as_json_is_one_object(run: Run, saved: Path) -> None:
    status, out, _ = run("ledger", "verify", saved, "--json")
    result = json.loads(out)
    assert (status, result["verified"], result["blocks"], result["failure"]) == (0, True, 13, None)


def test_a_flipped_byte_is_found_and_named(run: Run, saved: Path, tmp_path: Path) -> None:
    damaged = tmp_path / "damaged"
    damaged.mkdir()
    for path in saved.iterdir():
        (damaged / path.name).write_bytes(path.read_bytes())
    (ledger,) = [path for path in damaged.iterdir() if "ledger" in path.name and path.stat().st_size > 9000]
    connection = sqlite3.connect(ledger)
    ((block,),) = connection.execute("SELECT block FROM blocks WHERE height = 5").fetchall()
    spoiled = block[:40] + bytes([block[40] ^ 1]) + block[41:]
    connection.execute("UPDATE blocks SET block = ? WHERE height = 5", (spoiled,))
    connection.commit()
    connection.close()
    status, out, _ = run("ledger", "verify", damaged, "--json")
    result = json.loads(out)
    assert (status, result["verified"], result["blocks"]) == (1, False, 4)
    assert "5" in result["failure"]["where"]


def test_all_blocks_are_shown(run: Run, saved: Path) -> None:
    status, out, _ = run("ledger", "show", saved)
    assert status == 0 and out.count("1/2") + out.count("2/2") >= 13


def test_one_block_is_shown_with_its_heads_and_prices(run: Run, saved: Path) -> None:
    status, out, _ = run("ledger", "show", saved, "block", "3")
    assert status == 0 and "state root" in out and "home-0" in out and "kWh traded" in out


def test_a_feed_is_shown_with_its_kinds(run: Run, saved: Path) -> None:
    status, out, _ = run("ledger", "show", saved, "feed", "home-1")
    assert status == 0 and "order" in out and "reading" in out


def test_a_balance_is_proved(run: Run, saved: Path) -> None:
    status, out, _ = run("ledger", "show", saved, "proof", "home-1")
    assert status == 0 and "the balance is proved" in out


def test_a_member_is_found_by_the_start_of_its_id(saved: Path) -> None:
    membership = ledger_view.blocks(saved)[-1].tip.membership
    for member in membership.members:
        assert ledger_view.find_member(membership, member.id.hex()[:12]) == member
    with pytest.raises(InputRefusedError, match="home-0"):
        ledger_view.find_member(membership, "")


def test_a_proof_that_was_changed_does_not_hold(saved: Path) -> None:
    proof = ledger_view.balance_proof(saved, "home-1")
    proof.verify()
    assert proof.balance == proof.replayed.tip.state.balance_of(proof.member.id)


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        (("show", "{saved}", "block", "99"), 2, "has no block 99"),
        (("show", "{saved}", "feed", "nobody"), 2, "no member is called 'nobody'; there are home-"),
        (("show", "{saved}", "feed"), 2, "one of blocks, block HEIGHT, feed MEMBER, proof MEMBER, witnesses"),
        (("show", "{saved}", "everything", "1"), 2, "show what? 'everything'"),
        (("show", "{saved}/none"), 2, "holds no genesis.cbor"),
    ],
)
def test_a_wrong_question_gets_one_clear_line(
    run: Run, saved: Path, arguments: tuple[str, ...], status: int, message: str
) -> None:
    ended, _, err = run("ledger", *(argument.format(saved=saved) for argument in arguments))
    assert ended == status
    assert message in err and err.startswith("wattswarm: ") and err.count("\n") == 1


def test_a_directory_that_is_not_there_does_not_verify(run: Run, tmp_path: Path) -> None:
    status, out, _ = run("ledger", "verify", tmp_path / "none")
    assert status == 1 and "genesis.cbor" in out


def test_of_a_testnet_the_first_node_is_shown_and_every_node_verified_even_one_without_a_ledger(
    run: Run, saved: Path, tmp_path: Path
) -> None:
    shutil.copytree(saved, tmp_path / "nodes" / "home-1")
    assert run("ledger", "show", tmp_path)[1].count("\n") == run("ledger", "show", saved)[1].count("\n")
    shutil.copytree(saved, tmp_path / "nodes" / "home-2")
    (tmp_path / "nodes" / "home-2" / "ledger.sqlite").unlink()
    status, out, _ = run("ledger", "verify", tmp_path, "--json")
    result = json.loads(out)
    assert (status, result["verified"]) == (1, False)
    assert [node["verified"] for node in result["nodes"]] == [True, False]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("market", "clear"), "ORDERS requires an argument"),
        (("market", "clear", "o.csv", "--bogus"), "Unknown option: --bogus"),
        (("bogus",), 'Unknown command "bogus"'),
        (("testnet", "run", "--data-dir", "d", "--season", "spring"), '"summer", "winter"'),
    ],
)
def test_a_wrong_command_line_gets_one_line(run: Run, arguments: tuple[str, ...], said: str) -> None:
    status, out, err = run(*arguments)
    assert (status, out, err.count("\n")) == (2, "", 1)
    assert said in err and "--help" in err
