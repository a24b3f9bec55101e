"""`wattswarm node init` and `wattswarm cell init`: from four new homes to a cell that loads, and every way to fail."""

from pathlib import Path

import pytest
from command_line import Run, command_line

from ledger.files.keys import load_key
from ledger.records.genesis import Genesis, Role
from market.cell import EnergyCell
from node.cli.root import GROUPS
from node.configuration.config import load_config

FEEDER = """
[grid]
import_price = 0.31
export_price = 0.04

[branches.north]
parent = "substation"
limit_kwh = 2.5

[branches.substation]
"""


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Run:
    """Run `wattswarm` in an empty directory: exit status, standard output, standard error."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("WATTSWARM_PASSPHRASE", raising=False)
    return command_line(monkeypatch, capsys)


@pytest.fixture
def homes(run: Run, tmp_path: Path) -> list[str]:
    """The cards of four homes, and a feeder file beside them."""
    (tmp_path / "feeder.toml").write_text(FEEDER, "utf-8")
    for number in range(1, 5):
        listen = f"/ip4/127.0.0.1/tcp/940{number}"
        status, _, err = run("node", "init", f"home-{number}", "--name", f"home-{number}", "--listen", listen)
        assert (status, err) == (0, "")
    return [f"home-{number}/member.toml" for number in range(1, 5)]


def cell_init(run: Run, *arguments: str) -> tuple[int, str, str]:
    return run("cell", "init", "cell", *arguments, "--feeder", "feeder.toml")


def test_four_homes_found_a_cell_that_every_node_can_load(run: Run, homes: list[str], tmp_path: Path) -> None:
    status, out, _ = cell_init(run, *homes, "--operator", "home-1", "--interval-s", "900")
    genesis = Genesis.decode((tmp_path / "cell" / "genesis.cbor").read_bytes())
    assert status == 0 and genesis.cell_id.hex() in out and "4 members, 4 validators" in out
    assert EnergyCell().initial(genesis).rules.interval_s == 900
    assert genesis.members[0].roles & Role.OPERATOR
    for number in range(1, 5):
        home = tmp_path / f"home-{number}"
        (home / "members.toml").write_bytes((tmp_path / "cell" / "members.toml").read_bytes())
        config = load_config(home / "node.toml")
        assert set(config.network.peers) == {f"home-{each}" for each in range(1, 5)}
        assert config.network.listen == (f"/ip4/127.0.0.1/tcp/940{number}",)


def test_a_small_cell_is_told_that_it_tolerates_nobody(run: Run, homes: list[str]) -> None:
    status, out, _ = cell_init(run, *homes[:3])
    assert status == 0 and "3 validators tolerate no faulty one" in out


def test_keys_are_encrypted_when_there_is_a_passphrase(
    run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("WATTSWARM_PASSPHRASE", "correct horse")
    assert run("node", "init", "home", "--name", "home", "--no-validator")[0] == 0
    key = load_key(tmp_path / "home" / "identity.key", "correct horse")
    assert bytes(key) not in (tmp_path / "home" / "identity.key").read_bytes()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "no member cards were given"),
        (("home-1/member.toml", "home-1/member.toml"), "2 cards have the name 'home-1'"),
        (("home-1/member.toml", "--operator", "me"), "the operator 'me' is not one of the members"),
        (("home-1/member.toml", "--interval-s", "0"), "an interval has at least one second"),
        (("home-1/member.toml", "--gate-lead-s", "5000"), "gate_lead_s"),
        (("home-1/member.toml", "--credit", "-5"), "credit_limit"),
        (("home-1/none.toml",), "home-1/none.toml: cannot be read as a member card"),
        (("home-1/member.toml", "--tariff", "none.csv"), "none.csv: cannot be read"),
    ],
)
def test_a_cell_that_cannot_be_founded_is_one_clear_line_and_no_file(
    run: Run, homes: list[str], tmp_path: Path, arguments: tuple[str, ...], message: str
) -> None:
    assert homes
    status, _, err = cell_init(run, *arguments)
    assert status == 2 and message in err and all(line.startswith("wattswarm: ") for line in err.splitlines())
    assert not (tmp_path / "cell").exists() or not list((tmp_path / "cell").iterdir())


def test_an_island_needs_a_tariff(run: Run, homes: list[str], tmp_path: Path) -> None:
    (tmp_path / "feeder.toml").write_text("[branches.street]\n", "utf-8")
    status, _, err = cell_init(run, *homes)
    assert status == 2 and "an islanded cell needs --tariff" in err
    (tmp_path / "tariff.csv").write_text("from_interval,import_price,export_price\n0,0.3,0.04\n", "utf-8")
    assert cell_init(run, *homes, "--tariff", "tariff.csv")[0] == 0


def test_nothing_is_overwritten_by_a_second_founding(run: Run, homes: list[str], tmp_path: Path) -> None:
    assert cell_init(run, *homes)[0] == 0
    before = (tmp_path / "cell" / "genesis.cbor").read_bytes()
    status, _, err = cell_init(run, *homes)
    assert status == 2 and "founded only once" in err
    assert (tmp_path / "cell" / "genesis.cbor").read_bytes() == before


def test_a_bad_feeder_file_is_named(run: Run, homes: list[str], tmp_path: Path) -> None:
    (tmp_path / "feeder.toml").write_text('[branches.a]\nparent = "b"\n', "utf-8")
    status, _, err = cell_init(run, *homes)
    assert status == 1 and "feeder.toml" in err and "Traceback" not in err


def test_a_node_with_wrong_options_is_told_all_of_them(run: Run, tmp_path: Path) -> None:
    status, _, err = run("node", "init", "home", "--name", "", "--listen", "here", "--max-injection-w", "-1")
    assert status == 2 and len(err.splitlines()) == 3
    assert not (tmp_path / "home").exists()


def test_a_daemon_without_configuration_says_how_to_make_one(run: Run) -> None:
    status, _, err = run("node", "run", "--config", "none.toml")
    assert status == 2 and "wattswarm node init" in err and err.count("\n") == 1


@pytest.mark.parametrize(
    "command",
    [
        (),
        *((group,) for group in GROUPS),
        ("cell", "init"),
        ("node", "init"),
        ("node", "run"),
        ("ledger", "verify"),
        ("ledger", "show"),
        ("market", "clear"),
        ("market", "report"),
        ("testnet", "run"),
    ],
    ids=" ".join,
)
def test_every_command_explains_itself(run: Run, command: tuple[str, ...]) -> None:
    status, out, err = run(*command, "--help")
    assert (status, err) == (0, "")
    assert "Usage: wattswarm" in out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("nonsense",), "Unknown command"),
        (("node", "init", "home"), "name"),
        (("node", "run"), "config"),
        (("cell", "init", "d", "--feeder", "f", "--interval-s", "soon"), "interval-s"),
        (("ledger", "verify", "d", "--loud"), "--loud"),
    ],
)
def test_a_wrong_command_line_ends_with_status_two_and_no_trace(
    run: Run, arguments: tuple[str, ...], message: str
) -> None:
    status, out, err = run(*arguments)
    assert status == 2 and message in out + err and "Traceback" not in out + err
