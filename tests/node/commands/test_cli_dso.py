"""What the dso says by command: limits and branch readings are checked against the cell and wait for the node."""

from pathlib import Path

import pytest
from command_line import Run, command_line

from ledger.files.directory import LEDGER_FILE
from ledger.records.genesis import Genesis
from ledger.store.store import Store
from market.payloads import BranchReading, Reading, decode_limit, decode_meter
from market.rules import BranchLimit
from node.saying.spool import Spool

FEEDER = """[grid]
import_price = 0.31
export_price = 0.04

[branches.substation]
[branches.north]
parent = "substation"
loss = 0.02
"""


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Run:
    """Run `wattswarm` in an empty directory: exit status, standard output, standard error."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("WATTSWARM_PASSPHRASE", raising=False)
    return command_line(monkeypatch, capsys)


def test_limits_and_branch_readings_wait_in_the_spool_of_the_dsos_node(run: Run, tmp_path: Path) -> None:
    for number in range(2):
        assert run("node", "init", f"home-{number}", "--name", f"home-{number}", "--branch", "north")[0] == 0
    (tmp_path / "feeder.toml").write_text(FEEDER, "utf-8")
    cards = ("home-0/member.toml", "home-1/member.toml")
    assert run("cell", "init", "cell", *cards, "--feeder", "feeder.toml", "--operator", "home-0")[0] == 0
    genesis = (tmp_path / "cell" / "genesis.cbor").read_bytes()
    for number in range(2):
        (tmp_path / f"home-{number}" / "genesis.cbor").write_bytes(genesis)
        ledger = tmp_path / f"home-{number}" / LEDGER_FILE
        Store.open(ledger, Genesis.decode(genesis).cell_id, create=True).close()
    first = Genesis.decode(genesis).first_interval
    at = ("--node", "home-0")
    span = ("--first", str(first + 2), "--last", str(first + 9))
    assert run("cell", "limit", "north", "12500", *span, *at)[0] == 0
    status, out, _ = run("cell", "meter", "north", "0", "3.25", "--interval", str(first), *at)
    assert (status, "3.25 in. It waits for the node." in out) == (0, True)
    (_, limit), (_, meter) = Spool(tmp_path / "home-0").waiting()
    assert decode_limit(limit.payload) == BranchLimit(1, first + 2, first + 9, 12_500_000, withdrawable=True)
    assert (meter.kind, meter.interval) == (64, first)
    assert decode_meter(meter.payload) == BranchReading(1, Reading(0, 3_250_000))
    for wrong, reason in (
        (("limit", "south", "1", *span, *at), "substation, north"),
        (("limit", "north", "-1", *span, *at), "limit_mw must be within"),
        (("limit", "north", "1", "--first", str(first - 9), "--last", str(first - 1), *at), "is before"),
        (("meter", "north", "-1", "0", "--interval", str(first), *at), "contribution must be within"),
        (("meter", "north", "1", "0", "--interval", str(first), "--node", "home-1"), "those of home-0 would"),
    ):
        status, _, err = run("cell", *wrong)
        assert (status, reason in err) == (2, True), err
    assert len(Spool(tmp_path / "home-0").waiting()) == 2
