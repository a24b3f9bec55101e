"""`wattswarm market forecast evaluate` on the committed samples and on a user's file."""

import io
import json
from pathlib import Path

import pytest
from rich.console import Console

from market.forecasting.evaluation import SELECTED, ModelScore
from market.forecasting.selection import BASELINE
from node.cli.root import app
from node.errors import ConfigError
from sim.forecast_command import evaluate, score_table
from sim.forecast_series import load_series
from sim.homes.household_samples import SOURCES


def meter_file(path: Path, days: int) -> Path:
    """A home at six-hour intervals, with one missing reading."""
    rows = ["start,home,load_kwh"]
    for index in range(days * 4):
        load = "" if index == 17 else f"{1 + index % 4 + (index * 7 % 5) / 10}"
        rows.append(f"2026-06-{1 + index // 4:02d}T{index % 4 * 6:02d}:00:00Z,ada,{load}")
    path.write_text("\n".join(rows) + "\n", "utf-8")
    return path


def test_the_command_is_one_of_the_market() -> None:
    words = ["market", "forecast", "evaluate", "--data", "london", "--homes", "2", "--json"]
    function, bound, _ = app.parse_args(words, exit_on_error=False, print_error=False)
    assert function is evaluate
    assert bound.arguments == {"data": "london", "homes": 2, "as_json": True}


@pytest.mark.parametrize("source", SOURCES)
def test_every_sample_has_series_in_both_seasons(source: str) -> None:
    series = load_series(source, homes=2, seed=0, days=None)
    assert {each.member.split()[-1] for each in series} == {"summer", "winter"}
    kinds = {each.kind for each in series}
    assert kinds == {"load", "price"} | ({"pv"} if source != "london" else set())
    assert all(len(each.values) == 14 * each.season for each in series)


def test_a_file_of_ones_own_is_scored_as_json_and_as_a_table(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = meter_file(tmp_path / "meters.csv", days=11)
    evaluate(data=str(file), jobs=1, as_json=True)
    told = json.loads(capsys.readouterr().out)
    models = {row["model"]: row for row in told["models"]}
    assert models[BASELINE]["skill"] == 0
    assert sum(row["used"] for row in told["models"]) == 1
    assert [row["member"] for row in told["series"]] == ["ada recorded"]
    console = Console(width=200, record=True, file=io.StringIO())
    console.print(score_table([ModelScore(**row) for row in told["models"]]))
    table = console.export_text()
    assert all(name in table for name in (*models, SELECTED))
    assert "beats the baseline for" in table


def test_what_can_not_be_evaluated_is_said(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no such file, and no source"):
        evaluate(data="lundun")
    with pytest.raises(ConfigError, match="8 days measured, 8 asked for; an evaluation needs at least 9"):
        evaluate(data=str(meter_file(tmp_path / "short.csv", days=8)))
    with pytest.raises(ConfigError, match="--homes: must be at least 1"):
        evaluate(homes=0)
