"""`wattswarm sim grid`: every scenario runs, its rules hold, its page stands alone, and mistakes are named."""

import json
import re
from pathlib import Path

import pytest

from node.errors import ConfigError
from sim.grid import cli
from sim.grid.cli import ALIASES, SCENARIOS, grid
from sim.grid.outage import outage
from sim.grid.result import Result


def test_a_loss_prints_json_and_a_page(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    grid("loss-of-1gw", homes=1_000, html=tmp_path / "out" / "loss.html", as_json=True)
    result = json.loads(capsys.readouterr().out)
    assert result["ok"] is True
    assert {row["kinetic_gvas"] for row in result["rows"]} == {210.0, 140.0, 102.0}
    without = [row for row in result["rows"] if row["homes"] == 0]
    assert all(row["closed_form_error_hz"] < 1e-3 for row in without)
    page = (tmp_path / "out" / "loss.html").read_text("utf-8")
    assert "Frequency after the loss" in page
    assert "<script src" not in page


def test_the_evening_peak_is_held_and_nobodys_reserve_is_touched(capsys: pytest.CaptureFixture[str]) -> None:
    grid("evening-peak", as_json=True)
    result = json.loads(capsys.readouterr().out)
    without, with_swarm = result["rows"]
    assert result["ok"] is True
    assert with_swarm["peak_kw"] < without["peak_kw"]
    assert with_swarm["hours_above_limit"] < without["hours_above_limit"]


def test_a_campus_comes_through_an_outage() -> None:
    result = outage()
    assert result.ok, result.checks
    alone, together = result.rows
    assert together["critical_minutes"] == pytest.approx(600, abs=1)
    assert alone["critical_minutes"] == 60


def test_tables_and_the_list_are_for_people(capsys: pytest.CaptureFixture[str]) -> None:
    grid(list_scenarios=True)
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines()] == list(SCENARIOS)
    grid(list_scenarios=True, as_json=True)
    assert [each["scenario"] for each in json.loads(capsys.readouterr().out)] == list(SCENARIOS)
    grid("loss", homes=100)
    assert "nadir_hz" in capsys.readouterr().out


def test_a_rule_that_does_not_hold_is_a_failure(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    broken = Result("outage", "Broken", {}, ({"cell": "with"},), {"nothing breaks": False}, ())
    monkeypatch.setattr(cli, "outage", lambda: broken)
    with pytest.raises(SystemExit) as ended:
        grid("outage")
    assert ended.value.code == 1
    assert "NO" in capsys.readouterr().out


def test_other_spellings_lead_to_a_scenario() -> None:
    assert set(ALIASES.values()) <= set(SCENARIOS)


@pytest.mark.parametrize(
    ("scenario", "options", "message"),
    [
        ("flood", {}, "flood: no such scenario; there are loss-of-1gw"),
        (None, {}, "name a scenario"),
        ("loss", {"homes": 0}, "--homes"),
        ("loss", {"seed": -1}, "--seed"),
        ("loss", {"service": "volt-var"}, "--service: ieee-1547-volt-var"),
    ],
)
def test_a_mistake_is_named(scenario: str | None, options: dict[str, int], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        grid(scenario, **options)  # type: ignore[arg-type]


def test_the_documents_list_every_key_of_a_loss(capsys: pytest.CaptureFixture[str]) -> None:
    text = (Path(__file__).parents[3] / "docs" / "grid-simulation.md").read_text("utf-8")
    listed = [
        name for row in re.findall(r"^\| (`[^|]+)\|", text, re.M) for name in re.findall(r"`(\w+)`", row)
    ]
    grid("loss-of-1gw", homes=10, as_json=True)
    assert listed == list(json.loads(capsys.readouterr().out)["rows"][0])
    assert set(SCENARIOS) <= set(re.findall(r"^## (\S+)$", text, re.M))
