"""`wattswarm devices advice|use`: what an owner is told of a home, and what others may see."""

import json
from pathlib import Path

import pytest
from command_line import Run, command_line
from home_uses import keep
from served_node import saved_cell

from devices.process.hub_memory import HUB_NAME

NODE = '[node]\nname = "ada"\n'


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    return command_line(monkeypatch, capsys, "devices")


def home(directory: Path, privacy: str = "") -> Path:
    """A node without a ledger whose hub has learned something."""
    keep(directory)
    (directory / "node.toml").write_text(NODE + privacy, "utf-8")
    return directory / "node.toml"


def test_advice_without_a_ledger_is_energy_and_no_money(tmp_path: Path, run: Run) -> None:
    status, said, _ = run("advice", home(tmp_path))
    assert status == 0
    assert "box draws 12.0 W even at night" in said
    assert "101 kWh a year" in said
    assert "a year." in said and "Saves" not in said
    assert "not watched for a whole day yet: new" in said
    status, said, _ = run("advice", tmp_path / "node.toml", "--json")
    told = json.loads(said)
    assert (status, told["prices"], told["currency"]) == (0, None, None)
    assert [each["topic"] for each in told["advice"]] == ["runs for nothing"]
    assert told["circuits"][0] == {
        "name": "dishes",
        "kind": "dishwasher",
        "why": "2000 W while on",
        "whole_day": True,
    }


def test_advice_of_a_member_is_at_its_suppliers_prices(tmp_path: Path, run: Run) -> None:
    saved_cell(tmp_path / "home")
    keep(tmp_path / "home")
    status, said, _ = run("advice", tmp_path / "home" / "node.toml", "--json")
    told = json.loads(said)
    assert status == 0
    assert told["currency"] == "EUR"
    assert len(told["prices"]) == 24
    (advice,) = told["advice"]
    assert advice["saves_money"] == pytest.approx(advice["saves_kwh"] * told["prices"][0])
    assert "Saves" in run("advice", tmp_path / "home" / "node.toml")[1]


def rows(run: Run, config: Path, *options: str) -> list[tuple[str, int, float]]:
    status, said, _ = run("use", config, *options, "--json")
    assert status == 0
    return [(each["name"], each["resolution_s"], each["energy_wh"]) for each in json.loads(said)["rows"]]


def test_by_default_everybody_sees_totals_of_quarters_of_an_hour(tmp_path: Path, run: Run) -> None:
    config = home(tmp_path)
    mine, others = rows(run, config), rows(run, config, "--seen-by", "cell")
    assert mine == others
    assert {(name, resolution) for name, resolution, _ in mine} == {("", 900)}
    assert len(mine) == 4  # where all three were known
    assert "all together" in run("use", config)[1]


def test_the_owner_decides_what_is_seen_and_circuits_are_never_the_cells(tmp_path: Path, run: Run) -> None:
    config = home(tmp_path, '[site.privacy]\ncell = "nothing"\nown = "by-circuit"\nown_resolution_s = 3600\n')
    assert rows(run, config, "--seen-by", "cell") == []
    assert "nothing may be seen by the cell" in run("use", config, "--seen-by", "cell")[1]
    mine = rows(run, config)
    assert ("dishes", 3600, 1000.0) in mine
    assert len(mine) == 24 * 2 * 2 + 1
    home(tmp_path, '[site.privacy]\ncell = "by-circuit"\nown_resolution_s = 1000\n')
    status, _, faults = run("use", config)
    assert status != 0
    assert "site.privacy.cell" in faults and "site.privacy.own_resolution_s" in faults


def test_what_is_not_there_or_damaged_is_named_with_a_remedy(tmp_path: Path, run: Run) -> None:
    config = home(tmp_path)
    (tmp_path / HUB_NAME).write_bytes(b"{")
    status, _, faults = run("advice", config)
    assert status != 0 and "move it away" in faults
    (tmp_path / HUB_NAME).unlink()
    for command in ("advice", "use"):
        status, _, faults = run(command, config)
        assert (status, "nothing is kept yet" in faults) == (1, True)
