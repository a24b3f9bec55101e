"""`wattswarm ledger prove` and `check-proof`, through the command's own entry point."""

import json
import shutil
from pathlib import Path

import pytest
from command_line import Run, command_line
from nacl.signing import SigningKey

from ledger.chain.header_log import HeaderLog
from ledger.files.directory import COSIGNATURES_FILE, GENESIS_FILE
from ledger.proofs.light_proof import LIGHT_PROOF_BYTES
from ledger.witnesses.cosignatures import save_cosignatures
from ledger.witnesses.messages import Checkpoint, cosign
from node.views import ledger_view
from sim.cells.cluster import Cluster
from sim.cells.faults import ClusterPlan, S

INTERVAL = "1004"


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The data directory of a node of four in whose ledger members traded interval 1004."""
    cluster = Cluster(1, 4, 1, ClusterPlan(5 * S, 0.0, 0.0, 5_000_000))
    assert cluster.run().violation is None
    directory = tmp_path_factory.mktemp("cell") / "home-0"
    cluster.nodes[0].save(directory)
    return directory


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Run:
    """Run `wattswarm ledger` with arguments: exit status, standard output, standard error."""
    monkeypatch.chdir(tmp_path)
    return command_line(monkeypatch, capsys, "ledger")


def checked(run: Run, saved: Path, *arguments: str) -> dict[str, object]:
    """What a proof made with these arguments is found to prove."""
    assert run("prove", saved, "--member", "home-1", "--out", "made.proof", *arguments)[0] == 0
    status, out, _ = run("check-proof", "made.proof", "--genesis", saved / GENESIS_FILE, "--json")
    told = json.loads(out)
    assert (status, told["proved"], told["failure"]) == (0, True, None)
    assert told["member"] == "home-1"
    return dict(told)


def test_a_balance_is_proved_as_the_ledger_has_it(run: Run, saved: Path) -> None:
    last = ledger_view.blocks(saved)[-1]
    told = checked(run, saved)
    proof = ledger_view.balance_proof(saved, "home-1")
    assert (told["what"], told["block"]) == ("balance", last.tip.height)
    assert round(float(str(told["balance"])) * 10**12) == proof.balance


def test_a_balance_is_proved_after_any_block(run: Run, saved: Path) -> None:
    told = checked(run, saved, "--interval", INTERVAL, "--what", "balance")
    assert (told["interval"], told["interval_start"]) == (1004, "1970-02-11T20:00:00Z")
    assert told["balance"] != checked(run, saved)["balance"]


def test_a_balance_of_zero_is_proved_by_what_stands_around_it(run: Run, saved: Path) -> None:
    told = checked(run, saved, "--interval", "1000")
    assert (told["what"], told["balance"], told["block"]) == ("balance", "0.000000", 1)


def test_a_fill_is_proved_with_its_confirmation(run: Run, saved: Path) -> None:
    told = checked(run, saved, "--interval", INTERVAL, "--what", "fill")
    assert (told["position_kwh"], told["stands"]) == ("0.397237", True)
    assert told["fills"] != [] and told["block"] == 6


def test_a_reading_is_proved_as_the_feed_has_it(run: Run, saved: Path) -> None:
    told = checked(run, saved, "--interval", INTERVAL, "--what", "reading")
    feed = [entry_id.hex() for entry_id, _ in ledger_view.feed(saved, "home-1")]
    assert told["entry_id"] in feed
    assert (told["injected_kwh"], told["estimated"]) != ("0.000000", True)


def test_every_proof_is_small_and_names_its_file(run: Run, saved: Path, tmp_path: Path) -> None:
    for what in ("balance", "fill", "reading"):
        _, out, _ = run("prove", saved, "--member", "home-1", "--interval", INTERVAL, "--what", what)
        file = tmp_path / f"{what}-home-1-{INTERVAL}.proof"
        assert out.startswith(f"{file.name}: {file.stat().st_size} bytes")
        assert file.stat().st_size < 1_500


def test_a_proof_is_read_by_people(run: Run, saved: Path) -> None:
    run("prove", saved, "--member", "home-1", "--what", "fill", "--interval", INTERVAL, "--out", "f")
    status, out, _ = run("check-proof", "f", "--genesis", saved / GENESIS_FILE)
    assert status == 0 and out.startswith("f: holds\n")
    assert "interval start     1970-02-11T20:00:00Z\n" in out
    assert "position kwh       0.397237\n" in out and " kWh at " in out


def test_a_proof_carries_what_witnesses_cosigned_and_they_can_be_required(
    run: Run, saved: Path, tmp_path: Path
) -> None:
    directory = tmp_path / "home-0"
    shutil.copytree(saved, directory)
    log = HeaderLog()
    for replayed in ledger_view.blocks(directory):
        log.append(replayed.tip.header_id)
    cell_id = ledger_view.read_genesis(directory / GENESIS_FILE).cell_id
    sizes = {b"a": log.root(9), b"b": bytes(32), b"c": log.root(9)}
    keys = {name: SigningKey(name * 32) for name in sizes}
    held = [cosign(keys[name], cell_id, Checkpoint(9, sizes[name]), 10**18) for name in (b"a", b"b")]
    held.append(cosign(keys[b"c"], cell_id, Checkpoint(4, log.root(4)), 10**18))
    save_cosignatures(directory / COSIGNATURES_FILE, held)
    hexed = {name: key.verify_key.encode().hex() for name, key in keys.items()}

    told = checked(run, directory, "--what", "fill", "--interval", INTERVAL)
    assert told["witnesses"] == [{"key": hexed[b"a"], "time": "2001-09-09T01:46:40Z"}]
    assert checked(run, directory, "--what", "balance")["witnesses"] == []

    run("prove", directory, "--member", "home-1", "--what", "fill", "--interval", INTERVAL, "--out", "f")
    check = ("check-proof", "f", "--genesis", directory / GENESIS_FILE, "--witness")
    assert run(*check, hexed[b"a"])[0] == 0
    status, out, _ = run(*check, hexed[b"a"], "--witness", hexed[b"c"])
    assert status == 1 and f"witness {hexed[b'c']} has not cosigned block 6" in out
    assert run(*check, "a key")[::2] == (
        2,
        "wattswarm: --witness a key: a key has 64 hexadecimal digits\n",
    )


def test_a_spoilt_proof_does_not_hold(run: Run, saved: Path, tmp_path: Path) -> None:
    run("prove", saved, "--member", "home-1", "--out", "p")
    data = bytearray((tmp_path / "p").read_bytes())
    data[60] ^= 1
    (tmp_path / "p").write_bytes(data)
    status, out, err = run("check-proof", "p", "--genesis", saved / GENESIS_FILE)
    assert (status, out.count("\n"), err) == (1, 1, "") and "DOES NOT HOLD" in out
    status, out, _ = run("check-proof", "p", "--genesis", saved / GENESIS_FILE, "--json")
    assert (status, json.loads(out)["proved"]) == (1, False)


@pytest.mark.parametrize("content", [b"", b"\x00", b"hello", bytes(LIGHT_PROOF_BYTES + 7)])
def test_a_file_that_is_no_proof_gets_one_clear_line(
    run: Run, saved: Path, tmp_path: Path, content: bytes
) -> None:
    (tmp_path / "p").write_bytes(content)
    status, out, err = run("check-proof", "p", "--genesis", saved / GENESIS_FILE)
    assert (status, out.count("\n"), err) == (1, 1, "") and "DOES NOT HOLD" in out


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        (("prove", "{saved}", "--member", "nobody"), 2, "no member is called 'nobody'; there are home-"),
        (("prove", "{saved}", "--member", "home-1", "--what", "fill"), 2, "name the fill's with --interval"),
        (
            ("prove", "{saved}", "--member", "home-1", "--what", "fill", "--interval", "1012"),
            2,
            "the auction of interval 1012 is not confirmed yet: prove it once block 14 is decided",
        ),
        (
            ("prove", "{saved}", "--member", "home-1", "--what", "fill", "--interval", "9"),
            2,
            "no block held an auction for interval 9",
        ),
        (
            ("prove", "{saved}", "--member", "home-1", "--what", "reading", "--interval", "9"),
            2,
            "no reading of home-1 for interval 9",
        ),
        (("prove", "{saved}", "--member", "home-1", "--interval", "9"), 2, "interval 9 is in no block"),
        (("check-proof", "none", "--genesis", "{saved}/genesis.cbor"), 2, "none: No such file"),
        (("check-proof", "none", "--genesis", "nowhere"), 2, "nowhere: No such file"),
        (("check-proof", "none", "--genesis", "{saved}/guard"), 1, "not a genesis"),
    ],
)
def test_a_wrong_question_gets_one_clear_line(
    run: Run, saved: Path, arguments: tuple[str, ...], status: int, message: str
) -> None:
    ended, _, err = run(*(argument.format(saved=saved) for argument in arguments))
    assert ended == status
    assert message in err and err.startswith("wattswarm: ") and err.count("\n") == 1
